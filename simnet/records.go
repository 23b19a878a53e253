package simnet

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/internal/record"
	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/tcp"
	"github.com/wsstack/wsstack/internal/translate"
	"github.com/wsstack/wsstack/internal/transport"
	"github.com/wsstack/wsstack/tun"
)

// records are the recordings of a network that go on. What they record is told to them with links
// and connections locked, so that mu is a leaf, but for the clock's lock.
//
//	links ──▶ recorder ──────────────┐
//	                                 ├──▶ records ──▶ Recording, Recording, …
//	connections of each host ──▶ track
type records struct {
	hooking sync.Mutex  // one at a time begins or ends a recording; before all other locks
	some    atomic.Bool // somebody records

	mu     sync.Mutex // guards active and what is in the Recordings
	active []*Recording
}

// add records a packet that was sent.
func (w *records) add(tag uint64, at time.Duration, from, to string, data []byte, fate tun.Fate) {
	if !w.some.Load() {
		return
	}
	if to == nowhere {
		to = ""
	}
	p := record.Packet{At: at, Arrived: Never, From: from, To: to, Fate: fate, Size: len(data),
		Data: slices.Clone(data[:min(len(data), snapLength)])}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.active {
		r.addLocked(tag, &p)
	}
}

// arrived records that a packet has reached the node at the other end of its link.
func (w *records) arrived(tag uint64, n *Network) {
	if !w.some.Load() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.active {
		r.arrivedLocked(tag, n.now())
	}
}

// judged records what a queue has done to a packet that had to wait.
func (w *records) judged(tag uint64, at time.Duration, fate tun.Fate) {
	if !w.some.Load() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.active {
		r.judgedLocked(tag, at, fate)
	}
}

// hook has the connections of a host recorded, from now on and as they are now.
func (w *records) hook(h *Host) {
	socket.HostOf(h.Stack).TCP().Record(func(id transport.ID) transport.Log {
		return &track{
			n: h.n, host: h.name, opened: h.n.now(),
			local:  addrPort(id.Zone, id.LocalAddress, id.LocalPort),
			remote: addrPort(id.Zone, id.RemoteAddress, id.RemotePort),
		}
	})
}

// made has the connections of a new host recorded, if somebody records.
func (w *records) made(h *Host) {
	w.hooking.Lock()
	defer w.hooking.Unlock()
	if w.some.Load() {
		w.hook(h)
	}
}

func addrPort(nic tcpip.NICID, a tcpip.Address, port uint16) netip.AddrPort {
	return translate.AddrPort(tcpip.FullAddress{NIC: nic, Addr: a, Port: port})
}

// A track is the transport.Log of one end of a connection.
type track struct {
	n             *Network
	host          string
	local, remote netip.AddrPort
	opened        time.Duration

	// The fields below are guarded by n.records.mu.
	last  Sample // the last one, without time, event and option; the zero Sample: there was none
	event Event  // of the Sample that is being recorded
}

var _ transport.Log = (*track)(nil)

// Sample implements transport.Log.
func (t *track) Sample(c transport.Change) {
	w := &t.n.records
	w.mu.Lock()
	defer w.mu.Unlock()
	s := t.next(&c)
	t.event = eventOf(&c, s.State != t.last.State)
	t.recordLocked(s, c.Option)
}

// End implements transport.Log.
func (t *track) End() {
	w := &t.n.records
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := t.last; s.State != tcp.Closed.String() {
		s.State = tcp.Closed.String()
		t.event = EventState
		t.recordLocked(s, "")
	}
	for _, r := range w.active {
		delete(r.byTrack, t)
	}
}

// recordLocked gives a Sample to those who record.
func (t *track) recordLocked(s Sample, option string) {
	changed := s != t.last || option != ""
	t.last = s
	s.At, s.Option = t.n.now(), option
	for _, r := range t.n.records.active {
		r.sampleLocked(t, &s, changed)
	}
}

// eventOf is what a Sample was taken after.
func eventOf(c *transport.Change, newState bool) Event {
	switch {
	case c.Option != "":
		return EventOption
	case newState:
		return EventState
	case c.Causes&transport.TimerFired != 0:
		return EventTimer
	case c.Causes&transport.SegmentIn != 0:
		return EventReceived
	}
	return EventSent
}

// next makes a Sample of what a connection is like. What a connection doesn't know any more, once
// it is closed or a mere record of TIME-WAIT, is as it was.
func (t *track) next(c *transport.Change) Sample {
	s := t.last
	s.State = c.State.String()
	if c.Next == 0 && c.State == tcp.TimeWait {
		return s
	}
	s.SndUna, s.SndNxt, s.RcvNxt = unwrap(s.SndUna, c.Una), unwrap(s.SndNxt, c.Next), unwrap(s.RcvNxt, c.RcvNext)
	s.InFlight, s.Retransmissions = c.InFlight, c.Resent
	if c.State == tcp.Closed {
		return s
	}
	s.SendWindow, s.ReceiveWindow = c.SendWindow, c.ReceiveWindow
	s.CongestionWindow, s.SlowStartThreshold = c.Cwnd, c.Ssthresh
	s.SmoothedRTT, s.RTTVariance, s.RTO = c.SRTT, c.RTTVar, c.RTO
	return s
}

// unwrap is the number near the last one that has these low bits.
func unwrap(last uint64, low uint32) uint64 {
	if last == 0 {
		return uint64(low)
	}
	return uint64(int64(last) + int64(int32(low-uint32(last))))
}
