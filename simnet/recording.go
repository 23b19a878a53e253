package simnet

import (
	"slices"
	"time"

	"github.com/wsstack/wsstack/internal/record"
	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/tun"
)

// bounds are how much a Recording holds.
type bounds struct {
	packets int // the latest ones
	ends    int // the first ones
	samples int // of one end
	all     int // samples of all ends together
	few     int // so many samples of an end stay when there are too many of all ends
}

var recordingBounds = bounds{packets: 1 << 16, ends: 1 << 12, samples: 1 << 14, all: 1 << 19, few: 64}

// What a Recording has.
type (
	// A Connection is one end of a TCP connection, as its host sees it.
	Connection = record.Connection
	// A Sample is the state of one end of a connection right after something has happened.
	Sample = record.Sample
	// An Event says what a Sample was taken after.
	Event = record.Event
	// A RecordedPacket is one packet on its way from one node to the next.
	RecordedPacket = record.Packet
)

// The Events of Samples.
const (
	EventSent     = record.Sent     // segments were sent, by a call
	EventReceived = record.Received // a segment was received; what it lets out is sent
	EventTimer    = record.Timer    // a timer has fired; what is due is sent
	EventState    = record.State    // the state has changed, or the recording has begun
	EventOption   = record.Option   // an option of the socket has changed
)

// Never is the Arrived of a RecordedPacket that hasn't arrived.
const Never = record.Never

// A Recording has what happens in a network from Network.Record to Stop: every packet, and every
// end of a TCP connection on every host, with a Sample for each change. It may be looked at and
// written while it goes on, and after Close of the network. The methods are safe for concurrent
// use.
//
// A Recording holds the latest 65,536 packets, of each the headers, and 4,096 ends of connections
// with 16,384 Samples each, 524,288 in all. Beyond the last two bounds Samples are thinned out:
// every second one goes, but for those of a change of state or option, so that what is new is there
// in full, and what is old is coarse. Left says how much isn't there.
type Recording struct {
	n      *Network
	bounds bounds
	begun  time.Time // when the network was made, on the wall clock

	// The fields below are guarded by n.records.mu.
	first   uint64          // the tag of the first packet
	total   uint64          // how many packets there were
	packets []record.Packet // a ring of the latest ones
	ends    []*recordedEnd  // in the order in which they were seen
	byTrack map[*track]*recordedEnd
	samples int    // of all ends
	leftOut uint64 // samples
}

// A recordedEnd is a Connection of a Recording.
type recordedEnd struct{ record.Connection }

// Record begins a recording, in which the connections that there are and hosts that are made later
// are as well. It works in every mode of the network, and several recordings may go on at once.
// Where nobody records, packets and connections cost nothing more. Record isn't called inside of a
// Filter, which runs while a connection is locked.
func (n *Network) Record() *Recording {
	r := &Recording{n: n, bounds: recordingBounds, begun: n.wall.Now().Add(-n.now()), byTrack: map[*track]*recordedEnd{}}
	w := &n.records
	w.hooking.Lock()
	defer w.hooking.Unlock()
	w.mu.Lock()
	w.active = append(w.active, r)
	w.some.Store(true)
	w.mu.Unlock()
	for _, h := range n.hostList() {
		w.hook(h)
	}
	return r
}

// Stop ends the recording. What was recorded stays. A packet that is on its way counts as one that
// never arrived.
func (r *Recording) Stop() {
	w := &r.n.records
	w.hooking.Lock()
	defer w.hooking.Unlock()
	w.mu.Lock()
	w.active = slices.DeleteFunc(w.active, func(o *Recording) bool { return o == r })
	r.byTrack = nil
	last := len(w.active) == 0
	w.some.Store(!last)
	w.mu.Unlock()
	if !last {
		return
	}
	for _, h := range r.n.hostList() {
		socket.HostOf(h.Stack).TCP().Record(nil)
	}
}

// hostList returns the hosts, oldest first.
func (n *Network) hostList() []*Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.hosts
}

// Packets returns the packets by the time at which they were sent. One that is forwarded is there
// once for each link.
func (r *Recording) Packets() []RecordedPacket { return r.snapshot().Packets }

// Connections returns the ends of connections, by the time at which they were made or first seen.
func (r *Recording) Connections() []Connection { return r.snapshot().Connections }

// Left is how many packets and samples aren't there because a bound was reached.
func (r *Recording) Left() (packets, samples uint64) {
	w := &r.n.records
	w.mu.Lock()
	defer w.mu.Unlock()
	left := r.leftLocked()
	return left.Packets, left.Samples
}

func (r *Recording) leftLocked() record.Left {
	return record.Left{Packets: r.total - uint64(len(r.packets)), Samples: r.leftOut}
}

// snapshot returns what there is, as a copy.
func (r *Recording) snapshot() *record.Recording {
	s := &record.Recording{}
	for _, h := range r.n.hostList() {
		s.Nodes = append(s.Nodes, h.name)
	}
	w := &r.n.records
	w.mu.Lock()
	defer w.mu.Unlock()
	s.Left = r.leftLocked()
	oldest := 0
	if len(r.packets) == r.bounds.packets {
		oldest = int(r.total % uint64(len(r.packets)))
	}
	s.Packets = slices.Concat(r.packets[oldest:], r.packets[:oldest])
	for _, e := range r.ends {
		c := e.Connection
		c.Samples = slices.Clone(c.Samples)
		s.Connections = append(s.Connections, c)
	}
	slices.SortStableFunc(s.Connections, func(a, b record.Connection) int { return int(a.Opened - b.Opened) })
	for i := range s.Packets {
		for _, name := range [...]string{s.Packets[i].From, s.Packets[i].To} {
			if name != "" && !slices.Contains(s.Nodes, name) {
				s.Nodes = append(s.Nodes, name)
			}
		}
	}
	return s
}

// addLocked records a packet, which has a tag one above that of the packet before.
func (r *Recording) addLocked(tag uint64, p *record.Packet) {
	if r.total == 0 {
		r.first = tag
	}
	r.total++
	if len(r.packets) < r.bounds.packets {
		r.packets = append(r.packets, *p)
		return
	}
	*r.slot(tag) = *p
}

// slot is where the packet with a tag is, or would be.
func (r *Recording) slot(tag uint64) *record.Packet {
	return &r.packets[(tag-r.first)%uint64(r.bounds.packets)]
}

// packetLocked is the packet with a tag; nil: it isn't there, or not any more.
func (r *Recording) packetLocked(tag uint64) *record.Packet {
	age := r.total - (tag - r.first) // 1 is that of the latest packet
	if age == 0 || age > uint64(len(r.packets)) {
		return nil
	}
	return r.slot(tag)
}

// arrivedLocked notes when the packet with a tag has reached the other node for the first time.
func (r *Recording) arrivedLocked(tag uint64, at time.Duration) {
	if p := r.packetLocked(tag); p != nil && p.Arrived == Never {
		p.Arrived = at
	}
}

// judgedLocked notes what a queue has done to the packet with a tag.
func (r *Recording) judgedLocked(tag uint64, at time.Duration, fate tun.Fate) {
	if p := r.packetLocked(tag); p != nil {
		p.Fate |= fate
		p.Comment = "after " + (at - p.At).String() + " in the queue"
	}
}

// sampleLocked records a Sample of a connection, if it is news to the Recording.
func (r *Recording) sampleLocked(t *track, s *Sample, changed bool) {
	e := r.byTrack[t]
	switch {
	case e != nil && !changed:
		return
	case e == nil && len(r.ends) >= r.bounds.ends:
		r.leftOut++
		return
	}
	s.Event = t.event
	if e == nil {
		e = &recordedEnd{record.Connection{Host: t.host, Local: t.local, Remote: t.remote, Opened: t.opened}}
		r.byTrack[t] = e
		r.ends = append(r.ends, e)
		if s.Option == "" {
			s.Event = EventState
		}
	}
	if len(e.Samples) >= r.bounds.samples {
		r.thinLocked(e)
	}
	if r.samples >= r.bounds.all {
		for _, e := range r.ends {
			if len(e.Samples) > r.bounds.few {
				r.thinLocked(e)
			}
		}
	}
	e.Samples = append(e.Samples, *s)
	r.samples++
}

// thinLocked takes out every second Sample of an end, but for those of a change of state or option.
// Where these are most of what there is, every second one of them goes as well.
func (r *Recording) thinLocked(e *recordedEnd) {
	before := len(e.Samples)
	e.Samples = thin(e.Samples, func(s *Sample) bool { return s.Event == EventState || s.Event == EventOption })
	if len(e.Samples) > before*3/4 {
		e.Samples = thin(e.Samples, func(*Sample) bool { return false })
	}
	gone := before - len(e.Samples)
	r.samples -= gone
	r.leftOut += uint64(gone)
}

// thin takes out every second Sample that isn't to be kept. The first and the last one stay.
func thin(samples []Sample, keep func(*Sample) bool) []Sample {
	kept, odd := samples[:0], false
	for i := range samples {
		if i > 0 && i < len(samples)-1 && !keep(&samples[i]) {
			if odd = !odd; odd {
				continue
			}
		}
		kept = append(kept, samples[i])
	}
	clear(samples[len(kept):])
	return kept
}
