package endpoint

import (
	"runtime"

	"github.com/wsstack/wsstack/internal/socket"
)

// own makes the net face the owner of its socket: when nobody refers to the face
// any more, the socket is closed. Nothing that the socket or the stack keeps refers
// to the face, the timers of its deadlines only weakly.
//
// Precondition: nobody else has the face yet.
func (c *conn) own() {
	if c.sock.Host().Collects() {
		c.garbage = runtime.AddCleanup(c, (*socket.Socket).FaceGone, c.sock)
	}
}
