package tun

import (
	"fmt"
	"slices"
	"strings"
	"time"
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

	// LossPackets are the numbers of packets that are lost. The first packet that has come to this
	// direction of the link since the link was made has the number 1; ImpairStats.Packets is the
	// number of the last one. There may be 65,536 numbers, in any order.
	LossPackets []uint64

	// Loss is the probability that a packet is lost. Each packet is lost by itself, unless there is
	// a LossCorrelation.
	Loss float64

	// LossCorrelation is the correlation of the fates of two packets in a row, from 0 to below 1:
	// the probability that a packet has the fate of the packet before, whatever Loss says. The
	// share of packets that are lost stays the same, and the correlation of packets that are k
	// apart is LossCorrelation to the power of k. (Linux's netem mixes its random numbers instead,
	// which makes what is rare rarer still.) DuplicateCorrelation, CorruptCorrelation and
	// ReorderCorrelation work in the same way.
	LossCorrelation float64

	// Burst makes the link lose runs of packets.
	Burst Burst

	// Duplicate is the probability that a packet arrives twice.
	Duplicate float64

	// DuplicateCorrelation is the correlation of Duplicate, from 0 to below 1: see LossCorrelation.
	DuplicateCorrelation float64

	// Corrupt is the probability that one bit of a packet is flipped.
	Corrupt float64

	// CorruptCorrelation is the correlation of Corrupt, from 0 to below 1: see LossCorrelation.
	CorruptCorrelation float64

	// Rate is the speed of the link in bits per second. A packet waits until the packets before it
	// have left. 0 stands for no limit.
	Rate int64

	// RateTrace is the speed of the link as a trace file of Mahimahi has it, instead of Rate. The
	// trace starts when it is set, and repeats. nil stands for Rate.
	RateTrace *RateTrace

	// Queue is the number of bytes that may wait because of Rate or RateTrace. A packet that would
	// make more bytes wait is dropped. 0 stands for no limit where QueuePackets is set or the
	// Discipline is CoDel, and elsewhere for 100 ms of Rate, or of the mean of RateTrace, and at
	// least 64 KiB. What is left of the packet that is being sent counts where there is only a Rate
	// and this limit, and doesn't where there is a RateTrace, QueuePackets or CoDel.
	Queue int

	// QueuePackets is the number of packets that may wait. 0 stands for no limit; with CoDel it
	// stands for 1,000.
	QueuePackets int

	// Discipline decides which packets the queue drops.
	Discipline Discipline

	// CoDelTarget is the time for which packets may wait for long, at most CoDelInterval. 0 stands
	// for 5 ms.
	CoDelTarget time.Duration

	// CoDelInterval is how long packets may wait longer than CoDelTarget before one is dropped, at
	// least 1 ms. 0 stands for 100 ms.
	CoDelInterval time.Duration

	// ECN has CoDel mark packets whose sender can tell (ECT, RFC 3168) instead of dropping them.
	ECN bool

	// Delay is the time from the moment at which a packet has left to its arrival, at most 24
	// hours.
	Delay time.Duration

	// Jitter is how much the delays of packets deviate from Delay: the largest deviation where
	// JitterDistribution is Uniform, and otherwise the standard deviation. No delay is below 0, so
	// that the mean is above Delay where Delay is small. Packets stay in order, which makes those
	// later that a slow packet holds up, unless JitterReorders is set.
	Jitter time.Duration

	// JitterDistribution is the distribution of the deviations. Their mean is 0.
	JitterDistribution Distribution

	// JitterCorrelation is the correlation of the deviations of two packets in a row, from 0 to
	// below 1: the probability that a packet has the deviation of the packet before. See
	// LossCorrelation.
	JitterCorrelation float64

	// JitterReorders lets packets overtake packets that have a longer delay.
	JitterReorders bool

	// Reorder is the probability that a packet takes ReorderDelay longer than others, so that later
	// packets overtake it.
	Reorder float64

	// ReorderCorrelation is the correlation of Reorder, from 0 to below 1: see LossCorrelation.
	ReorderCorrelation float64

	// ReorderDelay is the additional delay of packets that are reordered. 0 stands for a quarter of
	// Delay, and at least 1 ms.
	ReorderDelay time.Duration
}

// Burst is the loss model of Gilbert and Elliott. Before each packet, the link may change between a
// good state and a bad state, which lose different shares of packets. In the long run the link is
// in the bad state for the share Enter/(Enter+Leave) of all packets, for 1/Leave packets at a time
// on average. The zero Burst loses nothing. With Enter and Leave alone this is Gilbert's simple
// model: all packets of the bad state are lost, and none of the good state.
type Burst struct {
	Enter    float64 // the probability of a change from the good state to the bad state; 0: no bursts
	Leave    float64 // the probability of a change from the bad state to the good state
	Loss     float64 // the probability that a packet is lost in the bad state; 0 stands for 1
	GoodLoss float64 // the probability that a packet is lost in the good state
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
	for _, p := range parameters {
		if err := p.Check(m); err != nil {
			return fmt.Errorf("impairment.%s: %w", p.Field, err)
		}
	}
	return nil
}

// perfect reports whether packets pass unchanged and at once.
func (m *Impairment) perfect() bool {
	return m.Filter == nil && !slices.ContainsFunc(parameters, func(p Parameter) bool {
		return len(p.Needs) == 0 && p.Text(m) != ""
	})
}

// Set changes the parameters that a list names, such as "loss=0.1,delay=50ms,jitter-reorder". The
// others stay as they are. [Parameters] has the names. A parameter that is on or off is turned on
// without a value, and the numbers of loss-packets go on after a comma: "loss-packets=1,5,10-12".
// The error names the parameter that isn't known, or the value that isn't possible, and nothing is
// changed then.
func (m *Impairment) Set(list string) error {
	changed := *m
	for words := strings.Split(list, ","); len(words) > 0; {
		name, text, found := strings.Cut(words[0], "=")
		p, ok := FindParameter(name)
		if !ok {
			return fmt.Errorf("%q is not a parameter of a link, such as loss=0.1", name)
		}
		words = words[1:]
		for p.list && len(words) > 0 && isNumbers(words[0]) {
			text += "," + words[0]
			words = words[1:]
		}
		if !found && p.Placeholder != "" {
			return fmt.Errorf("%s needs a value: %s=%s", name, name, p.Placeholder)
		}
		if err := p.Set(&changed, text); err != nil {
			return fmt.Errorf("%s %q: %w", name, text, err)
		}
	}
	*m = changed
	return nil
}

// String returns the list for Set that makes this impairment from the zero Impairment. Filter has
// no text. The text is empty where there is no parameter to name.
func (m *Impairment) String() string {
	var words []string
	for _, p := range parameters {
		switch text := p.Text(m); {
		case text == "":
		case p.Placeholder == "":
			words = append(words, p.Name)
		default:
			words = append(words, p.Name+"="+text)
		}
	}
	return strings.Join(words, ",")
}

func (m *Impairment) reorderDelay() time.Duration {
	if m.ReorderDelay != 0 {
		return m.ReorderDelay
	}
	return max(m.Delay/reorderDelayQuarter, minReorderDelay)
}
