package simnet

// Steps is how much the scheduler has done: goroutines run, packets delivered,
// timers fired.
func (n *Network) Steps() uint64 { return n.steps.Load() }

// LimitInstant sets for the process how many packets a bubble sends at one time.
func LimitInstant(packets int64) { maxPacketsPerInstant = packets }
