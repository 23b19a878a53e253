package nat

import (
	"net/netip"
	"slices"
	"time"
)

// The bounds of what is kept about fragments, for each direction by itself. When there is no room,
// the oldest packet goes.
const (
	fragmentTime  = 30 * time.Second // how long fragments of a packet may be apart; RFC 791 §3.2 has 15 s
	maxFragmented = 256              // packets of which a fragment was seen
	maxKept       = 64               // fragments that wait for the first one of their packet
)

// fragments are the packets of a direction of which a fragment was seen. Only the first fragment has
// the ports, so that the others go where it went; those that come before it wait (RFC 4787 REQ-14).
// Inside hosts whose packets have the same destination and identification at the same time get
// in each other's way there, as behind every translator.
type fragments struct {
	packets []*fragmented // the oldest first
	kept    int           // how many fragments wait
	waiting [][]byte      // the fragments that don't wait any more, translated
}

// A fragmented is a packet of which a fragment was seen.
type fragmented struct {
	key     fragmentKey
	until   time.Duration
	first   bool    // whether the first fragment was seen; then the fields below say what became of it
	verdict Verdict // of the first fragment
	from    netip.Addr
	to      netip.Addr
	kept    [][]byte // those that came before the first one
}

// A fragmentKey says which packet a fragment is of (RFC 791 §2.3).
type fragmentKey struct {
	source, destination netip.Addr
	protocol            Protocol
	id                  [2]byte
}

// Waiting returns the fragments that had the verdict Keep and whose first one has come now, with the
// verdict that it got. It is called after a packet passed or returned; the bytes are the caller's.
func (t *Table) Waiting() (list [][]byte) {
	for _, f := range [...]*fragments{&t.outbound, &t.inbound, &t.hairpin} {
		list = append(list, f.waiting...)
		f.waiting = nil
	}
	return list
}

// pass has f judge a packet or a first fragment, and does the same to the fragments behind it.
func (fs *fragments) pass(t *Table, v *view, b []byte, f func(*view) Verdict) Verdict {
	if v.whole() {
		return f(v)
	}
	fs.expire(t)
	p := fs.find(t, v)
	if v.offset() != 0 {
		return fs.later(t, p, v, b)
	}
	p.verdict, p.first = f(v), true
	p.from, p.to = v.address(source), v.address(destination)
	for _, k := range p.kept {
		later, _ := parse(k)
		if p.apply(t, &later) != Drop {
			fs.waiting = append(fs.waiting, k)
		}
	}
	fs.kept -= len(p.kept)
	p.kept = nil
	return p.verdict
}

// later judges a fragment that isn't a first one.
func (fs *fragments) later(t *Table, p *fragmented, v *view, b []byte) Verdict {
	switch {
	case v.protocol == TCP && v.offset() == 1: // it could overwrite the flags (RFC 1858)
		return drop(&t.stats.Fragments)
	case p.first:
		return p.apply(t, v)
	case fs.kept == maxKept:
		return drop(&t.stats.Fragments)
	}
	p.kept = append(p.kept, slices.Clone(b))
	fs.kept++
	return Keep
}

// apply does to a later fragment what was done to the first one.
func (p *fragmented) apply(t *Table, v *view) Verdict {
	if p.verdict == Drop || p.verdict == Return && !v.hop() {
		return drop(&t.stats.Fragments)
	}
	for _, s := range [...]struct {
		side
		address netip.Addr
	}{{source, p.from}, {destination, p.to}} {
		if v.address(s.side) != s.address {
			v.set(s.side, netip.AddrPortFrom(s.address, 0), false)
		}
	}
	return p.verdict
}

// find finds the packet of a fragment, or begins one.
func (fs *fragments) find(t *Table, v *view) *fragmented {
	key := fragmentKey{v.address(source), v.address(destination), v.protocol, [2]byte(v.header[4:])}
	if i := slices.IndexFunc(fs.packets, func(p *fragmented) bool { return p.key == key }); i >= 0 {
		return fs.packets[i]
	}
	if len(fs.packets) == maxFragmented {
		fs.forget(t)
	}
	p := &fragmented{key: key, until: t.now + fragmentTime}
	fs.packets = append(fs.packets, p)
	return p
}

// expire forgets the packets whose time is over.
func (fs *fragments) expire(t *Table) {
	for len(fs.packets) > 0 && fs.packets[0].until <= t.now {
		fs.forget(t)
	}
}

// forget forgets the oldest packet.
func (fs *fragments) forget(t *Table) {
	p := fs.packets[0]
	fs.packets = slices.Delete(fs.packets, 0, 1)
	fs.kept -= len(p.kept)
	t.stats.Fragments += uint64(len(p.kept))
}
