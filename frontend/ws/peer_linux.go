package ws

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// peerGone reports whether the other end has closed the connection or is lost, without reading: what it sent before
// may still lie unread.
func peerGone(raw syscall.RawConn) bool {
	gone := false
	err := raw.Control(func(fd uintptr) {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		n, err := unix.Poll(poll, 0)
		gone = err == nil && n > 0 && poll[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
	})
	return gone || err != nil // the error is that of a connection that is closed here
}

// rawConn finds the socket below a connection and what wraps it, such as TLS; nil when it is hidden.
func rawConn(c net.Conn) syscall.RawConn {
	for c != nil {
		switch w := c.(type) {
		case syscall.Conn:
			raw, err := w.SyscallConn()
			if err != nil {
				return nil
			}
			return raw
		case interface{ UnsafeConn() net.Conn }: // a hijacked one of fasthttp
			c = w.UnsafeConn()
		case interface{ NetConn() net.Conn }: // *tls.Conn
			c = w.NetConn()
		default:
			return nil
		}
	}
	return nil
}
