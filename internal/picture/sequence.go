package picture

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
)

// sequenceBars is how many segments a time–sequence diagram draws one by one; more are drawn
// together where they fall on the same place.
const sequenceBars = 5000

// same is how near to each other two places are that count as one where there are many segments.
const same = 0.2

// Measures of time–sequence diagrams.
const (
	plotLeft   = 76.0
	plotWidth  = 900.0
	plotRight  = 24.0
	plotTop    = 72.0
	plotHeight = 420.0
	panelSpace = 34.0
	panelSize  = 110.0
)

// WriteSequence writes the time–sequence diagram of one direction of a connection as an SVG, the
// way tcptrace has it, as its sender sees it: segments when they were sent, acknowledgements,
// windows and SACK blocks when they came. dir is 0 for what the end has sent that sent the first
// packet. Below are the congestion window and the round trip, where the recording has them.
func (a *Analysis) WriteSequence(w io.Writer, flow, dir int) error {
	return a.sequence(flow, dir, true).writeTo(w)
}

// A sequence is a time–sequence diagram under way.
type sequence struct {
	svg
	a     *Analysis
	f     *Flow
	dir   int
	time  timeAxis
	hi    float64 // highest sequence number
	thin  bool    // there are too many segments to draw each
	bars  int     // how many segments there are
	drawn int     // how many bars were drawn
}

// A point is a value at a time.
type point struct {
	at time.Duration
	v  float64
}

func (a *Analysis) sequence(flow, dir int, alone bool) *svg {
	s := &sequence{a: a, f: a.Flows[flow], dir: dir}
	s.bounds()
	panels := s.panels()
	height := plotTop + plotHeight + float64(len(panels))*(panelSpace+panelSize) + 40
	s.open(plotLeft+plotWidth+plotRight, height, "sequence", fmt.Sprintf(" data-time=\"%s\" data-hi=\"%g\"", s.time.data(), s.hi), alone)
	s.text("title", 12, 20, "start", fmt.Sprintf("%s → %s", a.endName(s.f, dir), a.endName(s.f, 1-dir)))
	s.plot()
	y := plotTop + plotHeight + panelSpace
	for _, p := range panels {
		s.panel(p, y)
		y += panelSize + panelSpace
	}
	s.timeAxis(y - panelSpace)
	s.text("dim", 12, 37, "start", s.remark())
	s.close()
	return &s.svg
}

// remark says what the diagram is, and what it leaves out.
func (s *sequence) remark() string {
	text := fmt.Sprintf("sequence numbers in bytes by time: %s, %s of payload, %s",
		count(s.bars, "segment"), count(int(s.f.Bytes[s.dir]), "byte"), count(s.resent(), "retransmission"))
	if s.thin {
		text += fmt.Sprintf("; %s are drawn, because many fall on one place", thousands(uint64(s.drawn)))
	}
	return text
}

func (s *sequence) resent() (n int) {
	for _, i := range s.f.Packets {
		if p := &s.a.Packets[i]; p.Dir == s.dir && p.Previous < 0 && p.Notes&Retransmission != 0 {
			n++
		}
	}
	return n
}

// bounds finds the edges of the diagram.
func (s *sequence) bounds() {
	var moments []time.Duration
	for _, i := range s.f.Packets {
		p := &s.a.Packets[i]
		moments = append(moments, p.At, p.arrival())
		if p.Dir == s.dir {
			s.hi = max(s.hi, float64(p.End))
			if p.Previous < 0 && p.Segment.Len > 0 {
				s.bars++
			}
		}
	}
	s.time = newTimeAxis(moments)
	s.hi = max(s.hi, 1)
	for _, e := range s.acknowledgements() {
		if s.hi < 3*e.window && e.window < 1.2*s.hi {
			s.hi = max(s.hi, e.window)
		}
	}
	s.hi *= 1.06
	s.thin = s.bars > sequenceBars
}

// x and y are places of a time in seconds and of a sequence number.
func (s *sequence) x(t float64) float64 { return s.time.place(t) * plotWidth }
func (s *sequence) y(v float64) float64 { return plotHeight - v/s.hi*plotHeight }

// An answer is what an acknowledgement tells the sender.
type answer struct {
	at     time.Duration
	ack    float64
	window float64 // the right edge of the window
	packet *Packet
}

// acknowledgements are those that reached the sender, in the order in which they did.
func (s *sequence) acknowledgements() (list []answer) {
	for _, i := range s.f.Packets {
		p := &s.a.Packets[i]
		if p.Dir == s.dir || p.Fate.Dropped() || p.Segment.Flags&trace.ACK == 0 || p.Segment.Flags&trace.RST != 0 {
			continue
		}
		if to := s.f.Nodes[s.dir]; to != "" && p.To != "" && p.To != to {
			continue // it is still on its way
		}
		list = append(list, answer{p.arrival(), float64(p.Ack), float64(p.Ack) + float64(p.Window), p})
	}
	slices.SortStableFunc(list, func(x, y answer) int { return cmp.Compare(x.at, y.at) })
	return list
}

// plot draws the diagram itself.
func (s *sequence) plot() {
	acks := s.acknowledgements()
	edge := "window edge"
	if len(acks) > 0 && slices.MinFunc(acks, func(x, y answer) int { return cmp.Compare(x.window, y.window) }).window > s.hi {
		edge += " (above)"
	}
	s.legend([]key{{"d0 bar", "segment"}, {"retransmission bar", "retransmission"}, {"lost dot", "dropped"},
		{"sack", "SACK"}, {"ack", "acknowledged"}, {"win", edge}, {"axis mark", "SYN, FIN, RST"}}, plotTop-14)
	s.grid(ticks(0, s.hi, 8, bytesLabel), plotTop, plotHeight, s.hi, "yticks")
	s.printf("<g class=\"xticks\" data-top=\"%s\">", num(plotTop))
	for _, t := range s.time.ticks() {
		s.line("grid", plotLeft+s.x(t.at), plotTop, plotLeft+s.x(t.at), plotTop+plotHeight)
	}
	s.WriteString("</g>\n")
	s.begin("main", plotTop, plotHeight)
	s.steps("win", points(acks, func(e answer) float64 { return e.window }), s.y)
	s.steps("ack", points(acks, func(e answer) float64 { return e.ack }), s.y)
	s.sacks(acks)
	s.segments()
	s.end(plotTop, plotHeight)
}

func points(edges []answer, value func(answer) float64) []point {
	list := make([]point, len(edges))
	for i, e := range edges {
		list[i] = point{e.at, value(e)}
	}
	return list
}

// begin opens a part whose content a script can move and stretch.
func (s *sequence) begin(class string, top, height float64) {
	s.printf("<svg class=\"area %s\" x=\"%s\" y=\"%s\" width=\"%s\" height=\"%s\"><g class=\"z\">\n",
		class, num(plotLeft), num(top), num(plotWidth), num(height))
}

func (s *sequence) end(top, height float64) {
	s.WriteString("</g></svg>\n")
	s.printf("<path class=\"axis\" d=\"M%s,%sV%sH%s\"/>\n", num(plotLeft), num(top), num(top+height), num(plotLeft+plotWidth))
	s.silences(top, height)
}

// silences shows where the axis of time leaves something out.
func (s *sequence) silences(top, height float64) {
	s.WriteString("<g class=\"silences\">")
	for i, p := range s.time.pieces[1:] {
		x := plotLeft + (p.x0-silenceWidth/2)*plotWidth
		s.line("gap", x, top, x, top+height)
		if height == plotHeight {
			d := time.Duration((p.t0 - s.time.pieces[i].t1) * float64(time.Second))
			s.text("dim halo", x, top+14, "middle", "… "+span(d)+" …")
		}
	}
	s.WriteString("</g>\n")
}

// segments draws a bar for each segment.
func (s *sequence) segments() {
	var last struct{ x, y float64 }
	last.x = -1
	for _, i := range s.f.Packets {
		p := &s.a.Packets[i]
		if p.Dir != s.dir || p.Previous >= 0 {
			continue
		}
		x, y1, y2 := s.x(p.At.Seconds()), s.y(float64(p.Start)), s.y(float64(p.End))
		if p.End > p.Start {
			plain := p.Fate == 0 && p.Notes == 0
			if s.thin && plain && math.Abs(x-last.x) < same && math.Abs(y2-last.y) < same {
				continue
			}
			last.x, last.y = x, y2
			s.drawn++
			class := "d0"
			if p.Notes&Retransmission != 0 {
				class = "retransmission"
			}
			s.printf("<path class=\"bar %s\" data-i=\"%d\" d=\"M%s,%sV%s\"/>\n", class, p.Index, fine(x), fine(y1), fine(y2))
		}
		s.marks(p, x, y1, y2)
	}
}

// marks draws what is remarkable about a segment.
func (s *sequence) marks(p *Packet, x, y1, y2 float64) {
	if p.Segment.Flags&(trace.SYN|trace.FIN|trace.RST) != 0 {
		s.printf("<path class=\"axis mark\" d=\"M%s,%sh0\"/>\n", fine(x), fine(y2))
	}
	if p.Fate.Dropped() || p.Notes&LostLater != 0 {
		s.printf("<path class=\"lost dot\" data-i=\"%d\" d=\"M%s,%sh0\"/>\n", p.Index, fine(x), fine((y1+y2)/2))
	}
}

// sacks draws the blocks of selective acknowledgements.
func (s *sequence) sacks(acks []answer) {
	drawn := 0
	for _, e := range acks {
		o := &e.packet.Segment.Options
		for _, b := range o.SACK[:min(o.Blocks, len(o.SACK))] {
			if drawn++; drawn > sequenceBars {
				return
			}
			from := unwrap(e.packet.Ack, b[0])
			to := unwrap(from, b[1])
			s.printf("<path class=\"sack\" d=\"M%s,%sV%s\"/>\n", fine(s.x(e.at.Seconds())), fine(s.y(float64(from))), fine(s.y(float64(to))))
		}
	}
}

// steps draws values that each hold until the next one. Of those that fall on one place only the
// last is drawn.
func (s *sequence) steps(class string, list []point, y func(float64) float64) {
	if len(list) == 0 {
		return
	}
	s.printf("<path class=%q d=\"M%s,%s", class, fine(s.x(list[0].at.Seconds())), fine(y(list[0].v)))
	x, v := s.x(list[0].at.Seconds()), list[0].v
	for i, p := range list[1:] {
		next := s.x(p.at.Seconds())
		last := i == len(list)-2
		if p.v == v && !last || s.thin && !last && next-x < same && math.Abs(y(p.v)-y(v)) < same {
			continue
		}
		s.printf("H%sV%s", fine(next), fine(y(p.v)))
		x, v = next, p.v
	}
	s.WriteString("\"/>\n")
}

// A key explains a kind of line.
type key struct{ class, name string }

// legend explains the lines in one row.
func (s *sequence) legend(keys []key, y float64) {
	x := plotLeft
	for _, k := range keys {
		d := "h18"
		if k.class == "lost dot" || k.class == "axis mark" {
			d = "m9,0h0"
		}
		s.printf("<path class=%q d=\"M%s,%s%s\"/>\n", k.class, num(x), num(y-4), d)
		s.text("dim", x+24, y, "start", k.name)
		x += 24 + width(k.name) + 18
	}
}

// grid draws the marks of the axis of values.
func (s *sequence) grid(marks []tick, top, height, hi float64, class string) {
	s.printf("<g class=%q data-top=\"%s\">", class, num(top))
	for _, t := range marks {
		y := top + height - t.at/hi*height
		s.line("grid", plotLeft, y, plotLeft+plotWidth, y)
		s.text("dim", plotLeft-8, y+4, "end", t.label)
	}
	s.WriteString("</g>\n")
}

// timeAxis labels the axis of time, below all panels.
func (s *sequence) timeAxis(y float64) {
	s.printf("<g class=\"times\" data-y=\"%s\">", num(y+18))
	for _, t := range s.time.ticks() {
		s.text("dim", plotLeft+s.x(t.at), y+18, "middle", t.label)
	}
	s.WriteString("</g>\n")
}
