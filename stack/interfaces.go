package stack

import "github.com/wsstack/wsstack/tun"

// InterfaceStats is what has passed one interface of a stack since it was made. Packets count as a
// wire would carry them: a segment of 64 KiB that the device cuts up is many. Each is counted where
// it meets the device, so packets that are dropped later, and those of a router for others, count.
type InterfaceStats struct {
	Name       string     // the name of the interface; "lo" is the loopback
	Device     tun.Device // the device of the interface; nil: the loopback
	PacketsIn  uint64     // packets that came from the device
	PacketsOut uint64     // packets that were given to the device
	BytesIn    uint64     // the bytes of PacketsIn, IP headers included
	BytesOut   uint64     // the bytes of PacketsOut, IP headers included
	Dropped    uint64     // packets from the device that were dropped before IP: a full queue, no IP packet
}

// InterfaceStats returns the counters of each interface, the loopback first, then the device of
// Config.Device and those of AddDevice in the order in which they came.
func (s *Stack) InterfaceStats() []InterfaceStats {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := make([]InterfaceStats, len(s.nics))
	for i, n := range s.nics {
		in, out := n.link.Traffic()
		list[i] = InterfaceStats{
			Name: n.name, Device: n.device, PacketsIn: in.Packets, PacketsOut: out.Packets,
			BytesIn: in.Bytes, BytesOut: out.Bytes, Dropped: n.link.Dropped(),
		}
	}
	return list
}
