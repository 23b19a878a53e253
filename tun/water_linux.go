package tun

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/songgao/water"
	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/buffer"
)

// tunPath is the node that water opens.
const tunPath = "/dev/net/tun"

// port is an open TUN descriptor. It goes around water's Read and Write: those
// wait for the descriptor to become writable, and read one packet per call of
// the poller.
type port struct {
	file *os.File
	raw  syscall.RawConn

	// Of the reader; readFunc is readReady, made once because a method value
	// is an allocation.
	readFunc func(fd uintptr) bool
	scratch  []byte
	batch    []Packet
	got      int
	readErr  error

	// control is a socket of the interface's network namespace, for MTU: the
	// caller may be in another one by then.
	controlMu sync.Mutex // guards the fields below
	control   int        // -1 once closed
	request   *unix.Ifreq
	lastMTU   int
}

// openPort makes the interface.
func openPort(name string) (_ *port, actual string, err error) {
	if err := probe(name); err != nil {
		return nil, "", err
	}
	fail := func(err error) (*port, string, error) {
		return nil, "", &OpenError{Name: name, Err: err}
	}
	control, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fail(os.NewSyscallError("socket", err))
	}
	defer func() {
		if err != nil {
			_ = unix.Close(control)
		}
	}()
	file, actual, err := newWater(name)
	if err != nil {
		return fail(err)
	}
	p := &port{file: file, control: control, scratch: make([]byte, maxPacket)}
	p.readFunc = p.readReady
	p.lastMTU = 1500 // the kernel's default for TUN
	p.request, err = unix.NewIfreq(actual)
	if err == nil {
		p.raw, err = file.SyscallConn()
	}
	if err == nil {
		// Fails where the descriptor isn't in the runtime's poller: Close
		// couldn't end a read then.
		err = file.SetReadDeadline(time.Time{})
	}
	if err != nil {
		_ = file.Close()
		return fail(err)
	}
	return p, actual, nil
}

// newWater calls water.New. The descriptor that water opens has no
// close-on-exec flag; without the lock, a child started at this moment would
// keep the interface alive.
func newWater(name string) (*os.File, string, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	ifce, err := water.New(water.Config{
		DeviceType:             water.TUN,
		PlatformSpecificParams: water.PlatformSpecificParams{Name: name},
	})
	if err != nil {
		return nil, "", err
	}
	file, ok := ifce.ReadWriteCloser.(*os.File)
	if !ok {
		_ = ifce.Close()
		return nil, "", fmt.Errorf("water's descriptor is a %T, not a file", ifce.ReadWriteCloser)
	}
	raw, err := file.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { unix.CloseOnExec(int(fd)) })
	}
	if err != nil {
		_ = file.Close()
		return nil, "", err
	}
	return file, ifce.Name(), nil
}

// probe finds out whether water.New would work, because water.New can't be
// allowed to fail: it forgets the descriptor when the kernel refuses the
// interface, and it attaches to a persistent interface of that name.
//
// The request has IFF_TUN_EXCL and no interface type. The kernel answers EBUSY
// for a name that exists, then EPERM for a caller who may not make interfaces,
// and only then EINVAL for the missing type; it makes nothing.
func probe(name string) error {
	fd, err := unix.Open(tunPath, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return &OpenError{Name: name, Path: tunPath, Err: err}
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq(name)
	if err != nil {
		return &OpenError{Name: name, Err: ErrName}
	}
	request.SetUint16(unix.IFF_TUN_EXCL | unix.IFF_NO_PI)
	switch err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err {
	case unix.EINVAL, nil:
		return nil
	case unix.EBUSY:
		return &OpenError{Name: name, Err: ErrNameTaken}
	default:
		return &OpenError{Name: name, Err: os.NewSyscallError("TUNSETIFF", err)}
	}
}

// read is called by the reader only.
func (p *port) read(batch []Packet) (int, error) {
	p.batch, p.got, p.readErr = batch, 0, nil
	if err := p.raw.Read(p.readFunc); err != nil {
		return p.got, err
	}
	return p.got, p.readErr
}

// readReady reads until the batch is full or the descriptor empty; false makes
// the poller wait and call again. Each packet is an exact copy: handing over
// the large buffer would pin 64 KiB for every small packet.
func (p *port) readReady(fd uintptr) bool {
	for p.got < len(p.batch) {
		n, err := unix.Read(int(fd), p.scratch)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return p.got > 0
		case err != nil:
			p.readErr = err
			return true
		case n == 0:
			p.readErr = io.ErrUnexpectedEOF
			return true
		}
		p.batch[p.got] = Packet{Data: buffer.MakeWithData(p.scratch[:n])}
		p.got++
	}
	return true
}

// A writer holds one packet, flattened: a packet goes out in one system call,
// and writev takes no more than 1024 pieces.
type writer struct {
	buf []byte
	n   int
	err error
	do  func(fd uintptr) bool // write as a method value
}

var writers = sync.Pool{New: func() any {
	w := &writer{buf: make([]byte, maxPacket)}
	w.do = w.write
	return w
}}

// write always returns true, so that the poller never waits.
func (w *writer) write(fd uintptr) bool {
	for {
		_, w.err = unix.Write(int(fd), w.buf[:w.n])
		if w.err != unix.EINTR {
			return true
		}
	}
}

func (p *port) write(packet *Packet) error {
	w := writers.Get().(*writer)
	defer writers.Put(w)
	w.n = flatten(w.buf[:packet.Data.Size()], &packet.Data)
	if err := p.raw.Write(w.do); err != nil {
		return err
	}
	return w.err
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
