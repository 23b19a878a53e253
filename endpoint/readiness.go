package endpoint

import "github.com/wsstack/wsstack/internal/socket"

// Readiness says what select reports of a socket (EV-9): a set of bits.
type Readiness uint16

// The bits of a Readiness.
const (
	// ReadyRead: a Read or Accept returns at once, because there is data, the
	// end of the stream, a connection to accept, or an error.
	ReadyRead = Readiness(socket.ReadyRead)

	// ReadyWrite: the socket is connected and a Write returns at once, because
	// there is room for a byte or the connection has ended.
	ReadyWrite = Readiness(socket.ReadyWrite)

	// ReadyExcept: the last connect was a non-blocking one and has failed;
	// SO_ERROR has the code until it is read. Or an urgent byte waits.
	ReadyExcept = Readiness(socket.ReadyExcept)

	// ReadyClosed: the socket is closed, and none of the others is set.
	ReadyClosed = Readiness(socket.ReadyClosed)
)
