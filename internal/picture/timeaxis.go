package picture

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// A timeAxis maps times to places between 0 and 1. Long silences are left out, which the diagram
// shows: what is between them shares the axis by its length.
type timeAxis struct {
	pieces []piece // in the order of time; at least one
}

// A piece is a part of the axis, in seconds.
type piece struct {
	t0, t1 float64
	x0, x1 float64
}

// Silences of an axis.
const (
	silenceShare = 0.2  // a pause longer than this part of the whole may be left out
	silenceWidth = 0.04 // what is left of the axis for each
	maxSilences  = 8
)

// newTimeAxis makes the axis for moments at which something happens.
func newTimeAxis(moments []time.Duration) timeAxis {
	slices.Sort(moments)
	first, last := moments[0].Seconds(), moments[len(moments)-1].Seconds()
	cuts := silences(moments)
	busy := last - first
	for _, c := range cuts {
		busy -= c[1] - c[0]
	}
	room := max(busy*0.02, 1e-6)
	var a timeAxis
	t := first - room
	for _, c := range cuts {
		a.pieces = append(a.pieces, piece{t0: t, t1: c[0] + room})
		t = c[1] - room
	}
	a.pieces = append(a.pieces, piece{t0: t, t1: last + room})
	whole := 0.0
	for _, p := range a.pieces {
		whole += p.t1 - p.t0
	}
	width := 1 - silenceWidth*float64(len(cuts))
	x := 0.0
	for i := range a.pieces {
		p := &a.pieces[i]
		p.x0, p.x1 = x, x+(p.t1-p.t0)/whole*width
		x = p.x1 + silenceWidth
	}
	return a
}

// silences are the pauses that the axis leaves out, in the order of time: the longest ones, each of
// which is a good part of what is left without those that are longer.
func silences(moments []time.Duration) (cuts [][2]float64) {
	var pauses [][2]float64
	for i := 1; i < len(moments); i++ {
		if d := moments[i] - moments[i-1]; d > 0 {
			pauses = append(pauses, [2]float64{moments[i-1].Seconds(), moments[i].Seconds()})
		}
	}
	slices.SortStableFunc(pauses, func(a, b [2]float64) int { return cmp.Compare(b[1]-b[0], a[1]-a[0]) })
	left := (moments[len(moments)-1] - moments[0]).Seconds()
	// Where nothing but pauses is left, they are the picture.
	if len(pauses) < 8 {
		return nil
	}
	for _, p := range pauses[:min(len(pauses), maxSilences)] {
		d := p[1] - p[0]
		if d < silenceShare*left || left-d <= 0 {
			break
		}
		left -= d
		cuts = append(cuts, p)
	}
	slices.SortFunc(cuts, func(a, b [2]float64) int { return cmp.Compare(a[0], b[0]) })
	return cuts
}

// place is the place of a time in seconds.
func (a *timeAxis) place(t float64) float64 {
	for i, p := range a.pieces {
		if t <= p.t1 || i == len(a.pieces)-1 {
			if t < p.t0 && i > 0 { // in a silence
				before := a.pieces[i-1]
				return before.x1 + (t-before.t1)/(p.t0-before.t1)*(p.x0-before.x1)
			}
			return p.x0 + (t-p.t0)/(p.t1-p.t0)*(p.x1-p.x0)
		}
	}
	return 0
}

// ticks are the marks of the axis; each piece has some that fit into it.
func (a *timeAxis) ticks() (list []tick) {
	for _, p := range a.pieces {
		most := int((p.x1 - p.x0) * 9)
		if most < 1 {
			continue
		}
		list = append(list, ticks(p.t0, p.t1, most, secondsLabel)...)
	}
	return list
}

// data is the axis for a script: the numbers of the pieces.
func (a *timeAxis) data() string {
	text := ""
	for i, p := range a.pieces {
		if i > 0 {
			text += " "
		}
		text += fmt.Sprintf("%g,%g,%g,%g", p.t0, p.t1, p.x0, p.x1)
	}
	return text
}

// end is the last time of the axis, in seconds.
func (a *timeAxis) end() float64 { return a.pieces[len(a.pieces)-1].t1 }
