package wsa

// isSystem: package syscall has no such codes here.
func (e Errno) isSystem(error) bool { return false }
