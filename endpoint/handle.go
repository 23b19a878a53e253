package endpoint

import "github.com/wsstack/wsstack/internal/socket"

// A Handle is an open socket of a stack for tools that look at it from outside: it describes the
// socket, and reads and sets its options, whoever owns the socket. Stack.Socket returns one. A
// Handle doesn't keep the socket open, and may be used by several goroutines at once.
type Handle struct{ conn *conn }

// HandleOf returns the Handle of a socket. It is for package stack.
func HandleOf(s *socket.Socket) Handle { return Handle{&conn{sock: s}} }

// Info returns a snapshot of the socket.
func (h Handle) Info() Info { return InfoOf(h.conn.sock) }

// SetSockOpt is setsockopt, with all its errors; WSAENOTSOCK after the socket was closed.
func (h Handle) SetSockOpt(level, name int32, optval []byte) error {
	return h.conn.SetSockOpt(level, name, optval)
}

// GetSockOpt is getsockopt; see Conn.GetSockOpt.
func (h Handle) GetSockOpt(level, name int32, optval []byte) (n int, err error) {
	return h.conn.GetSockOpt(level, name, optval)
}
