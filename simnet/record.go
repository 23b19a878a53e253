package simnet

import (
	"hash/crc32"
	"io"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/tun"
)

// snapLength is how much of each packet the trace keeps: IPv6, TCP with all its
// options; or an ICMP error with the headers it quotes.
const snapLength = 112

// A record is one packet of the trace.
type record struct {
	at       time.Duration
	from, to string
	fate     tun.Fate
	length   uint16
	data     [snapLength]byte
}

// recorder keeps the latest packets of the network in the order in which they
// were sent. It is safe for concurrent use.
type recorder struct {
	limit int

	mu      sync.Mutex // a leaf, but for those of capture files
	records []record
	next    int // of the oldest record, once there are limit
	total   uint64
	digest  uint64
	buf     []byte
	files   []*captureFile
}

// A captureFile is a file of Capture.
type captureFile struct {
	file *tun.CaptureFile
	link *Link // nil: all
	ids  map[string]int
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (r *recorder) add(at time.Duration, wall time.Time, link *Link, from, to string, packet *tun.Packet, fate tun.Fate) {
	r.mu.Lock()
	defer r.mu.Unlock()
	size := int(packet.Data.Size())
	if cap(r.buf) < size {
		r.buf = make([]byte, max(2048, size))
	}
	data := r.buf[:size]
	packet.Data.ReadAt(data, 0) // its error says only that the end was reached
	r.total++
	r.mix(uint64(at))
	r.mix(uint64(fate)<<32 | uint64(crc32.Checksum(data, castagnoli)))
	r.mix(uint64(len(from))<<32 | uint64(crc32.Checksum([]byte(from+">"+to), castagnoli)))
	for _, f := range r.files {
		f.write(link, wall, from, packet, fate)
	}
	if r.limit <= 0 {
		return
	}
	rec := record{at: at.Truncate(time.Microsecond), from: from, to: to, fate: fate, length: uint16(min(size, snapLength))}
	copy(rec.data[:], data)
	if len(r.records) < r.limit {
		r.records = append(r.records, rec)
		return
	}
	r.records[r.next] = rec
	r.next = (r.next + 1) % r.limit
}

// mix is FNV-1a by words.
func (r *recorder) mix(v uint64) {
	const prime = 1099511628211
	r.digest = (r.digest ^ v ^ v>>29) * prime
	r.digest ^= r.digest >> 32
}

func (f *captureFile) write(link *Link, wall time.Time, from string, packet *tun.Packet, fate tun.Fate) {
	if f.link != nil && f.link != link {
		return
	}
	id, ok := f.ids[from]
	if !ok {
		id, _ = f.file.Interface(from) // the file keeps its error for Flush
		f.ids[from] = id
	}
	comment := fate.String()
	if fate.Dropped() {
		comment = "dropped: " + comment
	}
	f.file.WriteAt(wall, id, tun.Out, packet, comment)
}

func (r *recorder) flush() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.files {
		if err := f.file.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func (r *recorder) snapshot() []record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Concat(r.records[r.next:], r.records[:r.next])
}

// A Line is one packet of the trace, at the moment it was sent.
type Line struct {
	At       time.Duration // since New
	From, To string
	Source   netip.AddrPort // of TCP and UDP packets; else without port
	Dest     netip.AddrPort
	Fate     tun.Fate // what became of it
	Kind     trace.Kind
	Segment  Segment // of TCP packets: numbers are relative, as in Text
	Window   int     // in bytes, scaled
	Text     string  // all of it, in the form of internal/trace
}

// Segment is the header of a TCP segment. In traces and wires, SEQ and ACK are
// relative to the first numbers: a SYN has 0.
type Segment = trace.Segment

// Trace returns the packets that nodes have sent, oldest first, up to the limit
// of TraceLimit. Packets that were lost are among them, and say so.
func (n *Network) Trace() []Line { return lines(n.trace.snapshot()) }

func lines(records []record) []Line {
	t := trace.Tracer{Ports: manyConnections(records)}
	lines := make([]Line, len(records))
	for i := range records {
		r := &records[i]
		data := r.data[:r.length]
		l := &lines[i]
		l.At, l.From, l.To, l.Fate = r.at, r.from, r.to, r.fate
		p := trace.Parse(data)
		l.Source, l.Dest = netip.AddrPortFrom(p.Source, p.SourcePort), netip.AddrPortFrom(p.Dest, p.DestPort)
		if l.Kind = p.Kind; p.Kind == trace.TCP {
			l.Segment, l.Window = t.Relative(&p)
		}
		l.Text = t.Line(r.at, r.from, r.to, data)
		if r.fate != 0 {
			l.Text += " (" + r.fate.String() + ")"
		}
	}
	return lines
}

// manyConnections reports whether lines need ports to tell connections apart.
func manyConnections(records []record) bool {
	var a, b uint16
	for i := range records {
		p := trace.Parse(records[i].data[:records[i].length])
		if p.Kind != trace.TCP {
			continue
		}
		x, y := min(p.SourcePort, p.DestPort), max(p.SourcePort, p.DestPort)
		if a == 0 && b == 0 {
			a, b = x, y
		}
		if x != a || y != b {
			return true
		}
	}
	return false
}

// TraceText is Trace as text, one line per packet.
func (n *Network) TraceText() string {
	var b strings.Builder
	for _, l := range n.Trace() {
		b.WriteString(l.Text)
		b.WriteByte('\n')
	}
	return b.String()
}

// ClearTrace forgets the packets so far. The digest goes on.
func (n *Network) ClearTrace() {
	n.trace.mu.Lock()
	defer n.trace.mu.Unlock()
	n.trace.records, n.trace.next = n.trace.records[:0], 0
}

// Digest sums up every packet so far: its bytes, its time, its fate. Two runs
// with the same digest and the same number of packets sent the same.
func (n *Network) Digest() (packets, digest uint64) {
	n.trace.mu.Lock()
	defer n.trace.mu.Unlock()
	return n.trace.total, n.trace.digest
}

// Capture writes the packets that are sent from now on to a pcapng file: one
// interface per node, drops with their reason as comment. It is flushed by
// Close, or by FlushCaptures.
func (n *Network) Capture(w io.Writer) { n.trace.capture(w, n, nil) }

// Capture is Network.Capture for this link.
func (l *Link) Capture(w io.Writer) { l.n.trace.capture(w, l.n, l) }

// FlushCaptures writes out what captures have buffered.
func (n *Network) FlushCaptures() error { return n.fail(n.trace.flush()) }

func (r *recorder) capture(w io.Writer, n *Network, link *Link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.files = append(r.files, &captureFile{file: tun.NewCaptureFile(w, n.wall), link: link, ids: map[string]int{}})
}
