package stack

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/wsstack/wsstack/tun"
)

// Bounds of what waits for its other fragments: how many datagrams there are, of how many pieces
// each, how many bytes all together, and how long one waits from its first piece on (RFC 1122
// §3.3.2 and RFC 8200 §4.5 say 60 s; what the next hop of a network is that long about has been
// sent again by then).
const (
	fragmentUnit    = 8 // bytes: where fragments begin
	maxPartials     = 64
	maxPieces       = 128
	maxPieceBytes   = 1 << 20
	reassemblyLife  = 30 * time.Second
	maxMessageBytes = 65535
)

// A reassembly puts together the datagrams and echo requests that come in fragments. The oldest
// makes room for others. What overlaps spoils its datagram (RFC 5722); copies are dropped. The lock
// is a leaf.
type reassembly struct {
	mu       sync.Mutex
	partials []*partial // the oldest first
	bytes    int        // of all pieces
}

// A partial is a datagram of which some fragments have come.
type partial struct {
	key    partialKey
	since  time.Duration
	pieces []piece // by their offsets
	bytes  int     // of the pieces
	total  int     // of the datagram; 0: the last fragment hasn't come
}

// A partialKey says which datagram a fragment is of (RFC 791 §3.2, RFC 8200 §4.5).
type partialKey struct {
	source, destination netip.Addr
	protocol            uint8
	id                  uint32
}

// A piece is the data of a fragment.
type piece struct {
	offset int
	data   []byte
}

// add takes a fragment. It returns the datagram when it is complete, else what becomes of the
// fragment.
func (r *reassembly) add(now time.Duration, t *transit, p *tun.Packet, u *upper) ([]byte, verdict) {
	size := t.size - u.at
	if size <= 0 || u.more && size%fragmentUnit != 0 || u.offset+size > maxMessageBytes {
		return nil, refuse
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.partials) > 0 && now-r.partials[0].since >= reassemblyLife {
		r.dropLocked(0)
	}
	d := r.findLocked(now, partialKey{t.source, t.destination, u.protocol, u.id})
	i, found := slices.BinarySearchFunc(d.pieces, u.offset, func(q piece, at int) int { return q.offset - at })
	switch {
	case found && len(d.pieces[i].data) == size && u.more == (d.total != u.offset+size):
		return nil, taken // a copy
	case found, i > 0 && d.pieces[i-1].end() > u.offset, i < len(d.pieces) && u.offset+size > d.pieces[i].offset,
		!d.ends(u.more, u.offset+size), len(d.pieces) == maxPieces:
		r.dropLocked(slices.Index(r.partials, d))
		return nil, refuse
	}
	data := make([]byte, size)
	if n, _ := p.Data.ReadAt(data, int64(u.at)); n != size {
		return nil, refuse
	}
	d.pieces = slices.Insert(d.pieces, i, piece{u.offset, data})
	d.bytes += size
	r.bytes += size
	if !u.more {
		d.total = u.offset + size
	}
	if d.bytes != d.total {
		r.boundLocked()
		return nil, taken
	}
	r.dropLocked(slices.Index(r.partials, d))
	return d.join(), taken
}

func (q *piece) end() int { return q.offset + len(q.data) }

// ends reports a fragment that fits to where the datagram ends.
func (d *partial) ends(more bool, end int) bool {
	last := 0
	if n := len(d.pieces); n > 0 {
		last = d.pieces[n-1].end()
	}
	switch {
	case !more:
		return (d.total == 0 || d.total == end) && last <= end
	case d.total != 0:
		return end < d.total
	}
	return true
}

// join is the datagram.
func (d *partial) join() []byte {
	b := make([]byte, 0, d.total)
	for _, q := range d.pieces {
		b = append(b, q.data...)
	}
	return b
}

// findLocked finds the datagram of a fragment, or begins it.
func (r *reassembly) findLocked(now time.Duration, key partialKey) *partial {
	if i := slices.IndexFunc(r.partials, func(d *partial) bool { return d.key == key }); i >= 0 {
		return r.partials[i]
	}
	if len(r.partials) == maxPartials {
		r.dropLocked(0)
	}
	d := &partial{key: key, since: now}
	r.partials = append(r.partials, d)
	return d
}

// boundLocked drops the oldest where there are too many bytes.
func (r *reassembly) boundLocked() {
	for r.bytes > maxPieceBytes {
		r.dropLocked(0)
	}
}

func (r *reassembly) dropLocked(i int) {
	r.bytes -= r.partials[i].bytes
	r.partials = slices.Delete(r.partials, i, i+1)
}
