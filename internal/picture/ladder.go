package picture

import (
	"fmt"
	"io"
	"strings"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/tun"
)

// ladderPackets is how many packets a ladder shows at most.
const ladderPackets = 2000

// Measures of ladders.
const (
	columnWidth  = 250.0
	ladderTop    = 64.0
	marginLeast  = 60.0
	headWidth    = 7.0 // of an arrow
	headHeight   = 3.5
	lostInTheAir = 0.62 // part of the way after which a packet is lost
	lostAtQueue  = 0.25 // the same for what never leaves
)

// WriteLadder writes the ladder diagram of a connection as an SVG: a column for each node, and an
// arrow for each packet, from the moment at which it was sent to that at which it arrived. With -1
// it is the diagram of all packets. Of too many packets it shows a part, and says so.
func (a *Analysis) WriteLadder(w io.Writer, flow int) error {
	return a.ladder(flow, ladderPackets, true).writeTo(w)
}

// A ladder is a ladder diagram under way.
type ladder struct {
	svg
	*layout
	left  float64 // width of the margins, in which the labels of the outer columns stand
	right float64
	ports bool
	flow  int
}

func (a *Analysis) ladder(flow, most int, alone bool) *svg {
	l := &ladder{layout: a.layOut(a.packetsOf(flow), most), flow: flow, ports: flow < 0 && len(a.Flows) > 1}
	l.measure()
	width := l.left + columnWidth*float64(max(0, len(l.columns)-1)) + l.right
	l.open(width, l.height+48, "ladder", "", alone)
	l.text("title", 12, 20, "start", a.title(flow))
	l.text("dim", 12, 36, "start", l.remark())
	l.lifelines()
	for k := range l.list {
		l.arrow(k)
	}
	l.close()
	return &l.svg
}

// title says what a picture shows.
func (a *Analysis) title(flow int) string {
	list := a.packetsOf(flow)
	if flow < 0 {
		return fmt.Sprintf("%s of %s", count(len(list), "packet"), count(len(a.Recording.Nodes), "node"))
	}
	f := a.Flows[flow]
	return fmt.Sprintf("%s ↔ %s: %s, %d lost, %s",
		a.endName(f, 0), a.endName(f, 1), count(len(list), "packet"), f.Lost, count(f.Resent, "retransmission"))
}

// endName names an end of a connection, with its node where that is known by a name of its own.
func (a *Analysis) endName(f *Flow, end int) string {
	address := f.Ends[end].String()
	if node := f.Nodes[end]; node != "" && node != f.Ends[end].Addr().String() {
		return clean(node, 40) + " " + address
	}
	return address
}

// count is a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return thousands(uint64(n)) + " " + noun + "s"
}

// thousands writes a number with commas.
func thousands(n uint64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// remark says what the picture leaves out.
func (l *ladder) remark() string {
	var words []string
	if left := l.whole - len(l.list); left > 0 {
		words = append(words, fmt.Sprintf("%s of %s shown: the first, the last, and remarkable ones between",
			thousands(uint64(len(l.list))), count(l.whole, "packet")))
	}
	if left := l.a.Recording.Left.Packets; left > 0 {
		words = append(words, fmt.Sprintf("%s more weren't recorded", thousands(left)))
	}
	if !l.a.Arrivals && len(l.list) > 0 {
		words = append(words, "the slope of arrows has no meaning: the file doesn't know when packets arrived")
	}
	return strings.Join(words, "; ")
}

// measure makes room for the labels.
func (l *ladder) measure() {
	l.left, l.right = marginLeast, marginLeast
	for k := range l.list {
		text, notes := l.label(k)
		room := width(text+notes) + 24
		switch l.lane(k) {
		case laneLeft:
			l.left = max(l.left, room)
		case laneRight:
			l.right = max(l.right, room)
		}
	}
	if len(l.columns) == 1 {
		l.right = max(l.right, 200)
	}
	l.left = max(l.left, 120)
}

// x is where the lifeline of a column is.
func (l *ladder) x(column int) float64 { return l.left + columnWidth*float64(column) }

// lifelines draws the columns, interrupted where time was left out.
func (l *ladder) lifelines() {
	for i, name := range l.columns {
		x, y := l.x(i), ladderTop
		l.text("title", x, ladderTop-10, "middle", clean(name, 30))
		for _, b := range l.breaks {
			l.line("life", x, y, x, b.y-breakHeight/3)
			l.line("life", x-6, b.y-breakHeight/3+3, x+6, b.y-breakHeight/3-3)
			l.line("gap", x, b.y-breakHeight/3, x, b.y+breakHeight/3)
			l.line("life", x-6, b.y+breakHeight/3+3, x+6, b.y+breakHeight/3-3)
			y = b.y + breakHeight/3
		}
		l.line("life", x, y, x, l.height)
		if l.height > 600 {
			l.text("title", x, l.height+18, "middle", clean(name, 30))
		}
	}
	for _, b := range l.breaks {
		middle := (l.x(0) + l.x(len(l.columns)-1)) / 2
		if len(l.columns) == 1 {
			middle += columnWidth / 2
		}
		l.text("dim halo", middle, b.y+4, "middle", b.text)
	}
	if len(l.list) == 0 {
		l.text("dim", 12, ladderTop+20, "start", "There is no packet.")
	}
}

// label is the text of an arrow, and what is remarkable about its packet. A packet that a router
// has sent on is labelled on its first hop.
func (l *ladder) label(k int) (text, notes string) {
	p := l.packet(k)
	if list := p.notes(); len(list) > 0 {
		notes = " " + strings.Join(list, ", ")
	}
	if p.Previous >= 0 && l.shown[p.Previous] {
		if p.Fate == 0 {
			return "", ""
		}
		return clock(p.At, l.digits), notes
	}
	return clock(p.At, l.digits) + " " + short(p, l.ports), notes
}

// short is the line of a packet without the options of TCP.
func short(p *Packet, ports bool) string {
	if p.Kind != trace.TCP {
		return clean(p.Line, 70)
	}
	s := p.Segment
	s.Options = trace.Options{WS: -1}
	line := string(trace.AppendSegment(nil, s, p.Window))
	if ports {
		line = fmt.Sprintf("%d>%d %s", p.Source.Port(), p.Dest.Port(), line)
	}
	return line
}

// classes are the classes of a packet's arrow or bar.
func (p *Packet) classes() string {
	c := fmt.Sprintf("d%d", p.Dir)
	if p.Notes&Retransmission != 0 {
		c += " retransmission"
	}
	if p.Fate.Dropped() {
		c += " lost"
	}
	if p.Fate&tun.Corrupted != 0 {
		c += " changed"
	}
	return c
}

// arrow draws a packet.
func (l *ladder) arrow(k int) {
	p := l.packet(k)
	x1, x2 := l.ends(p)
	y1, y2 := l.sent[k], l.arrived[k]
	l.printf("<g class=\"p %s\" data-i=\"%d\"><title>%s</title>", p.classes(), p.Index, esc(p.tooltip()))
	var path string
	if p.Fate.Dropped() {
		part := lostAtQueue
		if p.Fate&tun.Lost != 0 {
			part = lostInTheAir
		}
		x2, y2 = x1+part*(x2-x1), y1+part*(y2-y1)
		path = cross(x1, y1, x2, y2)
	} else {
		path = arrow(x1, y1, x2, y2)
		if p.Fate&tun.Duplicated != 0 {
			path += arrow(x1, y1, x2, y2+8)
		}
	}
	l.printf("<path class=\"hit\" d=\"M%s,%sL%s,%s\"/><path d=\"%s\"/>", num(x1), num(y1), num(x2), num(y2), path)
	l.labelAt(k, x1, y1, x2 > x1)
	l.WriteString("</g>\n")
}

// ends are where an arrow begins and where it ends. One to an unknown node is short.
func (l *ladder) ends(p *Packet) (x1, x2 float64) {
	from := l.place[p.From]
	to, ok := l.place[p.To]
	x1 = l.x(from)
	if !ok || p.To == "" || to == from {
		if from > 0 {
			return x1, x1 - 0.4*columnWidth
		}
		return x1, x1 + 0.4*columnWidth
	}
	return x1, l.x(to)
}

// labelAt writes the label of an arrow beside its beginning.
func (l *ladder) labelAt(k int, x, y float64, rightward bool) {
	text, notes := l.label(k)
	if text == "" {
		return
	}
	class, anchor, dx := "halo", "start", 10.0
	switch lane := l.lane(k); {
	case lane == laneLeft:
		anchor, dx = "end", -10
	case lane == laneRight:
	default: // between two lifelines, on the side that the arrow leaves free
		if rightward {
			anchor, dx = "end", -10
		}
		room := (columnWidth - 20 - width(notes)) / charWidth
		text = clean(text, max(8, int(room)))
	}
	if notes != "" {
		notes = fmt.Sprintf("<tspan class=\"note\">%s</tspan>", esc(notes))
	}
	l.printf("<text class=%q x=\"%s\" y=\"%s\" text-anchor=%q>%s%s</text>", class, num(x+dx), num(y+4), anchor, esc(text), notes)
}

// tooltip is all that is known of a packet in a few lines.
func (p *Packet) tooltip() string {
	words := fmt.Sprintf("%d: %s %s → %s %s", p.Index+1, clock(p.At, 6), clean(p.From, 40), clean(p.To, 40), clean(p.Line, 200))
	if p.Arrived >= 0 {
		words += fmt.Sprintf(" arrived %s", clock(p.Arrived, 6))
	}
	if notes := p.notes(); len(notes) > 0 {
		words += " (" + strings.Join(notes, ", ") + ")"
	}
	return words
}
