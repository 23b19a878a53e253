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

// A CaptureFile is a pcapng stream, which Wireshark and tcpdump read. Its packets are raw IP
// packets (LINKTYPE_RAW), each with a timestamp in nanoseconds, the direction and, maybe, a
// comment. Several devices may write to one file, each as an interface of its own.
//
// A CaptureFile buffers what it writes, and Flush writes the buffer out. Nothing closes the
// underlying writer. A CaptureFile is safe for concurrent use.
type CaptureFile struct {
	clock tcpip.Clock

	mu         sync.Mutex
	w          *pcapgo.NgWriter // nil until there is an interface
	out        io.Writer
	interfaces int
	err        error // the first error, which later calls return
	cut        bool  // the last value that CutSegments was called with
	buf        []byte
}

// NewCaptureFile returns a file that writes to w. clock is the source of the timestamps; nil stands
// for the real clock.
func NewCaptureFile(w io.Writer, clock tcpip.Clock) *CaptureFile {
	if clock == nil {
		clock = tcpip.NewStdClock()
	}
	return &CaptureFile{clock: clock, out: w}
}

// linkTypeRaw is LINKTYPE_RAW, the type of packets that begin with an IPv4 or an IPv6 header.
const linkTypeRaw = layers.LinkTypeRaw

// Interface adds an interface with this name to the file, and returns the number of the interface.
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

// CutSegments selects how segments with offload metadata are written from now on: if cut is true,
// as the packets that a wire would carry, with their checksums; if cut is false, whole, which is
// the default.
func (f *CaptureFile) CutSegments(cut bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cut = cut
}

// Write writes one packet of the interface with this number, at the present time of the clock. An
// empty comment isn't written. Write borrows p.
func (f *CaptureFile) Write(number int, d Direction, p *Packet, comment string) error {
	return f.WriteAt(f.clock.Now(), number, d, p, comment)
}

// WriteAt is Write with a time of the caller.
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

// Err returns the first error of the file, or nil.
func (f *CaptureFile) Err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// Flush writes the buffer out, and returns the first error of the file.
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
