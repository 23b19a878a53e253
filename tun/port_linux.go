package tun

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/buffer"

	"github.com/wsstack/wsstack/internal/atonce"
	"github.com/wsstack/wsstack/internal/spare"
)

// tunPath is the node of the driver.
const tunPath = "/dev/net/tun"

// port is an open TUN descriptor. It goes around os.File's Read and Write:
// those wait for the descriptor to become writable, and read one packet per
// call of the poller.
type port struct {
	file *os.File
	raw  syscall.RawConn
	vnet Offload // zero: packets have no vnet header

	// Of the reader; readFunc is readReady, made once because a method value
	// is an allocation.
	readFunc func(fd uintptr) bool
	space    readSpace
	batch    []Packet
	got      int
	waited   bool // the descriptor was empty at the last call of readReady
	readErr  error

	// control is a socket of the interface's network namespace, for MTU: the
	// caller may be in another one by then. The first port of a device has it.
	controlMu sync.Mutex // guards the fields below
	control   int        // -1: there is none, or it is closed
	request   *unix.Ifreq
	lastMTU   int
}

// newPorts makes the ports of the descriptors of an interface. socket is one of the interface's
// network namespace; nil: the caller's thread is in it. newPorts takes ownership of all files, also
// when it fails.
func newPorts(files []*os.File, name string, socket *os.File, vnet Offload) (ports []*port, err error) {
	defer func() {
		if socket != nil {
			_ = socket.Close()
		}
		if err != nil {
			closeFiles(files)
		}
	}()
	for _, file := range files {
		p, err := newPort(file, vnet)
		if err != nil {
			return nil, err
		}
		ports = append(ports, p)
	}
	first := ports[0]
	if first.request, err = unix.NewIfreq(name); err != nil {
		return nil, err
	}
	first.control, err = controlSocket(socket)
	return ports, err
}

// newPort makes the port of a descriptor.
func newPort(file *os.File, vnet Offload) (p *port, err error) {
	p = &port{file: file, vnet: vnet, control: -1}
	p.readFunc = p.readReady
	p.lastMTU = 1500 // the kernel's default for TUN
	if p.raw, err = file.SyscallConn(); err != nil {
		return nil, err
	}
	// os.File.Fd, say, has made it blocking again, and a call of package atonce would stop the program.
	controlErr := p.raw.Control(func(fd uintptr) { err = unix.SetNonblock(int(fd), true) })
	if err = errors.Join(controlErr, os.NewSyscallError("fcntl", err)); err != nil {
		return nil, err
	}
	// Fails where the descriptor isn't in the runtime's poller: stop couldn't
	// end a read then.
	return p, file.SetReadDeadline(time.Time{})
}

// controlSocket returns a socket for requests about interfaces, -1 with an error.
func controlSocket(socket *os.File) (int, error) {
	if socket != nil {
		fd, err := unix.FcntlInt(socket.Fd(), unix.F_DUPFD_CLOEXEC, 3)
		return fd, os.NewSyscallError("fcntl", err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	return fd, os.NewSyscallError("socket", err)
}

func (p *port) offload() Offload { return p.vnet }

// read is called by the reader only.
func (p *port) read(batch []Packet) (int, error) {
	p.batch, p.got, p.readErr = batch, 0, nil
	if err := p.raw.Read(p.readFunc); err != nil {
		return p.got, err
	}
	return p.got, p.readErr
}

// batchBytes ends a batch: netstack can work on what is there while the rest
// is read.
const batchBytes = 1 << 16

// readReady reads until the batch is full or the descriptor empty; false makes
// the poller wait and call again. A packet that was waited for is a batch by itself:
// most often it is alone, and its receiver needn't wait for the answer that there is no other.
func (p *port) readReady(fd uintptr) bool {
	for bytes := 0; p.got < len(p.batch) && bytes < batchBytes; {
		n, err := atonce.Readv(int(fd), p.space.pieces(p.vnet != (Offload{})))
		switch {
		case errors.Is(err, unix.EAGAIN):
			p.waited = p.got == 0
			return p.got > 0
		case err != nil:
			p.readErr = err
			return true
		case n == 0:
			p.readErr = io.ErrUnexpectedEOF
			return true
		}
		bytes += n
		if packet, ok := p.space.take(n, p.vnet != (Offload{})); ok {
			p.batch[p.got] = packet
			p.got++
			if p.waited {
				p.waited = false
				return true
			}
		}
	}
	return true
}

// readSpace is where the reader reads to. A packet that fills more than half of
// the view takes it along, and a new view is there for the next; smaller ones
// are copied out of it, exactly. So nobody can make a small packet hold a large
// buffer, and bulk data is copied once less: a fifth of the processor's time of
// a stream from the kernel.
type readSpace struct {
	header [vnetHeaderSize]byte
	view   *buffer.View               // of viewSize bytes; nil: taken
	rest   [maxPacket - viewSize]byte // of the largest packets, which are IPv6
	list   [3]unix.Iovec
}

const viewSize = spare.Size

// headSize is what of a packet that takes its view along has a view of its own:
// the headers, with room for options. netstack holds on to the IP header while
// it looks at it again, and then copies the whole view that it lies in.
const headSize = 256

// pieces is what readv fills; the header has a piece only where there is one.
func (s *readSpace) pieces(vnet bool) []unix.Iovec {
	if s.view == nil {
		s.view = spare.View()
		s.view.Grow(viewSize)
	}
	s.list = [3]unix.Iovec{atonce.Piece(s.header[:]), atonce.Piece(s.view.AsSlice()), atonce.Piece(s.rest[:])}
	if vnet {
		return s.list[:]
	}
	return s.list[1:]
}

// take makes a packet of the n bytes that were read. It is not ok for what the
// kernel doesn't write.
func (s *readSpace) take(n int, vnet bool) (p Packet, ok bool) {
	if vnet {
		n -= vnetHeaderSize
	}
	if n < 0 {
		return Packet{}, false
	}
	data := s.view.AsSlice()[:min(n, viewSize)]
	if vnet {
		if p.GSO, ok = decodeVnet(s.header[:], data); !ok {
			return Packet{}, false
		}
	}
	if n > viewSize/2 && n <= viewSize {
		p.Data = buffer.MakeWithData(data[:headSize])
		s.view.CapLength(n)
		s.view.TrimFront(headSize)
		_ = p.Data.Append(s.view)
		s.view = nil
		return p, true
	}
	p.Data = buffer.MakeWithData(data)
	if n > viewSize {
		rest := buffer.MakeWithData(s.rest[:n-viewSize])
		p.Data.Merge(&rest)
	}
	return p, true
}

// maxSlices is the number of pieces a packet may have to be written without
// copying. The kernel takes 1024, but looks at each.
const maxSlices = 64

// A writer holds the pieces of one packet. The vnet header is the first.
type writer struct {
	header [vnetHeaderSize]byte
	pieces []unix.Iovec
	space  [1 + maxSlices]unix.Iovec
	flat   []byte // of packets with more pieces; nil until needed
	err    error
	do     func(fd uintptr) // write as a method value
}

var writers = sync.Pool{New: func() any {
	w := &writer{}
	w.do = w.write
	return w
}}

func (w *writer) write(fd uintptr) { _, w.err = atonce.Writev(int(fd), w.pieces) }

// gather collects the pieces of a packet.
func (w *writer) gather(packet *Packet, vnet bool) {
	w.pieces = w.space[:0]
	if vnet {
		packet.GSO.encodeVnet(&w.header)
		w.pieces = append(w.pieces, atonce.Piece(w.header[:]))
	}
	headers := len(w.pieces)
	views := packet.Data.AsViewList()
	for v := views.Front(); v != nil; v = v.Next() {
		if len(w.pieces) == headers+maxSlices {
			if w.flat == nil {
				w.flat = make([]byte, maxPacket)
			}
			w.pieces = append(w.pieces[:headers], atonce.Piece(w.flat[:flatten(w.flat, &packet.Data)]))
			return
		}
		w.pieces = append(w.pieces, atonce.Piece(v.AsSlice()))
	}
}

// write hands over a packet. It doesn't use RawConn.Write: a TUN is always
// writable, and writers needn't wait for each other.
func (p *port) write(packet *Packet) error {
	if packet.Data.Size() == 0 {
		return unix.EINVAL // as the kernel says: there is no IP version
	}
	w := writers.Get().(*writer)
	w.gather(packet, p.vnet != (Offload{}))
	err := p.raw.Control(w.do)
	if err == nil {
		err = w.err
	}
	clear(w.pieces) // or it would hold on to the packet
	writers.Put(w)
	return err
}

// packetError tells a refused packet from a device that is gone: EINVAL for
// one that is no IP packet, EIO while the interface is down, and the kinds of
// "no room".
func packetError(err error) bool {
	for _, errno := range []unix.Errno{
		unix.EINVAL, unix.EIO, unix.ENOBUFS, unix.EAGAIN, unix.ENOMEM, unix.EMSGSIZE,
	} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

func (p *port) mtu() int {
	p.controlMu.Lock()
	defer p.controlMu.Unlock()
	if p.control >= 0 && unix.IoctlIfreq(p.control, unix.SIOCGIFMTU, p.request) == nil {
		p.lastMTU = int(p.request.Uint32())
	}
	return p.lastMTU
}

// stop ends a read that waits, and later ones.
func (p *port) stop() error { return p.file.SetReadDeadline(time.Unix(1, 0)) }

// close waits for reads and writes to leave the descriptor, then releases it.
func (p *port) close() error {
	err := p.file.Close()
	p.controlMu.Lock()
	defer p.controlMu.Unlock()
	if p.control >= 0 {
		err = errors.Join(err, unix.Close(p.control))
		p.control = -1
	}
	return err
}
