//go:build linux

// Command lneto has the stack github.com/soypat/lneto as a contender of bench/compare. It is a
// module of its own, so that nobody else needs that one.
package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/soypat/lneto"
	"github.com/soypat/lneto/x/xnet"

	"github.com/wsstack/wsstack/bench"
)

// The bounds of a stack, which it allocates at once: those of the comparison, and some more.
const (
	connections = 100
	buffer      = 1<<16 - 1 // of a connection each way, in bytes: its windows are not scaled
	queued      = 256       // packets of a connection each way
)

func main() {
	c := bench.Contender{Name: "lneto", Group: bench.GroupMemory, Peer: "lneto", Module: "github.com/soypat/lneto", Allocates: true, Link: link}
	if err := bench.Serve([]bench.Contender{c}, os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "lneto: %v\n", err)
		os.Exit(1)
	}
}

// A side is a stack. Nobody tells it of packets, nor a caller of data: both look again and again.
type side struct {
	stack xnet.StackAsync
	xnet.StackGo
	ports atomic.Uint32 // of Dial: the stack's own choice is random, and may be taken
	stop  func()
}

// backoff is how long somebody waits who has looked so often in vain.
func backoff(times uint) time.Duration {
	if times < 100 {
		return lneto.BackoffFlagGosched
	}
	return 50 * time.Microsecond
}

func newSide(addr netip.Addr) (*side, error) {
	s := &side{stop: func() {}}
	err := s.stack.Reset(xnet.StackConfig{
		Hostname: "bench1", RandSeed: time.Now().UnixNano(), StaticAddress4: addr.As4(), MTU: 1500,
		MaxActiveTCPPorts: 4 * connections, MaxActiveUDPPorts: 64,
	})
	s.stack.SetSubnet4(addr.As4(), 32) // there is no Ethernet whose addresses it could ask for
	s.StackGo = s.stack.StackGo(backoff, xnet.StackGoConfig{ListenerPoolConfig: xnet.TCPPoolConfig{
		PoolSize: connections, QueueSize: queued, TxBufSize: buffer, RxBufSize: buffer,
		EstablishedTimeout: time.Minute, ClosingTimeout: time.Second,
		NanoTime:   func() int64 { return time.Now().UnixNano() },
		NewBackoff: func() lneto.BackoffStrategy { return backoff },
	}})
	return s, err
}

// link joins two stacks by a goroutine that takes packets from each to the other.
func link() (*bench.Network, error) {
	n := &bench.Network{NearAddr: netip.MustParseAddr("10.0.0.1"), FarAddr: netip.MustParseAddr("10.0.0.2")}
	near, err := newSide(n.NearAddr)
	if err != nil {
		return nil, err
	}
	far, err := newSide(n.FarAddr)
	if err != nil {
		return nil, err
	}
	var ended atomic.Bool
	var pump sync.WaitGroup
	pump.Go(func() {
		packet := make([]byte, 2048)
		move := func(from, to *xnet.StackAsync) bool {
			size, err := from.EgressIP(packet)
			if size > 0 && err == nil {
				_ = to.IngressIP(packet[:size])
			}
			return size > 0
		}
		for idle := uint(0); !ended.Load(); idle++ {
			there, back := move(&near.stack, &far.stack), move(&far.stack, &near.stack)
			if there || back {
				idle = 0
				continue
			}
			lneto.BackoffStrategy(backoff).Do(idle)
		}
	})
	near.stop = func() {
		ended.Store(true)
		pump.Wait()
	}
	n.Near, n.Far = near, far
	return n, nil
}

const (
	stream   = 1 // SOCK_STREAM
	datagram = 2 // SOCK_DGRAM
)

func (s *side) socket(network string, kind int, local, remote netip.AddrPort) (any, error) {
	return s.SocketNetip(context.Background(), network, syscall.AF_INET, kind, local, remote)
}

func (s *side) at(port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4(s.stack.Addr4()), port)
}

func (s *side) local() netip.AddrPort { return s.at(uint16(49152 + s.ports.Add(1)%16384)) }

func (s *side) Listen(port uint16) (net.Listener, error) {
	l, err := s.socket("tcp4", stream, s.at(port), netip.AddrPort{})
	if err != nil {
		return nil, err
	}
	return &listener{Listener: l.(net.Listener), users: 1}, nil
}

func (s *side) Dial(to netip.AddrPort) (net.Conn, error) {
	c, err := s.socket("tcp4", stream, s.local(), to)
	if failed, ok := c.(error); ok {
		err = failed // so says v0.3.2 of a connection that was refused
	}
	if err != nil {
		return nil, err
	}
	return c.(net.Conn), nil
}

func (s *side) ListenPacket(port uint16) (net.PacketConn, error) {
	p, err := s.socket("udp4", datagram, s.at(port), netip.AddrPort{})
	if err != nil {
		return nil, err
	}
	return p.(net.PacketConn), nil
}

func (s *side) DialPacket(to netip.AddrPort) (net.Conn, error) {
	c, err := s.socket("udp4", datagram, s.local(), to)
	if err != nil {
		return nil, err
	}
	return c.(net.Conn), nil
}

func (s *side) Close() { s.stop() }

// A listener stays open while there are connections that it has accepted: they would end with it.
type listener struct {
	net.Listener
	mu    sync.Mutex
	users int // the program, until it closes the listener, and connections
}

// farewell is how long a connection has for its end, in which it needs the listener.
const farewell = 200 * time.Millisecond

func (l *listener) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.users--; l.users == 0 {
		time.AfterFunc(farewell, func() { _ = l.Listener.Close() })
	}
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.users++
	return &accepted{Conn: c, release: sync.OnceFunc(l.release)}, nil
}

func (l *listener) Close() error {
	l.release()
	return nil
}

type accepted struct {
	net.Conn
	release func()
}

func (a *accepted) Close() error {
	defer a.release()
	return a.Conn.Close()
}
