package control
func (s *Server) handleSockets() {}
func (s *Server) handleLinks() {}
