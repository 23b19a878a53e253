package tun

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"time"
)

// The bounds of a RateTrace.
const (
	maxOpportunities = 1 << 22        // how many opportunities a trace has at most
	maxTracePeriod   = 24 * time.Hour // how long a trace lasts at most
	maxTraceLine     = 64             // how many bytes a line has at most
)

// An opportunity to send in a RateTrace is worth this many bytes. Mahimahi counts its packets with
// the four bytes that a TUN device puts in front, so that one packet of 1,500 bytes leaves with one
// opportunity.
const (
	opportunityBytes = 1504
	tracePacketExtra = 4
)

// A RateTrace is the speed of a link as a trace file of Mahimahi has it: a list of the moments at
// which the link can send 1,504 bytes. A packet counts with 4 bytes more than its size. A large
// packet takes several opportunities, several small packets share one, and what nobody uses is
// lost. After its last moment, the trace begins again. A RateTrace doesn't change, and is safe for
// concurrent use.
type RateTrace struct {
	name string
	ms   []uint32 // the opportunities, in milliseconds since the beginning; ascending, the last above 0
}

// ReadRateTrace reads a trace file. See [ParseRateTrace].
func ReadRateTrace(file string) (*RateTrace, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ParseRateTrace(file, f)
}

// ParseRateTrace reads a trace. Each line has one opportunity, as the number of milliseconds since
// the beginning; the numbers don't descend, and the last one, which is above 0, is the length of
// the trace. A trace has at most 4,194,304 opportunities, and is at most 24 hours long. An error
// names the trace and the line.
func ParseRateTrace(name string, r io.Reader) (*RateTrace, error) {
	t := &RateTrace{name: cmp.Or(name, "trace")}
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, maxTraceLine), maxTraceLine)
	for s.Scan() {
		if err := t.add(s.Text()); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, len(t.ms)+1, err)
		}
	}
	switch err := s.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, fmt.Errorf("%s:%d: the line is longer than a number of milliseconds", name, len(t.ms)+1)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	case len(t.ms) == 0:
		return nil, fmt.Errorf("%s: the trace is empty: want lines with numbers of milliseconds", name)
	case t.ms[len(t.ms)-1] == 0:
		return nil, fmt.Errorf("%s: the trace has no length: its last number is 0", name)
	}
	t.ms = slices.Clip(t.ms)
	return t, nil
}

// add appends the opportunity of a line.
func (t *RateTrace) add(line string) error {
	n, err := strconv.ParseUint(line, 10, 64)
	switch {
	case err != nil:
		return fmt.Errorf("%q is not a number of milliseconds", line)
	case n > uint64(maxTracePeriod.Milliseconds()):
		return fmt.Errorf("%d ms is beyond %v", n, maxTracePeriod)
	case len(t.ms) > 0 && uint32(n) < t.ms[len(t.ms)-1]:
		return fmt.Errorf("%d comes after %d: the numbers must not descend", n, t.ms[len(t.ms)-1])
	case len(t.ms) == maxOpportunities:
		return fmt.Errorf("the trace has more than %d lines", maxOpportunities)
	}
	t.ms = append(t.ms, uint32(n))
	return nil
}

// String returns the name that the trace was read with.
func (t *RateTrace) String() string { return t.name }

// Period returns how long the trace lasts before it repeats.
func (t *RateTrace) Period() time.Duration {
	return time.Duration(t.ms[len(t.ms)-1]) * time.Millisecond
}

// Rate returns the mean speed in bits per second.
func (t *RateTrace) Rate() int64 {
	return int64(len(t.ms)) * opportunityBytes * 8 * 1000 / int64(t.ms[len(t.ms)-1])
}

// A tracePosition is an opportunity of a trace that repeats: the index-th of a round that began at
// base.
type tracePosition struct {
	base  time.Duration
	index int
}

// at is when the opportunity comes.
func (t *RateTrace) at(p tracePosition) time.Duration {
	return p.base + time.Duration(t.ms[p.index])*time.Millisecond
}

// next is the opportunity after p.
func (t *RateTrace) next(p tracePosition) tracePosition {
	if p.index++; p.index == len(t.ms) {
		p = tracePosition{base: p.base + t.Period()}
	}
	return p
}

// after is the first opportunity later than a time, in a trace that began at start or earlier.
func (t *RateTrace) after(start, now time.Duration) tracePosition {
	base := start + (now-start)/t.Period()*t.Period()
	index, _ := slices.BinarySearchFunc(t.ms, now-base, func(ms uint32, since time.Duration) int {
		if time.Duration(ms)*time.Millisecond <= since {
			return -1
		}
		return 1
	})
	return tracePosition{base, index}
}
