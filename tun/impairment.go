package tun

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/wsstack/wsstack/internal/inet"
)

// An Impairment is what one direction of a link does to packets. The zero Impairment does nothing.
// The effects apply in the order of the fields: first those that drop or change a packet, then
// Rate, Delay and Reorder, which decide when the packet arrives. Probabilities are numbers from 0
// to 1.
type Impairment struct {
	// Partition drops all packets.
	Partition bool

	// Filter is called with a copy of each packet, which it may keep and change. Filter returns the
	// packet that travels on, which may be another one, or nil to drop the packet. Calls don't
	// overlap. Filter runs inside Send, while the sending endpoint is locked: it may change the
	// impairments, but must not call a socket.
	Filter func(packet []byte) []byte

	// MTU is the size in bytes, at least 68, beyond which packets are dropped silently, as by a
	// router whose ICMP messages get lost. 0 stands for no limit.
	MTU int

	// Loss is the probability that a packet is lost, independently of other packets.
	Loss float64

	// Burst makes the link lose runs of packets.
	Burst Burst

	// Duplicate is the probability that a packet arrives twice.
	Duplicate float64

	// Corrupt is the probability that one bit of a packet is flipped.
	Corrupt float64

	// Rate is the speed of the link in bits per second. A packet waits until the packets before it
	// have left. 0 stands for no limit.
	Rate int64

	// Queue is the number of bytes that may wait because of Rate. A packet that would make more
	// bytes wait is dropped. 0 stands for 100 ms of Rate, and at least 64 KiB.
	Queue int

	// Delay is the time from the moment at which a packet has left to its arrival, at most 24
	// hours.
	Delay time.Duration

	// Jitter is the largest deviation from Delay. The delays of packets are evenly distributed from
	// Delay−Jitter to Delay+Jitter, but packets stay in order.
	Jitter time.Duration

	// Reorder is the probability that a packet takes ReorderDelay longer than others, so that later
	// packets overtake it.
	Reorder float64

	// ReorderDelay is the additional delay of packets that are reordered. 0 stands for a quarter of
	// Delay, and at least 1 ms.
	ReorderDelay time.Duration
}

// Burst is the loss model of Gilbert and Elliott. Before each packet, the link may change between a
// good state and a bad state, in which packets are lost. In the long run the link loses the share
// Enter/(Enter+Leave)*Loss of all packets, in bursts of 1/Leave packets on average. The zero Burst
// loses nothing.
type Burst struct {
	Enter float64 // the probability of a change from the good state to the bad state; 0: no bursts
	Leave float64 // the probability of a change from the bad state to the good state
	Loss  float64 // the probability that a packet is lost in the bad state; 0 stands for 1
}

// The following are defaults and bounds of an Impairment.
const (
	defaultQueueTime    = 100 * time.Millisecond
	minDefaultQueue     = 64 << 10
	minReorderDelay     = time.Millisecond
	maxImpairmentDelay  = 24 * time.Hour
	reorderDelayQuarter = 4
)

// validate returns an error that names the field which isn't possible, or nil.
func (m *Impairment) validate() error {
	bad := func(field, format string, args ...any) error {
		return fmt.Errorf("impairment.%s: %s", field, fmt.Sprintf(format, args...))
	}
	for _, p := range []struct {
		field string
		value float64
	}{
		{"Loss", m.Loss}, {"Burst.Enter", m.Burst.Enter}, {"Burst.Leave", m.Burst.Leave}, {"Burst.Loss", m.Burst.Loss},
		{"Duplicate", m.Duplicate}, {"Corrupt", m.Corrupt}, {"Reorder", m.Reorder},
	} {
		if math.IsNaN(p.value) || p.value < 0 || p.value > 1 {
			return bad(p.field, "%v is not a probability, 0 to 1", p.value)
		}
	}
	if m.Burst.Enter > 0 && m.Burst.Leave == 0 {
		return bad("Burst.Leave", "0 never ends a burst; use Partition")
	}
	for _, d := range []struct {
		field string
		value time.Duration
	}{{"Delay", m.Delay}, {"Jitter", m.Jitter}, {"ReorderDelay", m.ReorderDelay}} {
		if d.value < 0 || d.value > maxImpairmentDelay {
			return bad(d.field, "%v is not between 0 and %v", d.value, maxImpairmentDelay)
		}
	}
	switch {
	case m.MTU != 0 && (m.MTU < inet.MinMTU4 || m.MTU > inet.MaxMTU):
		return bad("MTU", "%d is not between %d and %d", m.MTU, inet.MinMTU4, inet.MaxMTU)
	case m.Rate < 0:
		return bad("Rate", "%d bits per second is less than nothing", m.Rate)
	case m.Queue < 0:
		return bad("Queue", "%d bytes is less than nothing", m.Queue)
	}
	return nil
}

// perfect reports whether packets pass unchanged and at once.
func (m *Impairment) perfect() bool {
	return !m.Partition && m.Filter == nil && m.MTU == 0 && m.Loss == 0 && m.Burst.Enter == 0 &&
		m.Duplicate == 0 && m.Corrupt == 0 && m.Rate == 0 && m.Delay == 0 && m.Jitter == 0 && m.Reorder == 0
}

// queue returns the value of Queue, or its default, in bytes.
func (m *Impairment) queue() int64 {
	if m.Queue != 0 {
		return int64(m.Queue)
	}
	return max(minDefaultQueue, int64(float64(m.Rate)/8*defaultQueueTime.Seconds()))
}

func (m *Impairment) reorderDelay() time.Duration {
	if m.ReorderDelay != 0 {
		return m.ReorderDelay
	}
	return max(m.Delay/reorderDelayQuarter, minReorderDelay)
}

// A Fate says what an Impairment has done to a packet, as a set of bits. The zero Fate says that
// the packet passes unchanged, maybe later.
type Fate uint16

// The bits of a Fate. A dropped packet has exactly one bit; Duplicated, Corrupted and Reordered can
// be set together.
const (
	Partitioned Fate = 1 << iota // Partition has dropped the packet.
	Filtered                     // Filter has dropped the packet.
	TooBig                       // MTU has dropped the packet.
	Lost                         // Loss or Burst has dropped the packet.
	QueueFull                    // The packet was dropped because too much was waiting.
	Duplicated                   // The packet arrives twice.
	Corrupted                    // One bit of the packet is flipped.
	Reordered                    // The packet arrives later by ReorderDelay.

	dropped = Partitioned | Filtered | TooBig | Lost | QueueFull
)

// Dropped reports whether the packet was dropped.
func (f Fate) Dropped() bool { return f&dropped != 0 }

var fateNames = [...]string{"partitioned", "filtered", "too big", "lost", "queue full", "duplicated", "corrupted", "reordered"}

// String returns the names of the bits, such as "duplicated, reordered". The text is empty for the
// zero Fate.
func (f Fate) String() string {
	var names []string
	for i, name := range fateNames {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}
