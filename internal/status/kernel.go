package status

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// A Kernel is the TCP of a network namespace of Linux, for its counters. It keeps the namespace
// until it is closed, also after the last process there has ended.
type Kernel struct{ file *os.File }

// OpenKernel opens the counters of the network namespace that a process is in. Other systems than
// Linux have none.
func OpenKernel(pid int) (*Kernel, error) {
	file, err := os.Open(fmt.Sprintf("/proc/%d/net/snmp", pid))
	if err != nil {
		return nil, err
	}
	return &Kernel{file}, nil
}

// Retransmitted returns how many TCP segments the namespace has sent again (RFC 4022,
// tcpRetransSegs).
func (k *Kernel) Retransmitted() (uint64, error) {
	if _, err := k.file.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	return retransmitted(k.file)
}

// Close lets the namespace go.
func (k *Kernel) Close() error { return k.file.Close() }

// retransmitted finds RetransSegs in a file such as /proc/net/snmp: a line of names, and below it
// one of numbers.
func retransmitted(r io.Reader) (uint64, error) {
	var names []string
	for lines := bufio.NewScanner(r); lines.Scan(); {
		words := strings.Fields(lines.Text())
		switch {
		case len(words) == 0 || words[0] != "Tcp:":
		case names == nil:
			names = words
		default:
			for i, name := range names {
				if name == "RetransSegs" && i < len(words) {
					return strconv.ParseUint(words[i], 10, 64)
				}
			}
		}
	}
	return 0, errors.New("the kernel doesn't say how many TCP segments it has sent again")
}
