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

// snapLength is how many bytes of each packet the trace keeps: the headers of IPv6 and TCP with all
// options, or an ICMP error with the headers that it quotes.
const snapLength = 112

// A traced is one packet of the trace.
type traced struct {
	at       time.Duration    // since New
	from, to string           // the names of the nodes
	fate     tun.Fate         // what becomes of the packet
	length   uint16           // how much of data is valid
	data     [snapLength]byte // the beginning of the packet
}

// A recorder keeps the latest packets of the network in the order in which they were sent. It is
// safe for concurrent use.
type recorder struct {
	limit int // how many records are kept at most

	mu      sync.Mutex // a leaf, but for the locks of capture files; guards the fields below
	records []traced
	next    int            // the index of the oldest record, once there are as many as the limit
	total   uint64         // how many packets there were
	digest  uint64         // see Network.Digest
	buf     []byte         // the room for the packet in hand
	files   []*captureFile // the captures
}

// A captureFile is a capture of the network or of a link.
type captureFile struct {
	file *tun.CaptureFile
	link *Link          // nil: all links
	ids  map[string]int // the interfaces of the file, by node
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// nowhere is the name of the node at the other end where there is no link.
const nowhere = "nowhere"

// A sending is a packet that a node sends, or sent before and a queue judges now.
type sending struct {
	at       time.Duration // since New
	wall     time.Time     // the same on the wall clock
	link     *Link         // nil: there is no link
	from, to string        // the names of the nodes
	packet   *tun.Packet   // the packet, which is borrowed
	fate     tun.Fate      // what becomes of it
}

// verdicts are the fates that a packet meets after it was sent, while it waits in a queue.
const verdicts = tun.QueueDropped | tun.Marked

// add records a packet that is sent, and gives it a tag, or what a queue does to it later. The
// latter has a line of its own in the trace.
func (r *recorder) add(s *sending, recordings *records) {
	r.mu.Lock()
	defer r.mu.Unlock()
	size := int(s.packet.Data.Size())
	if cap(r.buf) < size {
		r.buf = make([]byte, max(2048, size))
	}
	data := r.buf[:size]
	s.packet.Data.ReadAt(data, 0) // its error says only that the end was reached
	if s.fate&verdicts == 0 {
		r.total++
		s.packet.Tag = r.total
		recordings.add(s.packet.Tag, s.at, s.from, s.to, data, s.fate)
	} else {
		recordings.judged(s.packet.Tag, s.at, s.fate)
	}
	r.mix(uint64(s.at))
	r.mix(uint64(s.fate)<<32 | uint64(crc32.Checksum(data, castagnoli)))
	r.mix(uint64(len(s.from))<<32 | uint64(crc32.Checksum([]byte(s.from+">"+s.to), castagnoli)))
	for _, f := range r.files {
		f.write(s)
	}
	if r.limit > 0 {
		r.keepLocked(s, data)
	}
}

// keepLocked keeps a packet for Trace.
func (r *recorder) keepLocked(s *sending, data []byte) {
	rec := traced{at: s.at.Truncate(time.Microsecond), from: s.from, to: s.to, fate: s.fate, length: uint16(min(len(data), snapLength))}
	copy(rec.data[:], data)
	if len(r.records) < r.limit {
		r.records = append(r.records, rec)
		return
	}
	r.records[r.next] = rec
	r.next = (r.next + 1) % r.limit
}

// mix adds a word to the digest, by a variant of FNV-1a.
func (r *recorder) mix(v uint64) {
	const prime = 1099511628211
	r.digest = (r.digest ^ v ^ v>>29) * prime
	r.digest ^= r.digest >> 32
}

// write writes a packet. One that a queue drops or marks has been written before, when it was sent,
// and is there again on an interface of the queue's.
func (f *captureFile) write(s *sending) {
	if f.link != nil && f.link != s.link {
		return
	}
	name := s.from
	if s.fate&verdicts != 0 {
		name += " (queue)"
	}
	id, ok := f.ids[name]
	if !ok {
		id, _ = f.file.Interface(name) // the file keeps its error for Flush
		f.ids[name] = id
	}
	f.file.WriteAt(s.wall, id, tun.Out, s.packet, fateComment(s.fate))
}

// fateComment is the comment of a packet in a capture.
func fateComment(fate tun.Fate) string {
	if fate.Dropped() {
		return "dropped: " + fate.String()
	}
	return fate.String()
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

func (r *recorder) snapshot() []traced {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Concat(r.records[r.next:], r.records[:r.next])
}

// A Line is one packet of the trace, at the moment at which it was sent.
type Line struct {
	At       time.Duration  // when the packet was sent, as the time since New
	From, To string         // the names of the nodes
	Source   netip.AddrPort // the source; the port is that of TCP and UDP, else 0
	Dest     netip.AddrPort // the destination, in the same way
	Fate     tun.Fate       // what became of the packet; 0: it arrived as it was
	Kind     trace.Kind     // how far the packet could be understood
	Segment  Segment        // the header of a TCP packet; numbers are relative, as in Text
	Window   int            // the window of a TCP packet in bytes, scaled
	Text     string         // the packet as a line, in the form of internal/trace
}

// A Segment is the header of a TCP segment. In traces and on wires, the sequence and
// acknowledgement numbers are relative to the first ones: a SYN has 0.
type Segment = trace.Segment

// Trace returns the packets that nodes have sent, oldest first, up to the limit
// of TraceLimit. Packets that were lost are among them, and say so.
func (n *Network) Trace() []Line { return lines(n.trace.snapshot()) }

// lines makes lines of records.
func lines(records []traced) []Line {
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
func manyConnections(records []traced) bool {
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

// TraceText is the Text of the lines of Trace.
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

// Digest sums up every packet so far: the bytes, the time, the fate. Two runs with the same digest
// and the same number of packets have sent the same packets at the same times.
func (n *Network) Digest() (packets, digest uint64) {
	n.trace.mu.Lock()
	defer n.trace.mu.Unlock()
	return n.trace.total, n.trace.digest
}

// Capture writes the packets that are sent from now on to a pcapng file: each node is an interface,
// and a packet that is dropped or changed has the reason as a comment. What a queue drops or marks
// later, while the packet waits, is there once more at that time, on an interface of its own, such
// as "a (queue)". Close and FlushCaptures write out what is buffered.
func (n *Network) Capture(w io.Writer) { n.trace.capture(w, n, nil) }

// Capture is Network.Capture for the packets of this link.
func (l *Link) Capture(w io.Writer) { l.n.trace.capture(w, l.n, l) }

// FlushCaptures writes out what captures have buffered.
func (n *Network) FlushCaptures() error { return n.fail(n.trace.flush()) }

func (r *recorder) capture(w io.Writer, n *Network, link *Link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.files = append(r.files, &captureFile{file: tun.NewCaptureFile(w, n.wall), link: link, ids: map[string]int{}})
}
