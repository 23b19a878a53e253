package picture

import (
	"slices"

	"github.com/wsstack/wsstack/internal/record"
)

// A panel is a small diagram below a time–sequence diagram, on the same axis of time.
type panel struct {
	keys   []key
	series [][]point // one for each key
	hi     float64
	label  func(v, step float64) string
}

// panels are those that there are samples for.
func (s *sequence) panels() []panel {
	c := s.connection()
	if c == nil || len(c.Samples) == 0 {
		return nil
	}
	series := func(value func(*record.Sample) float64) (list []point) {
		for i := range c.Samples {
			p := &c.Samples[i]
			if t := p.At.Seconds(); t > s.time.end() {
				break
			}
			if v := value(p); v >= 0 {
				list = append(list, point{p.At, v})
			}
		}
		return list
	}
	flight := series(func(p *record.Sample) float64 { return float64(p.InFlight) })
	window := panel{
		keys:   []key{{"cwnd", "congestion window"}, {"ssthresh", "slow-start threshold"}, {"flight", "bytes in flight"}},
		series: [][]point{series(func(p *record.Sample) float64 { return known(float64(p.CongestionWindow)) }), nil, flight},
		label:  bytesLabel,
	}
	window.hi = 1.1 * max(highest(window.series[0]), highest(flight), 1)
	window.series[1] = series(func(p *record.Sample) float64 {
		if v := float64(p.SlowStartThreshold); v < 2*window.hi {
			return known(v)
		}
		return unknown
	})
	window.hi = max(window.hi, 1.1*highest(window.series[1]))
	trip := panel{
		keys: []key{{"srtt", "smoothed round trip"}, {"rto", "retransmission time-out"}},
		series: [][]point{
			series(func(p *record.Sample) float64 { return known(p.SmoothedRTT.Seconds()) }),
			series(func(p *record.Sample) float64 { return known(p.RTO.Seconds()) }),
		},
		label: timeLabel,
	}
	trip.hi = 1.1 * max(highest(trip.series[0]), highest(trip.series[1]), 1e-6)
	return []panel{window, trip}
}

// unknown is a value that isn't drawn.
const unknown = -1

// known is a value of which 0 means that it isn't known.
func known(v float64) float64 {
	if v == 0 {
		return unknown
	}
	return v
}

func highest(list []point) (hi float64) {
	for _, p := range list {
		hi = max(hi, p.v)
	}
	return hi
}

// connection is the sender's end of the connection. It is nil where the recording has none.
func (s *sequence) connection() *record.Connection {
	list := s.a.Recording.Connections
	first := s.a.Packets[s.f.Packets[0]].At
	var found *record.Connection
	for i := range list {
		c := &list[i]
		if c.Local != s.f.Ends[s.dir] || c.Remote != s.f.Ends[1-s.dir] {
			continue
		}
		if node := s.f.Nodes[s.dir]; node != "" && c.Host != node {
			continue
		}
		// Of several on the same ports it is the last that was open by then: the SYN of the peer
		// opens an end after the first packet.
		if found == nil || c.Opened <= first || slices.ContainsFunc(s.f.Packets, func(k int) bool { return s.a.Packets[k].arrival() == c.Opened }) {
			found = c
		}
	}
	return found
}

// panel draws a panel.
func (s *sequence) panel(p panel, top float64) {
	s.legend(p.keys, top-8)
	s.grid(ticks(0, p.hi, 4, p.label), top, panelSize, p.hi, "panelticks")
	s.begin("below", top, panelSize)
	for i, series := range p.series {
		s.steps(p.keys[i].class, series, func(v float64) float64 { return panelSize - v/p.hi*panelSize })
	}
	s.end(top, panelSize)
}
