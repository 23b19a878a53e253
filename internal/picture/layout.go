package picture

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// Measures of the time axis of a ladder, which runs down.
const (
	lineHeight   = 14.0 // the least distance between two labels
	arrivalSpace = 9.0  // the least distance between two arrivals at a node
	flightHeight = 34.0 // how far an arrow of the usual delay goes down
	breakHeight  = 42.0 // what stands for a long silence
	longest      = 84.0 // a silence that would be longer is a break …
	longestWait  = 252  // … and so is a wait for a packet that is on its way
	nominalSlope = 10.0 // how far an arrow goes down whose arrival isn't known
)

// A breakMark is a place where the time axis leaves something out.
type breakMark struct {
	y    float64
	text string
}

// A layout says where the packets of a ladder are.
type layout struct {
	a       *Analysis
	whole   int   // how many packets there are
	list    []int // indexes of those that are shown
	shown   map[int]bool
	missing []int // how many were left out before each of them
	columns []string
	place   map[string]int // column by node

	sent    []float64 // where the arrow of each begins, downwards
	arrived []float64 // where it ends
	breaks  []breakMark
	height  float64
	digits  int // decimals of times in labels
}

// A moment is one end of an arrow.
type moment struct {
	at      time.Duration
	k       int  // which packet of the list
	arrival bool // the packet has arrived
}

// layOut chooses the packets of a ladder, and their places.
func (a *Analysis) layOut(whole []int, most int) *layout {
	l := &layout{a: a, whole: len(whole), list: a.thin(whole, most), shown: map[int]bool{}}
	l.missing = gaps(whole, l.list)
	for _, i := range l.list {
		l.shown[i] = true
	}
	nodes := a.columns(l.list)
	if len(nodes) == 0 {
		nodes = a.Recording.Nodes
	}
	if len(nodes) == 0 {
		nodes = []string{"nobody"}
	}
	l.columns, l.place = fold(nodes)
	l.sent, l.arrived = make([]float64, len(l.list)), make([]float64, len(l.list))
	l.walk()
	return l
}

func (l *layout) packet(k int) *Packet { return &l.a.Packets[l.list[k]] }

// moments are the ends of all arrows in the order of time. Of those at one time, the arrival of a
// packet comes before what was sent after that packet.
func (l *layout) moments() []moment {
	var list []moment
	for k := range l.list {
		p := l.packet(k)
		list = append(list, moment{at: p.At, k: k})
		if p.Arrived >= 0 && !p.Fate.Dropped() {
			list = append(list, moment{at: max(p.Arrived, p.At), k: k, arrival: true})
		}
	}
	slices.SortStableFunc(list, func(x, y moment) int {
		return cmp.Or(cmp.Compare(x.at, y.at), cmp.Compare(x.k, y.k))
	})
	return list
}

// scale is how many units a second is.
func (l *layout) scale(moments []moment) float64 {
	var delays, pauses []time.Duration
	for k := range l.list {
		if p := l.packet(k); p.Arrived > p.At {
			delays = append(delays, p.Arrived-p.At)
		}
	}
	for i := 1; i < len(moments); i++ {
		if d := moments[i].at - moments[i-1].at; d > 0 {
			pauses = append(pauses, d)
		}
	}
	l.digits = 3
	if m := median(pauses); m > 0 && m < time.Millisecond {
		l.digits = 6
	}
	if d := median(delays); d > 0 {
		return flightHeight / d.Seconds()
	}
	if d := median(pauses); d > 0 {
		return lineHeight / d.Seconds()
	}
	return 1
}

func median(list []time.Duration) time.Duration {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return list[len(list)/2]
}

// walk goes through time, and gives each moment its place.
func (l *layout) walk() {
	moments := l.moments()
	scale := l.scale(moments)
	y := ladderTop + 8
	last := map[any]float64{} // the place of the latest label or arrival, by lane or node
	flying := 0               // how many packets are on their way
	for i, m := range moments {
		if i > 0 {
			y = l.pass(y, m.at-moments[i-1].at, scale, flying > 0)
		}
		if missing := l.missing[m.k]; missing > 0 && !m.arrival {
			y = l.skip(y, count(missing, "packet")+" not shown")
		}
		p := l.packet(m.k)
		var lane any = l.lane(m.k)
		space := lineHeight
		if m.arrival {
			flying--
			lane, space = p.To, arrivalSpace
		} else if p.Arrived >= 0 && !p.Fate.Dropped() {
			flying++
		}
		if before, ok := last[lane]; ok {
			y = max(y, before+space)
		}
		last[lane] = y
		if m.arrival {
			l.arrived[m.k] = y
		} else {
			l.sent[m.k] = y
			l.arrived[m.k] = y + l.nominal(p)
		}
	}
	l.height = y + 24
	for _, y := range l.arrived {
		l.height = max(l.height, y+16)
	}
}

// nominal is how far an arrow goes down that never arrives.
func (l *layout) nominal(p *Packet) float64 {
	if p.Fate.Dropped() && l.a.Arrivals {
		return flightHeight
	}
	return nominalSlope
}

// pass lets time pass. A long silence is a break.
func (l *layout) pass(y float64, d time.Duration, scale float64, flying bool) float64 {
	most := longest
	if flying {
		most = longestWait
	}
	units := d.Seconds() * scale
	if units <= most || math.IsNaN(units) {
		return y + max(units, 0)
	}
	return l.skip(y, "… "+span(d)+" …")
}

// skip makes a break with a text in it. Two breaks at one place are one.
func (l *layout) skip(y float64, text string) float64 {
	if n := len(l.breaks); n > 0 && y-l.breaks[n-1].y < breakHeight*0.6 {
		l.breaks[n-1].text = fmt.Sprintf("%s %s", l.breaks[n-1].text, text)
		return y
	}
	l.breaks = append(l.breaks, breakMark{y + breakHeight/2, text})
	return y + breakHeight
}

// A lane is where the labels of a column stand: those of a lane must not lie upon each other.
type lane int

// The lanes of the outer columns; those of the others are their numbers.
const (
	laneLeft  lane = 0
	laneRight lane = -1
)

// lane is the lane of a packet's label.
func (l *layout) lane(k int) lane {
	switch c := l.place[l.packet(k).From]; {
	case c == 0:
		return laneLeft
	case c == len(l.columns)-1:
		return laneRight
	default:
		return lane(c)
	}
}
