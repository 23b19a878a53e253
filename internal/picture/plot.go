package picture

import (
	"io"
	"math"
	"strings"
)

// A Plot is lines over an axis of powers of ten, such as numbers of connections. It takes no text
// that is longer than it is wide.
type Plot struct {
	Title string // what the values are, with their unit
	X     string // what the axis below has
	Log   bool   // the axis of values has powers of ten as well; a value of 0 isn't drawn there
	Lines []Line // three have colours of their own
}

// A Line is what a Plot has of one contender.
type Line struct {
	Name   string
	Points [][2]float64 // x, above 0, and the value, from 0 on; in the order of x
}

// The places of a Plot.
const (
	chartLeft, chartTop     = 52.0, 58.0
	chartWidth, chartHeight = 330.0, 160.0
	chartRight, chartBottom = 20.0, 44.0
)

// lineColours are the classes of lines.
var lineColours = []string{"d0", "retransmission", "d1"}

// Write writes the plot as an SVG that stands alone.
func (p *Plot) Write(w io.Writer) error {
	var s svg
	s.open(chartLeft+chartWidth+chartRight, chartTop+chartHeight+chartBottom, "plot", "", true)
	s.text("title", 12, 22, "start", p.Title)
	x, y := p.axis(0, true), p.axis(1, p.Log)
	across := func(v float64) float64 { return chartLeft + x.place(v)*chartWidth }
	up := func(v float64) float64 { return chartTop + (1-y.place(v))*chartHeight }
	for _, t := range x.marks() {
		s.line("grid", across(t.at), chartTop, across(t.at), chartTop+chartHeight)
		s.text("dim", across(t.at), chartTop+chartHeight+16, "middle", t.label)
	}
	for _, t := range y.marks() {
		s.line("grid", chartLeft, up(t.at), chartLeft+chartWidth, up(t.at))
		s.text("dim", chartLeft-6, up(t.at)+4, "end", t.label)
	}
	s.text("dim", chartLeft+chartWidth/2, chartTop+chartHeight+34, "middle", p.X)
	key := chartLeft
	for i, l := range p.Lines {
		class := lineColours[i%len(lineColours)]
		s.printf("<path class=\"bar %s\" d=\"%sh18\"/>\n", class, moveTo(key, chartTop-16))
		s.text("dim", key+24, chartTop-12, "start", l.Name)
		key += 24 + width(l.Name) + 18
		var path, dots strings.Builder
		draw := moveTo
		for _, v := range l.Points {
			if p.Log && v[1] <= 0 {
				continue
			}
			path.WriteString(draw(across(v[0]), up(v[1])))
			dots.WriteString(moveTo(across(v[0]), up(v[1])) + "h0")
			draw = lineTo
		}
		s.printf("<path class=%q d=%q/>\n<path class=%q d=%q/>\n", class+" bar", path.String(), class+" mark", dots.String())
	}
	s.close()
	return s.writeTo(w)
}

// An axis maps values to places between 0 and 1.
type axis struct {
	lo, hi float64
	log    bool
}

// axis is the one for x, 0, or for the values, 1.
func (p *Plot) axis(of int, log bool) axis {
	a := axis{lo: math.Inf(1), log: log}
	for _, l := range p.Lines {
		for _, v := range l.Points {
			if v[of] > 0 {
				a.lo, a.hi = min(a.lo, v[of]), max(a.hi, v[of])
			}
		}
	}
	switch {
	case a.hi == 0: // there is nothing
		a.lo, a.hi = 1, 10
	case log:
		a.lo = math.Pow(10, math.Floor(math.Log10(a.lo)+1e-9))
		a.hi = max(math.Pow(10, math.Ceil(math.Log10(a.hi)-1e-9)), 10*a.lo)
	default:
		a.lo, a.hi = 0, 1.05*a.hi
	}
	return a
}

func (a axis) place(v float64) float64 {
	if a.log {
		return math.Log10(v/a.lo) / math.Log10(a.hi/a.lo)
	}
	return (v - a.lo) / (a.hi - a.lo)
}

func (a axis) marks() (list []tick) {
	if !a.log {
		return ticks(a.lo, a.hi, 5, bytesLabel)
	}
	for v := a.lo; v <= 1.01*a.hi; v *= 10 {
		list = append(list, tick{v, bytesLabel(v, v)})
	}
	return list
}
