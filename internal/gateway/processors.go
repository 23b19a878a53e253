package gateway

import (
	"os"
	"runtime"
)

// LeaveProcessor is for a process that is a way out for programs of this machine, and nothing else:
// where the machine has two processors, the process uses one at a time from then on, unless GOMAXPROCS
// in the environment says how many.
//
// Go's runtime otherwise has a thread that waits for the descriptors of the process while another
// moves data, and that is woken up for each packet. With two processors it takes one of them from the
// programs on either side of the way out, only to find that the packet can wait until the data has
// moved.
func LeaveProcessor() {
	if _, set := os.LookupEnv("GOMAXPROCS"); !set && runtime.NumCPU() == 2 && runtime.GOMAXPROCS(0) == 2 {
		runtime.GOMAXPROCS(1)
	}
}
