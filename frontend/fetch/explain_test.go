package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"clipd/engine"
)

func TestExplain(t *testing.T) {
	check := func(err error, want string) {
		t.Helper()
		err = fmt.Errorf("secret: %w", &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(10, 9, 8, 7), Port: 6379}, Err: err})
		if got := explain(err, "a.example").Error(); !strings.Contains(got, want) || strings.Contains(got, "secret") || strings.Contains(got, "10.9.8.7") {
			t.Errorf("%v is explained as %q, want %q", err, got, want)
		}
	}
	check(errRefused, noAddress)
	check(&net.DNSError{Err: "no such host", Name: "secret", Server: "10.9.8.7:53", IsNotFound: true}, noAddress)
	check(&net.AddrError{Err: "no suitable address", Addr: "10.9.8.7"}, noAddress)
	check(&net.DNSError{Err: "server misbehaving", Name: "secret", Server: "10.9.8.7:53", IsTemporary: true}, "cannot be looked up")
	check(&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, "no certificate that is valid")
	check(tls.RecordHeaderError{Msg: "secret"}, "does not speak TLS")
	check(tls.AlertError(40), "ends the TLS handshake")
	check(os.NewSyscallError("connect", syscall.ECONNREFUSED), "refuses the connection")
	check(os.NewSyscallError("connect", syscall.ENETUNREACH), "cannot be reached")
	check(os.NewSyscallError("connect", syscall.EHOSTUNREACH), "cannot be reached")
	check(os.NewSyscallError("read", syscall.ECONNRESET), "before its answer is whole")
	check(io.ErrUnexpectedEOF, "before its answer is whole")
	check(context.DeadlineExceeded, "does not answer in time")
	check(os.ErrDeadlineExceeded, "does not answer in time")
	check(errors.New("malformed HTTP response: secret"), "no answer that is HTTP")
	check(isHTML, "HTML page")
}

func TestTroubleOfTheMachineIsNotTheCallers(t *testing.T) {
	for _, number := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.EIO} {
		err := &os.PathError{Op: "openat", Path: "/secret/x", Err: number}
		for _, err := range []error{machineError(err), fileError(err)} {
			if engine.KindOf(err) != engine.Internal || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v is the %v error %v", number, engine.KindOf(err), err)
			}
		}
	}
	for _, number := range []syscall.Errno{syscall.ENOENT, syscall.EACCES, syscall.ECONNREFUSED} {
		if err := machineError(number); err != nil {
			t.Errorf("%v is trouble of the machine: %v", number, err)
		}
	}
}
