package fetch

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"clipd/engine"
)

// explain says what went wrong with a host, as a clause for the caller. It quotes nothing of what the other side sent:
// that may be the greeting of some other service.
func explain(err error, host string) error {
	if known := answerError(""); errors.As(err, &known) {
		return known
	}
	var (
		name        *net.DNSError
		address     *net.AddrError
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		alert       tls.AlertError
		timeout     net.Error
	)
	because := func(what string) error { return answerError(fmt.Sprintf("host %q %s", host, what)) }
	switch {
	case errors.Is(err, errRefused), errors.As(err, &name) && name.IsNotFound, errors.As(err, &address):
		return because("has no address that this server asks; it asks public addresses on the ports 80, 443, 8080 and 8443")
	case errors.As(err, &name):
		return because("cannot be looked up at present")
	case errors.As(err, &certificate):
		return because("has no certificate that is valid for it")
	case errors.As(err, &record):
		return because("does not speak TLS on this port; try http:")
	case errors.As(err, &alert):
		return because("ends the TLS handshake")
	case errors.Is(err, syscall.ECONNREFUSED):
		return because("refuses the connection")
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.EADDRNOTAVAIL):
		return because("cannot be reached")
	case errors.As(err, &timeout) && timeout.Timeout():
		return because("does not answer in time")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return because("ends the connection before its answer is whole")
	default:
		return because("gives no answer that is HTTP")
	}
}

// machineError returns the error for trouble of this machine, nil for any other.
func machineError(err error) error {
	var number syscall.Errno
	if errors.As(err, &number) {
		switch number {
		case syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS, syscall.EIO, syscall.ESTALE:
			return engine.Errorf(engine.Internal, "the server cannot load what a uri names: %v", number)
		}
	}
	return nil
}
