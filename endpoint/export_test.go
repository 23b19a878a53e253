package endpoint

// InRecv calls f in the instant in which a recv has what was queued in its hands,
// and then gives it back, as one does that comes upon an urgent byte.
func (s *Socket) InRecv(f func()) {
	s.rmu.Lock()
	defer s.rmu.Unlock()
	ep, w := s.receiver()
	b := make([]byte, 1<<16)
	n, err := s.takeLocked(ep, b, false)
	if err != nil {
		panic(err)
	}
	s.position += uint32(n)
	w.took(n)
	f()
	s.giveBackLocked(w, b[:n])
}
