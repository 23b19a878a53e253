package socket

// Attend has the pump call f soon after anything has happened to the socket: data, room, an end.
// over says that the connection has died, or that the socket is closed. The calls come one at a
// time, on the goroutine of the pump and without a lock of the socket; f never waits. What is so
// already f isn't told of. There is one f, for as long as the socket lives.
func (s *Socket) Attend(f func(over bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events.attendant = f
	s.watchLocked()
}
