package endpoint

import "runtime"

// own makes the net face the owner of its socket: when nobody refers to the face
// any more, the socket is closed. Nothing that the socket or the stack keeps refers
// to the face, the timers of its deadlines only weakly.
//
// Precondition: nobody else has the face yet.
func (c *conn) own() {
	if c.sock.host.Collects() {
		c.garbage = runtime.AddCleanup(c, (*Socket).faceGone, c.sock)
	}
}

// faceGone runs on a goroutine of the runtime, which must not wait: the pump
// closes the socket.
func (s *Socket) faceGone() {
	if s.host.Down() {
		return // closed, or about to be
	}
	s.unreachable.Store(true)
	s.host.Signal(s)
}
