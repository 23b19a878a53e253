package tun

import (
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"gvisor.dev/gvisor/pkg/tcpip"
)

// A CaptureFile writes packets to a pcapng stream, which Wireshark and tcpdump
// read: raw IP (LINKTYPE_RAW), timestamps in nanoseconds, for each packet the
// direction and, where there is one, a comment. Several devices may write to
// one file, each as an interface of its own.
//
// Blocks are buffered: Flush writes them out. It is safe for concurrent use. It
// doesn't close the writer.
type CaptureFile struct {
	clock tcpip.Clock

	mu         sync.Mutex
	w          *pcapgo.NgWriter // nil until the first interface
	out        io.Writer
	interfaces int
	err        error // the first; later calls return it
	cut        bool
	buf        []byte
}

// NewCaptureFile returns a file that writes to w. clock gives the timestamps;
// nil: the real one.
func NewCaptureFile(w io.Writer, clock tcpip.Clock) *CaptureFile {
	if clock == nil {
		clock = tcpip.NewStdClock()
	}
	return &CaptureFile{clock: clock, out: w}
}

// linkTypeRaw is LINKTYPE_RAW: the packet begins with an IPv4 or
// IPv6 header.
const linkTypeRaw = layers.LinkTypeRaw

// Interface adds an interface and returns its number.
func (f *CaptureFile) Interface(name string) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return 0, f.err
	}
	in := pcapgo.NgInterface{Name: name, LinkType: linkTypeRaw, SnapLength: 0}
	if f.w == nil {
		section := pcapgo.NgSectionInfo{Hardware: runtime.GOARCH, OS: runtime.GOOS, Application: "wsstack"}
		f.w, f.err = pcapgo.NewNgWriterInterface(f.out, in, pcapgo.NgWriterOptions{SectionInfo: section})
	} else {
		_, f.err = f.w.AddInterface(in)
	}
	if f.err != nil {
		f.err = fmt.Errorf("tun: capture: %w", f.err)
		return 0, f.err
	}
	f.interfaces++
	return f.interfaces - 1, nil
}

// CutSegments says how segments with offload metadata are written from now on:
// as the packets that a wire would carry, with their checksums, or, with false
// and to begin with, whole.
func (f *CaptureFile) CutSegments(cut bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cut = cut
}

// Write writes one packet of an interface with the time of the clock. An empty
// comment writes none. It borrows p.
func (f *CaptureFile) Write(number int, d Direction, p *Packet, comment string) error {
	return f.WriteAt(f.clock.Now(), number, d, p, comment)
}

// WriteAt is Write for a packet of another time.
func (f *CaptureFile) WriteAt(at time.Time, number int, d Direction, p *Packet, comment string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cut && p.GSO != (GSO{}) {
		Segments(p, func(q Packet) {
			f.writeLocked(at, number, d, &q, comment)
			q.Data.Release()
		})
		return f.err
	}
	return f.writeLocked(at, number, d, p, comment)
}

func (f *CaptureFile) writeLocked(at time.Time, number int, d Direction, p *Packet, comment string) error {
	if f.err != nil {
		return f.err
	}
	size := int(p.Data.Size())
	if cap(f.buf) < size {
		f.buf = make([]byte, max(size, 2048))
	}
	data := f.buf[:size]
	flatten(data, &p.Data)
	opts := pcapgo.NgPacketOptions{Flags: &pcapgo.NgEpbFlags{Direction: pcapgo.NgEpbFlagDirectionOutbound}}
	if d == In {
		opts.Flags.Direction = pcapgo.NgEpbFlagDirectionInbound
	}
	if comment != "" {
		opts.Comments = []string{comment}
	}
	info := gopacket.CaptureInfo{Timestamp: at, CaptureLength: size, Length: size, InterfaceIndex: number}
	if f.w == nil {
		return fmt.Errorf("tun: capture: there is no interface %d", number)
	}
	if err := f.w.WritePacketWithOptions(info, data, opts); err != nil {
		f.err = fmt.Errorf("tun: capture: %w", err)
	}
	return f.err
}

// Flush writes out what is buffered. It returns the first error there was.
func (f *CaptureFile) Flush() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil && f.w != nil {
		if err := f.w.Flush(); err != nil {
			f.err = fmt.Errorf("tun: capture: %w", err)
		}
	}
	return f.err
}
