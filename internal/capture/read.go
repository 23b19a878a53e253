// Package capture reads capture files, pcap and pcapng, as recordings: files of this project, in
// which each node is an interface, and files of tcpdump and Wireshark.
package capture

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/wsstack/wsstack/internal/record"
	"github.com/wsstack/wsstack/tun"
)

// MaxPackets is how many packets of a file are read; what comes behind is only counted.
const MaxPackets = 500_000

// snapLength is how many bytes of each packet are kept: the headers of IPv6 and TCP with all
// options, or an ICMP error with the headers that it quotes.
const snapLength = 112

// A File is what a capture file holds.
type File struct {
	*record.Recording
	Start    time.Time // when the first packet was captured; times of the recording count from there
	NotIP    int       // how many frames hold no IP packet, and were left out
	Cut      error     // why the rest of the file can't be read; nil: it was read to its end
	captured []captured
}

// A captured is a packet with what the file says of it.
type captured struct {
	at       time.Time
	from     string // name of the interface, if that is the node that has sent the packet
	size     int
	data     []byte
	comments []string
}

// ErrNoCapture is the error of a file that is neither pcap nor pcapng.
var ErrNoCapture = errors.New("neither a pcap nor a pcapng file")

// ErrCompressed is the error of a file that gzip, zstd or xz has made.
var ErrCompressed = errors.New("a compressed file")

// A source is a reader of one of the two formats.
type source interface {
	// next returns the next frame. The bytes are valid until the next call.
	next() (data []byte, info gopacket.CaptureInfo, about frameInfo, err error)
}

// A frameInfo is what a file says of a frame beside the bytes.
type frameInfo struct {
	link     layers.LinkType
	node     string // name of the node that has sent it; "": the file doesn't say
	comments []string
}

// Read reads a capture file. A file that is cut off, or damaged behind some packets, is read as far
// as possible, and Cut says why not further.
func Read(r io.Reader) (*File, error) {
	in := bufio.NewReaderSize(r, 1<<16)
	s, err := open(in)
	if err != nil {
		return nil, err
	}
	f := &File{Recording: &record.Recording{}}
	for {
		data, info, about, err := s.next()
		if err != nil {
			if !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				f.Cut = err
			}
			break
		}
		f.add(data, info, about)
	}
	f.finish()
	return f, nil
}

// open finds out which format a file has.
func open(in *bufio.Reader) (source, error) {
	magic, err := in.Peek(4)
	switch {
	case len(magic) == 0 && errors.Is(err, io.EOF):
		return nil, fmt.Errorf("the file is empty: %w", ErrNoCapture)
	case len(magic) < 4 && !errors.Is(err, io.EOF):
		return nil, err
	case len(magic) < 4:
		return nil, ErrNoCapture
	}
	switch {
	case bytes.Equal(magic, []byte{0x0a, 0x0d, 0x0d, 0x0a}):
		return openNg(in)
	case isPcap(magic):
		r, err := pcapgo.NewReader(in)
		if err != nil {
			return nil, fmt.Errorf("the header of the file: %w", err)
		}
		r.SetSnaplen(maxFrame)
		return &pcapSource{r}, nil
	case magic[0] == 0x1f && magic[1] == 0x8b, bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}), bytes.Equal(magic, []byte{0xfd, '7', 'z', 'X'}):
		return nil, ErrCompressed
	}
	return nil, ErrNoCapture
}

// maxFrame bounds the frames of a file, as tcpdump does.
const maxFrame = 262144

// isPcap reports whether a file begins like a pcap file: either order of bytes, microseconds or
// nanoseconds.
func isPcap(magic []byte) bool {
	for _, m := range [][]byte{{0xa1, 0xb2, 0xc3, 0xd4}, {0xa1, 0xb2, 0x3c, 0x4d}} {
		if bytes.Equal(magic, m) {
			return true
		}
		m = slices.Clone(m)
		slices.Reverse(m)
		if bytes.Equal(magic, m) {
			return true
		}
	}
	return false
}

// A pcapSource reads pcap.
type pcapSource struct{ r *pcapgo.Reader }

func (s *pcapSource) next() ([]byte, gopacket.CaptureInfo, frameInfo, error) {
	data, info, err := s.r.ReadPacketData()
	return data, info, frameInfo{link: s.r.LinkType()}, err
}

// An ngSource reads pcapng.
type ngSource struct {
	r    *pcapgo.NgReader
	ours bool // the file is one of this project's
}

// application is what files of package tun say that has written them.
const application = "wsstack"

// openNg opens a pcapng file.
func openNg(in io.Reader) (source, error) {
	r, err := pcapgo.NewNgReader(in, pcapgo.NgReaderOptions{WantMixedLinkType: true, SkipUnknownVersion: true})
	if err != nil {
		return nil, fmt.Errorf("the header of the file: %w", err)
	}
	return &ngSource{r: r, ours: r.SectionInfo().Application == application}, nil
}

func (s *ngSource) next() ([]byte, gopacket.CaptureInfo, frameInfo, error) {
	data, info, options, err := s.r.ReadPacketDataWithOptions()
	if err != nil {
		return nil, info, frameInfo{}, err
	}
	about := frameInfo{link: s.r.LinkType(), comments: options.Comments}
	in, err := s.r.Interface(info.InterfaceIndex)
	if err != nil {
		return nil, info, frameInfo{}, err
	}
	about.link = in.LinkType
	if s.ours && options.Flags != nil && options.Flags.Direction == pcapgo.NgEpbFlagDirectionOutbound {
		about.node = in.Name
	}
	return data, info, about, nil
}

// add keeps a frame.
func (f *File) add(data []byte, info gopacket.CaptureInfo, about frameInfo) {
	if len(f.captured) >= MaxPackets {
		f.Left.Packets++
		return
	}
	start := ipStart(data, about.link)
	if start < 0 {
		f.NotIP++
		return
	}
	ip := data[start:]
	f.captured = append(f.captured, captured{
		at: info.Timestamp, from: about.node, size: max(0, info.Length-start),
		data: slices.Clone(ip[:min(len(ip), snapLength)]), comments: about.comments,
	})
}

// ipStart is where the IP packet begins in a frame, or -1 if there is none.
func ipStart(data []byte, link layers.LinkType) int {
	switch link {
	case layers.LinkTypeRaw, layers.LinkTypeIPv4, layers.LinkTypeIPv6, 12, 14: // LINKTYPE_RAW on BSDs
		return 0
	}
	packet := gopacket.NewPacket(data, link, gopacket.DecodeOptions{Lazy: true, NoCopy: true})
	network := packet.NetworkLayer()
	if network == nil {
		return -1
	}
	if t := network.LayerType(); t != layers.LayerTypeIPv4 && t != layers.LayerTypeIPv6 {
		return -1
	}
	start := 0
	for _, l := range packet.Layers() {
		if l == network {
			break
		}
		start += len(l.LayerContents())
	}
	if start > len(data) {
		return -1
	}
	return start
}

// finish makes the recording of the packets.
func (f *File) finish() {
	slices.SortStableFunc(f.captured, func(x, y captured) int { return x.at.Compare(y.at) })
	if len(f.captured) > 0 {
		f.Start = f.captured[0].at
	}
	f.Packets = make([]record.Packet, len(f.captured))
	for i := range f.captured {
		c := &f.captured[i]
		p := record.Packet{
			At: min(c.at.Sub(f.Start), math.MaxInt64/4), Arrived: record.Never, From: c.from, Size: c.size, Data: c.data,
		}
		p.Comment = strings.Join(c.comments, "; ")
		for _, comment := range c.comments {
			p.Fate |= fate(comment)
		}
		f.Packets[i] = p
	}
	f.captured = nil
	f.nodes()
}

// fate is what a comment of CaptureFile says; 0 for those of others.
func fate(comment string) (fate tun.Fate) {
	words := strings.Split(strings.TrimPrefix(comment, "dropped: "), ", ")
	for bit := tun.Fate(1); bit != 0; bit <<= 1 {
		if name := bit.String(); name != "" && slices.Contains(words, name) {
			fate |= bit
		}
	}
	if fate.String() != strings.TrimPrefix(comment, "dropped: ") {
		return 0
	}
	return fate
}
