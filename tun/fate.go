package tun

import "strings"

// A Fate says what an Impairment has done to a packet, as a set of bits. The zero Fate says that
// the packet passes unchanged, maybe later.
type Fate uint16

// The bits of a Fate. A dropped packet has exactly one bit of those that say so; Duplicated,
// Corrupted, Reordered and Marked can be set together.
const (
	Partitioned  Fate = 1 << iota // Partition has dropped the packet.
	Filtered                      // Filter has dropped the packet.
	TooBig                        // MTU has dropped the packet.
	Lost                          // Loss, LossPackets or Burst has dropped the packet.
	QueueFull                     // The packet was dropped because too much was waiting.
	Duplicated                    // The packet arrives twice.
	Corrupted                     // One bit of the packet is flipped.
	Reordered                     // The packet arrives later by ReorderDelay.
	QueueDropped                  // The discipline of the queue has dropped the packet, later.
	Marked                        // The discipline of the queue has marked the packet, later.

	dropped = Partitioned | Filtered | TooBig | Lost | QueueFull | QueueDropped
)

// A fateRow is what is said about one bit of a Fate, and where it is counted.
type fateRow struct {
	bit     Fate
	name    string
	counter func(*ImpairStats) *uint64
}

// fates has a row for each bit.
var fates = [...]fateRow{
	{Partitioned, "partitioned", func(s *ImpairStats) *uint64 { return &s.Partitioned }},
	{Filtered, "filtered", func(s *ImpairStats) *uint64 { return &s.Filtered }},
	{TooBig, "too big", func(s *ImpairStats) *uint64 { return &s.TooBig }},
	{Lost, "lost", func(s *ImpairStats) *uint64 { return &s.Lost }},
	{QueueFull, "queue full", func(s *ImpairStats) *uint64 { return &s.QueueFull }},
	{Duplicated, "duplicated", func(s *ImpairStats) *uint64 { return &s.Duplicated }},
	{Corrupted, "corrupted", func(s *ImpairStats) *uint64 { return &s.Corrupted }},
	{Reordered, "reordered", func(s *ImpairStats) *uint64 { return &s.Reordered }},
	{QueueDropped, "standing queue", func(s *ImpairStats) *uint64 { return &s.QueueDropped }},
	{Marked, "marked CE", func(s *ImpairStats) *uint64 { return &s.Marked }},
}

// Dropped reports whether the packet was dropped.
func (f Fate) Dropped() bool { return f&dropped != 0 }

// String returns the names of the bits, such as "duplicated, reordered". The text is empty for the
// zero Fate.
func (f Fate) String() string {
	var names []string
	for _, r := range fates {
		if f&r.bit != 0 {
			names = append(names, r.name)
		}
	}
	return strings.Join(names, ", ")
}

// count adds a packet with this fate to the counters.
func (s *ImpairStats) count(f Fate) {
	for i := range fates {
		if f&fates[i].bit != 0 {
			*fates[i].counter(s)++
		}
	}
}

// Dropped returns the number of packets that didn't arrive.
func (s ImpairStats) Dropped() uint64 {
	n := uint64(0)
	for i := range fates {
		if fates[i].bit.Dropped() {
			n += *fates[i].counter(&s)
		}
	}
	return n
}
