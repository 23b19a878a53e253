package tun

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/wsstack/wsstack/internal/inet"
)

// An Impairment is what one direction of a link does to packets. The zero
// value does nothing. Effects apply in the order of the fields from Partition
// to Rate, then those of time.
type Impairment struct {
	// Partition drops everything.
	Partition bool

	// Filter looks at each packet: it returns what travels on, the packet or
	// another, and nil to drop it. It may keep and change the bytes, which
	// are a copy. Calls don't overlap. It runs inside Send, with the sender's
	// endpoint locked: it may change the impairments, but touches no socket.
	Filter func(packet []byte) []byte

	// MTU drops larger packets without a word, like a router whose ICMP
	// messages get lost. Bytes, at least 68; 0: no limit.
	MTU int

	// Loss is the probability that a packet is lost, each one by itself;
	// Burst loses runs of packets.
	Loss  float64
	Burst Burst

	// Duplicate is the probability that a packet arrives twice, Corrupt that
	// one bit of it is flipped.
	Duplicate float64
	Corrupt   float64

	// Rate is the speed in bits per second; 0: no limit. A packet waits until
	// those before it have left. One that would make more than Queue bytes
	// wait is dropped; zero means 100 ms of Rate, and at least 64 KiB.
	Rate  int64
	Queue int

	// Delay is the time from the end of a packet's transmission to its
	// arrival. With Jitter it varies by as much in both directions, evenly
	// distributed, but packets stay in order.
	Delay  time.Duration
	Jitter time.Duration

	// Reorder is the probability that a packet takes ReorderDelay longer than
	// the others, so that later ones overtake it. Zero means a quarter of
	// Delay, and at least 1 ms.
	Reorder      float64
	ReorderDelay time.Duration
}

// Burst is the loss model of Gilbert and Elliott: before each packet the link
// may change between a good state and a bad one, in which packets are lost. In
// the long run Enter/(Enter+Leave)*Loss of all packets are, in bursts of
// 1/Leave packets on average. The zero value is off.
type Burst struct {
	Enter float64 // probability of good → bad
	Leave float64 // probability of bad → good
	Loss  float64 // probability of loss in the bad state; 0: 1
}

// Defaults of an Impairment.
const (
	defaultQueueTime    = 100 * time.Millisecond
	minDefaultQueue     = 64 << 10
	minReorderDelay     = time.Millisecond
	maxImpairmentDelay  = 24 * time.Hour
	reorderDelayQuarter = 4
)

// validate names the field that is impossible.
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

// perfect reports that packets pass untouched and at once.
func (m *Impairment) perfect() bool {
	return !m.Partition && m.Filter == nil && m.MTU == 0 && m.Loss == 0 && m.Burst.Enter == 0 &&
		m.Duplicate == 0 && m.Corrupt == 0 && m.Rate == 0 && m.Delay == 0 && m.Jitter == 0 && m.Reorder == 0
}

// queue is the limit of Queue in bytes.
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

// A Fate is what an Impairment did to a packet; the zero value: nothing.
type Fate uint16

// The fates. The first ones are drops; the others can come together.
const (
	Partitioned Fate = 1 << iota // dropped by Partition
	Filtered                     // dropped by Filter
	TooBig                       // dropped by MTU
	Lost                         // dropped by Loss or Burst
	QueueFull                    // dropped because too much was waiting
	Duplicated
	Corrupted
	Reordered

	dropped = Partitioned | Filtered | TooBig | Lost | QueueFull
)

// Dropped reports that the packet doesn't arrive.
func (f Fate) Dropped() bool { return f&dropped != 0 }

var fateNames = [...]string{"partitioned", "filtered", "too big", "lost", "queue full", "duplicated", "corrupted", "reordered"}

// String is empty for a packet that passed untouched.
func (f Fate) String() string {
	var names []string
	for i, name := range fateNames {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}
