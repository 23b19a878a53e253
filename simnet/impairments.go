package simnet

import (
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
// order.
func Jitter(d time.Duration) LinkOption { return change(func(m *tun.Impairment) { m.Jitter = d }) }

// Loss is the probability that a packet is lost, for each packet by itself.
func Loss(p float64) LinkOption { return change(func(m *tun.Impairment) { m.Loss = p }) }

// BurstLoss loses packets in runs: see tun.Burst.
func BurstLoss(b tun.Burst) LinkOption { return change(func(m *tun.Impairment) { m.Burst = b }) }

// Reorder is the probability that a packet takes d longer than the others. Where d is zero, the
// packet takes a quarter of the delay longer, at least 1 ms.
func Reorder(p float64, d time.Duration) LinkOption {
	return change(func(m *tun.Impairment) { m.Reorder, m.ReorderDelay = p, d })
}

// Duplicate is the probability that a packet arrives twice.
func Duplicate(p float64) LinkOption { return change(func(m *tun.Impairment) { m.Duplicate = p }) }

// Corrupt is the probability that a bit of a packet is flipped.
func Corrupt(p float64) LinkOption { return change(func(m *tun.Impairment) { m.Corrupt = p }) }

// Rate is the speed in bits per second, with a queue of so many bytes in front. With zero bytes the
// queue holds what leaves in 100 ms.
func Rate(bitsPerSecond int64, queue int) LinkOption {
	return change(func(m *tun.Impairment) { m.Rate, m.Queue = bitsPerSecond, queue })
}

// PathMTU is the size in bytes above which packets are dropped silently; with 0 none are. The hosts
// don't know the bound; for one that they know, see MTU.
func PathMTU(bytes int) LinkOption { return change(func(m *tun.Impairment) { m.MTU = bytes }) }

// Filter has f look at each packet, which f may drop or change: see tun.Impairment.Filter. With nil
// there is no filter.
func Filter(f func(packet []byte) []byte) LinkOption {
	return change(func(m *tun.Impairment) { m.Filter = f })
}

// Partition says whether the link is cut: nothing arrives then.
func Partition(cut bool) LinkOption { return change(func(m *tun.Impairment) { m.Partition = cut }) }

// Impairment sets all impairments at once.
func Impairment(all tun.Impairment) LinkOption {
	return change(func(m *tun.Impairment) { *m = all })
}
