package simnet

import (
	"slices"
	"time"

	"github.com/wsstack/wsstack/tun"
)

// change makes an option that changes the impairments of the directions that are chosen.
func change(f func(*tun.Impairment)) LinkOption {
	return func(c *linkConfig) error {
		for i := range c.impairment {
			if c.chosen[i] {
				f(&c.impairment[i])
			}
		}
		return nil
	}
}

// Delay is the time that a packet takes from one end to the other.
func Delay(d time.Duration) LinkOption { return change(func(m *tun.Impairment) { m.Delay = d }) }

// Jitter is how much shorter or longer than Delay the delay of a packet may be. Packets stay in
// order, unless JitterReorders says otherwise.
func Jitter(d time.Duration) LinkOption { return change(func(m *tun.Impairment) { m.Jitter = d }) }

// JitterDistribution is the distribution of the deviations from Delay, such as tun.Normal. Jitter
// is the standard deviation then. Without the option the deviations are tun.Uniform.
func JitterDistribution(d tun.Distribution) LinkOption {
	return change(func(m *tun.Impairment) { m.JitterDistribution = d })
}

// JitterCorrelation is the correlation of the delays of two packets in a row, as LossCorrelation is
// that of Loss.
func JitterCorrelation(c float64) LinkOption {
	return change(func(m *tun.Impairment) { m.JitterCorrelation = c })
}

// JitterReorders says whether packets may overtake packets that have a longer delay.
func JitterReorders(may bool) LinkOption {
	return change(func(m *tun.Impairment) { m.JitterReorders = may })
}

// Loss is the probability that a packet is lost, for each packet by itself.
func Loss(p float64) LinkOption { return change(func(m *tun.Impairment) { m.Loss = p }) }

// LossCorrelation is the correlation of the fates of two packets in a row, from 0 to below 1: see
// tun.Impairment.LossCorrelation.
func LossCorrelation(c float64) LinkOption {
	return change(func(m *tun.Impairment) { m.LossCorrelation = c })
}

// LossPackets loses the packets with these numbers. The first packet that is sent over the link in
// a direction has the number 1, and Stats of the link has the number of the last one. Without
// numbers no packet is lost in this way.
func LossPackets(numbers ...uint64) LinkOption {
	numbers = slices.Clone(numbers)
	return change(func(m *tun.Impairment) { m.LossPackets = numbers })
}

// BurstLoss loses packets in runs: see tun.Burst.
func BurstLoss(b tun.Burst) LinkOption { return change(func(m *tun.Impairment) { m.Burst = b }) }

// Reorder is the probability that a packet takes d longer than the others. Where d is zero, the
// packet takes a quarter of the delay longer, at least 1 ms.
func Reorder(p float64, d time.Duration) LinkOption {
	return change(func(m *tun.Impairment) { m.Reorder, m.ReorderDelay = p, d })
}

// ReorderCorrelation is the correlation of Reorder, as LossCorrelation is that of Loss.
func ReorderCorrelation(c float64) LinkOption {
	return change(func(m *tun.Impairment) { m.ReorderCorrelation = c })
}

// Duplicate is the probability that a packet arrives twice.
func Duplicate(p float64) LinkOption { return change(func(m *tun.Impairment) { m.Duplicate = p }) }

// DuplicateCorrelation is the correlation of Duplicate, as LossCorrelation is that of Loss.
func DuplicateCorrelation(c float64) LinkOption {
	return change(func(m *tun.Impairment) { m.DuplicateCorrelation = c })
}

// Corrupt is the probability that a bit of a packet is flipped.
func Corrupt(p float64) LinkOption { return change(func(m *tun.Impairment) { m.Corrupt = p }) }

// CorruptCorrelation is the correlation of Corrupt, as LossCorrelation is that of Loss.
func CorruptCorrelation(c float64) LinkOption {
	return change(func(m *tun.Impairment) { m.CorruptCorrelation = c })
}

// Rate is the speed in bits per second, with a queue of so many bytes in front. With zero bytes the
// queue holds what leaves in 100 ms, unless an option for the queue says otherwise. Rate takes the
// place of a RateTrace.
func Rate(bitsPerSecond int64, queue int) LinkOption {
	return change(func(m *tun.Impairment) { m.Rate, m.RateTrace, m.Queue = bitsPerSecond, nil, queue })
}

// RateTrace is the speed as a trace file of Mahimahi has it: see tun.ReadRateTrace. RateTrace takes
// the place of a Rate; with nil the link has no limit.
func RateTrace(t *tun.RateTrace) LinkOption {
	return change(func(m *tun.Impairment) { m.Rate, m.RateTrace = 0, t })
}

// Queue is how many bytes and how many packets may wait because of the speed. Zero stands for no
// limit, and two zeros for the default: see tun.Impairment.Queue.
func Queue(bytes, packets int) LinkOption {
	return change(func(m *tun.Impairment) { m.Queue, m.QueuePackets = bytes, packets })
}

// DropTail has the queue drop the packets that come when it is full, and no others. That is what
// happens without an option.
func DropTail() LinkOption {
	return change(func(m *tun.Impairment) {
		m.Discipline, m.CoDelTarget, m.CoDelInterval, m.ECN = tun.DropTail, 0, 0, false
	})
}

// CoDel has the queue drop packets when all packets have waited longer than target for an interval
// (RFC 8289). Zeros stand for 5 ms and 100 ms.
func CoDel(target, interval time.Duration) LinkOption {
	return change(func(m *tun.Impairment) { m.Discipline, m.CoDelTarget, m.CoDelInterval = tun.CoDel, target, interval })
}

// ECN says whether CoDel marks packets whose sender can tell instead of dropping them.
func ECN(marks bool) LinkOption { return change(func(m *tun.Impairment) { m.ECN = marks }) }

// PathMTU is the size in bytes above which packets are dropped silently; with 0 none are. The hosts
// don't know the bound; for one that they know, see MTU.
func PathMTU(bytes int) LinkOption { return change(func(m *tun.Impairment) { m.MTU = bytes }) }

// Filter has f look at each packet, which f may drop or change: see tun.Impairment.Filter. With nil
// there is no filter.
func Filter(f func(packet []byte) []byte) LinkOption {
	return change(func(m *tun.Impairment) { m.Filter = f })
}

// Partition says whether the link is cut: nothing arrives that is sent then. What was sent before,
// also what waits for the rate, still does.
func Partition(cut bool) LinkOption { return change(func(m *tun.Impairment) { m.Partition = cut }) }

// Impairment sets all impairments at once.
func Impairment(all tun.Impairment) LinkOption {
	return change(func(m *tun.Impairment) { *m = all })
}
