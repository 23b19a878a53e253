package transport

import "github.com/wsstack/wsstack/internal/parts"

// A part is what the connections of one part of a stack have by themselves (Hooks.Parts): another
// goroutine delivers the segments of another part, so that the two don't wait for each other.
type part struct {
	bursts bursts    // the bursts of segments that there are now
	waits  timeWaits // the records of TIME-WAIT
}

// divide makes n parts with nothing in them.
func (p *Protocol) divide(n int) {
	p.parts = make([]part, n)
	for i := range p.parts {
		p.parts[i].waits.init(p, maxWaits/n)
	}
}

// partOf is the part of a connection.
func (p *Protocol) partOf(id *ID) int {
	return parts.Connection(id.LocalAddress, id.LocalPort, id.RemoteAddress, id.RemotePort, len(p.parts))
}
