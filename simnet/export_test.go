package simnet

// Steps is how much the scheduler has done: goroutines run, packets delivered,
// timers fired.
func (n *Network) Steps() uint64 { return n.steps.Load() }
