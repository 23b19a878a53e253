package iperf3

import (
	"net"
	"strconv"
	"time"
)

// A meter notes what the streams of a side move in each second.
type meter struct {
	run    *run
	report *Report
	tell   func(Interval) // nil: nobody is told
	last   time.Duration
	before []int64
}

func newMeter(r *run, report *Report, tell func(Interval)) *meter {
	return &meter{run: r, report: report, tell: tell, before: make([]int64, len(r.streams))}
}

// maxIntervals bounds the intervals in a report, to a day of seconds.
const maxIntervals = maxTime

// note ends an interval. omitted says that it doesn't count.
func (m *meter) note(omitted bool) {
	now := time.Since(m.run.start)
	if now-m.last < reportEvery/10 {
		return // the rest of a test is no interval
	}
	var i Interval
	for k, s := range m.run.streams {
		bytes := s.bytes.Load()
		sum := Sum{Socket: s.id, Start: m.last.Seconds(), End: now.Seconds(), Seconds: (now - m.last).Seconds(),
			Bytes: bytes - m.before[k], Omitted: omitted, Sender: s.sender}
		sum.rate()
		m.before[k] = bytes
		i.Streams = append(i.Streams, sum)
	}
	i.Sum = total(i.Streams)
	m.last = now
	if len(m.report.Intervals) < maxIntervals {
		m.report.Intervals = append(m.report.Intervals, i)
	}
	if m.tell != nil {
		m.tell(i)
	}
}

// restart begins to count again.
func (m *meter) restart() {
	m.run.reset()
	m.last = 0
	clear(m.before)
}

// watch notes intervals, and restarts the counting after the time that doesn't count, until one of
// the channels is ready.
func (m *meter) watch(done ...<-chan struct{}) {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	var omit <-chan time.Time
	omitting := m.run.params.Omit > 0
	if omitting {
		t := time.NewTimer(time.Duration(m.run.params.Omit) * time.Second)
		defer t.Stop()
		omit = t.C
	}
	all := make([]<-chan struct{}, 3)
	copy(all, done)
	for {
		select {
		case <-all[0]:
		case <-all[1]:
		case <-all[2]:
		case <-omit:
			m.note(true)
			m.restart()
			tick.Reset(reportEvery)
			omitting = false
			continue
		case <-tick.C:
			m.note(omitting)
			continue
		}
		m.note(omitting)
		return
	}
}

func hostPort(a net.Addr) (string, int) {
	if a == nil {
		return "", 0
	}
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String(), 0
	}
	n, _ := strconv.Atoi(port)
	return host, n
}
