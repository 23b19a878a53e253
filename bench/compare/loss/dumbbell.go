//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wsstack/wsstack/internal/netns"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// A dumbbell is hosts that send, in front of one link with one queue, and a kernel behind it that
// receives:
//
//	access 0 ──▶┐
//	            ├──▶ link ──▶ the kernel of this namespace
//	access 1 ──▶┘
type dumbbell struct {
	number int
	link   *tun.Impaired
	listen *net.TCPListener
	access []*access
	ends   []func() // what close does, the last one first
}

// A crowd are streams of one kind.
type crowd struct {
	ours    bool          // the engine's; else Linux's
	control string        // congestion control: cubic, reno or bbr
	size    int           // how many
	delay   time.Duration // beyond that of the link
}

// An access is the way of a crowd to the link, and how its host dials.
type access struct {
	crowd
	port tun.Device
	dial func() (net.Conn, error)
}

// dumbbells counts those that were made: each has addresses of its own.
var dumbbells int

// firstAccess is the last part of the address of the first access.
const firstAccess = 10

// host is the address of a host of the dumbbell.
func (d *dumbbell) host(last int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 99, byte(d.number), byte(last)}), 24)
}

// device opens a TUN for a kernel.
func (d *dumbbell) device(last int) (tun.Device, error) {
	name := fmt.Sprintf("loss%dx%d", d.number, last)
	dev, err := tun.OpenWater(name)
	if err != nil {
		return nil, err
	}
	err = tun.Configure(name, tun.Config{MTU: 1500, NoAddrGen: true, Addresses: []netip.Prefix{d.host(last)}})
	if err != nil {
		_ = dev.Close()
	}
	return dev, err
}

// newDumbbell makes the link and the receiver, then a host for each crowd. The process is in a
// namespace of its own.
func newDumbbell(cfg tun.ImpairConfig, crowds ...crowd) (*dumbbell, error) {
	dumbbells++
	d := &dumbbell{number: dumbbells}
	err := d.begin(cfg, crowds)
	if err != nil {
		d.close()
	}
	return d, err
}

func (d *dumbbell) begin(cfg tun.ImpairConfig, crowds []crowd) error {
	dev, err := d.device(2)
	if err != nil {
		return err
	}
	if d.link, err = tun.Impair(dev, cfg); err != nil {
		return errors.Join(err, dev.Close())
	}
	d.atEnd(d.link)
	if d.listen, err = net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(d.host(2).Addr(), 0))); err != nil {
		return err
	}
	d.atEnd(d.listen)
	for _, c := range crowds {
		if err := d.add(c); err != nil {
			return err
		}
	}
	if err := d.link.Start(d.back); err != nil {
		return err
	}
	for _, a := range d.access {
		err := a.port.Start(func(packets []tun.Packet) {
			_ = d.link.Send(packets)
			release(packets)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *dumbbell) atEnd(c io.Closer) { d.ends = append(d.ends, func() { _ = c.Close() }) }

func (d *dumbbell) close() {
	for i := len(d.ends) - 1; i >= 0; i-- {
		d.ends[i]()
	}
}

func release(packets []tun.Packet) {
	for i := range packets {
		packets[i].Data.Release()
	}
}

// back gives packets that come from the receiver to those that they are for.
func (d *dumbbell) back(packets []tun.Packet) {
	var to [4]byte
	for i := range packets {
		_, _ = packets[i].Data.ReadAt(to[:], 16)
		if n := int(to[3]) - firstAccess; n >= 0 && n < len(d.access) {
			_ = d.access[n].port.Send(packets[i : i+1])
		}
	}
	release(packets)
}

// add makes the host of a crowd.
func (d *dumbbell) add(c crowd) error {
	a := &access{crowd: c}
	last := firstAccess + len(d.access)
	to := d.listen.Addr().(*net.TCPAddr).AddrPort()
	var port tun.Device
	var err error
	if c.ours {
		port, err = d.engine(a, d.host(last), to)
	} else {
		port, err = d.kernel(a, last, to)
	}
	if err != nil {
		return err
	}
	if a.port, err = tun.Impair(port, tun.ImpairConfig{In: tun.Impairment{Delay: c.delay}}); err != nil {
		return errors.Join(err, port.Close())
	}
	d.atEnd(a.port)
	d.access = append(d.access, a)
	return nil
}

// controls are the values of TCP_CONGESTION_ALGORITHM by the names that Linux has.
var controls = map[string]options.Congestion{"cubic": options.CongestionCubic, "reno": options.CongestionReno}

// engine is a host of ours.
func (d *dumbbell) engine(a *access, addr netip.Prefix, to netip.AddrPort) (tun.Device, error) {
	near, port := tun.Pipe(1500)
	s, err := stack.New(stack.Config{
		Device: near, Addresses: []netip.Prefix{addr},
		Defaults: []options.Assignment{
			options.TCP_CONGESTION_ALGORITHM.With(controls[a.control]),
			options.TCP_NODELAY.With(true), // as package net has it
		},
	})
	if err != nil {
		return nil, err
	}
	d.atEnd(s)
	a.dial = func() (net.Conn, error) { return s.DialContext(context.Background(), "tcp4", to.String()) }
	return port, nil
}

// kernel is another kernel, in a namespace of its own. It mustn't remember what connections before
// have found.
func (d *dumbbell) kernel(a *access, last int, to netip.AddrPort) (port tun.Device, err error) {
	thread, err := netns.NewThread()
	if err != nil {
		return nil, err
	}
	d.ends = append(d.ends, thread.Close)
	thread.Do(func() {
		if port, err = d.device(last); err == nil {
			err = os.WriteFile("/proc/sys/net/ipv4/tcp_no_metrics_save", []byte("1"), 0)
		}
	})
	dialer := net.Dialer{Control: func(_, _ string, c syscall.RawConn) (err error) {
		controlErr := c.Control(func(fd uintptr) {
			err = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, a.control)
		})
		return errors.Join(controlErr, os.NewSyscallError("TCP_CONGESTION", err))
	}}
	a.dial = func() (c net.Conn, err error) {
		thread.Do(func() { c, err = dialer.Dial("tcp4", to.String()) })
		return c, err
	}
	return port, err
}

// connect makes a stream of an access.
func (d *dumbbell) connect(a *access) (from, to net.Conn, err error) {
	if from, err = a.dial(); err != nil {
		return nil, nil, err
	}
	if err = from.(interface{ SetLinger(int) error }).SetLinger(0); err == nil {
		to, err = d.listen.Accept()
	}
	if err != nil {
		_ = from.Close()
	}
	return from, to, err
}

// pour writes until the writer is closed.
func pour(w io.Writer) {
	data := make([]byte, 64<<10)
	for {
		if _, err := w.Write(data); err != nil {
			return
		}
	}
}

// seeded is a source of the lots of a link: the same ones for all contenders.
func seeded(round int) rand.Source { return rand.NewPCG(uint64(round), 1) }
