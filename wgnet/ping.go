package wgnet

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/transport"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/internal/translate"
	"github.com/wsstack/wsstack/internal/wait"
	"github.com/wsstack/wsstack/wsa"
)

// A PingAddr is the address of a host as the net.Addr of a PingConn.
type PingAddr struct{ addr netip.Addr }

// PingAddrFromAddr is an address as a PingAddr.
func PingAddrFromAddr(addr netip.Addr) *PingAddr { return &PingAddr{addr} }

// String is the address as text.
func (a PingAddr) String() string { return a.addr.String() }

// Network is "ping4" or "ping6"; "ping" of an address that isn't valid.
func (a PingAddr) Network() string {
	switch {
	case a.addr.Is4():
		return "ping4"
	case a.addr.Is6():
		return "ping6"
	}
	return "ping"
}

// Addr is the address itself, which isn't valid where there is none.
func (a PingAddr) Addr() netip.Addr { return a.addr }

// A PingConn sends ICMP echo requests and receives the replies to them, as a net.Conn and a
// net.PacketConn. It is safe for concurrent use.
//
// What is written is a whole message of ICMP, or ICMPv6, from its type on: an echo request with
// code 0. Its checksum is computed, and its identifier replaced by a number that each PingConn has
// for itself, so that several may ping the same host; the sequence number and the data are the
// caller's. What is read is the message of a reply, with that identifier. A message that is longer
// than the buffer is cut off. ICMP errors aren't received: Stack.Ping of package stack reports
// them. Replies that nobody reads wait, up to 212 KiB of them; more are dropped. A PingConn stays
// open until it or its stack is closed, also when it has become garbage.
type PingConn struct {
	net    *Net
	local  PingAddr
	remote PingAddr // not valid: the PingConn isn't dialled
	ep     tcpip.Endpoint
	queue  waiter.Queue
	entry  waiter.Entry // wakes calls
	calls  wait.Calls   // calls in progress
	rd, wd wait.Deadline
	closed atomic.Bool
}

var (
	_ net.Conn       = (*PingConn)(nil)
	_ net.PacketConn = (*PingConn)(nil)
)

// DialPingAddr opens a PingConn that pings raddr and takes replies from there, from laddr. Either
// may be left out, laddr for the stack to choose it, raddr for a PingConn that isn't dialled.
// Errors are *net.OpError.
func (n *Net) DialPingAddr(laddr, raddr netip.Addr) (*PingConn, error) {
	pc := &PingConn{net: n, local: PingAddr{laddr.Unmap()}, remote: PingAddr{raddr.Unmap()}}
	if err := pc.open(); err != nil {
		e := &net.OpError{Op: "dial", Net: "ping", Err: err}
		if raddr.IsValid() {
			e.Net, e.Addr = pc.remote.Network(), pc.remote
		}
		if laddr.IsValid() {
			e.Net, e.Source = pc.local.Network(), pc.local
		}
		return nil, e
	}
	return pc, nil
}

// open makes the endpoint: netstack's, which knows a reply by its identifier.
func (pc *PingConn) open() error {
	local, remote := pc.local.addr, pc.remote.addr
	switch {
	case !local.IsValid() && !remote.IsValid():
		return &net.AddrError{Err: "missing address"}
	case local.IsValid() && remote.IsValid() && local.Is4() != remote.Is4():
		return &net.AddrError{Err: "not of the family of " + local.String(), Addr: remote.String()}
	}
	family, protocol := netip.IPv4Unspecified(), header.ICMPv4ProtocolNumber
	if local.Is6() || remote.Is6() {
		family, protocol = netip.IPv6Unspecified(), header.ICMPv6ProtocolNumber
	}
	ns := pc.net.stack.Netstack()
	ep, err := ns.NewEndpoint(protocol, translate.Protocol(family), &pc.queue)
	if err != nil {
		return translate.Errno(err)
	}
	if local.IsValid() {
		err = ep.Bind(pc.net.fullAddress(local))
	}
	if err == nil && remote.IsValid() {
		err = ep.Connect(pc.net.fullAddress(remote))
	}
	switch {
	case len(ns.NICInfo()) == 0: // a stack that is closed has no interfaces
		ep.Close()
		return wsa.WSAENETDOWN
	case err != nil:
		ep.Close()
		return translate.Errno(err)
	}
	pc.ep, pc.local = ep, PingAddr{family}
	if bound, err := ep.GetLocalAddress(); err == nil && bound.Addr.BitLen() > 0 {
		pc.local = PingAddr{translate.AddrPort(bound).Addr()}
	}
	pc.entry = waiter.NewFunctionEntry(wait.AnyEvent, pc.calls.Wake)
	pc.queue.EventRegister(&pc.entry)
	return nil
}

// fullAddress is an address in netstack's form, which knows interfaces by their numbers and not by
// their names.
func (n *Net) fullAddress(a netip.Addr) tcpip.FullAddress {
	if a.Zone() != "" {
		for _, ifi := range n.stack.NetInterfaces() {
			if ifi.Name == a.Zone() {
				a = a.WithZone(strconv.Itoa(ifi.Index))
			}
		}
	}
	return translate.FullAddress(0, netip.AddrPortFrom(a, 0))
}

// ListenPingAddr opens a PingConn that isn't dialled: it pings any host of the family of laddr,
// which may be unspecified.
func (n *Net) ListenPingAddr(laddr netip.Addr) (*PingConn, error) {
	return n.DialPingAddr(laddr, netip.Addr{})
}

// DialPing is DialPingAddr with the other form of the addresses; nil is none.
func (n *Net) DialPing(laddr, raddr *PingAddr) (*PingConn, error) {
	return n.DialPingAddr(laddr.orNone(), raddr.orNone())
}

// ListenPing is ListenPingAddr with the other form of the address; nil is none.
func (n *Net) ListenPing(laddr *PingAddr) (*PingConn, error) {
	return n.ListenPingAddr(laddr.orNone())
}

// orNone is the address, which isn't valid where a is nil.
func (a *PingAddr) orNone() netip.Addr {
	if a == nil {
		return netip.Addr{}
	}
	return a.addr
}

// LocalAddr is the local address, a PingAddr; it is unspecified where the stack chooses one for
// each message.
func (pc *PingConn) LocalAddr() net.Addr { return pc.local }

// RemoteAddr is the address that was dialled, a PingAddr, which isn't valid where there is none.
func (pc *PingConn) RemoteAddr() net.Addr { return pc.remote }

// Read reads one reply.
func (pc *PingConn) Read(p []byte) (int, error) {
	n, _, err := pc.ReadFrom(p)
	return n, err
}

// ReadFrom reads one reply and who has sent it, a *PingAddr.
func (pc *PingConn) ReadFrom(p []byte) (int, net.Addr, error) {
	var got tcpip.ReadResult
	err := pc.call(waiter.ReadableEvents, &pc.rd, func() (err tcpip.Error) {
		w := tcpip.SliceWriter(p)
		got, err = pc.ep.Read(&w, tcpip.ReadOptions{NeedRemoteAddr: true})
		return err
	})
	if err != nil {
		return 0, nil, pc.opError("read", pc.peer(), err)
	}
	return got.Count, &PingAddr{translate.AddrPort(got.RemoteAddr).Addr()}, nil
}

// Write sends a request to the address that was dialled.
func (pc *PingConn) Write(p []byte) (int, error) {
	if pc.peer() == nil {
		return 0, pc.opError("write", nil, wsa.WSAENOTCONN)
	}
	return pc.write(p, pc.peer(), tcpip.WriteOptions{})
}

// WriteTo sends a request. addr is a *PingAddr, a PingAddr or a *net.IPAddr of the family of the
// PingConn. A dialled PingConn may send to others as well, but doesn't receive their replies.
func (pc *PingConn) WriteTo(p []byte, addr net.Addr) (int, error) {
	var to netip.Addr
	switch a := addr.(type) {
	case *PingAddr:
		to = a.orNone()
	case PingAddr:
		to = a.addr
	case *net.IPAddr:
		if a != nil {
			to, _ = netip.AddrFromSlice(a.IP)
			to = to.WithZone(a.Zone)
		}
	}
	to = to.Unmap()
	switch {
	case !to.IsValid():
		return 0, pc.opError("write", addr, wsa.WSAEFAULT)
	case to.Is4() != pc.local.addr.Is4():
		return 0, pc.opError("write", addr, wsa.WSAEAFNOSUPPORT)
	}
	at, err := pc.destination(to)
	if err != nil {
		return 0, pc.opError("write", addr, err)
	}
	return pc.write(p, addr, tcpip.WriteOptions{To: &at})
}

func (pc *PingConn) write(p []byte, to net.Addr, opts tcpip.WriteOptions) (int, error) {
	err := pc.call(waiter.WritableEvents, &pc.wd, func() tcpip.Error {
		_, err := pc.ep.Write(bytes.NewReader(p), opts)
		return err
	})
	if err != nil {
		return 0, pc.opError("write", to, err)
	}
	return len(p), nil
}

// destination is an address in netstack's form with the interface that the route table has for it:
// a bound endpoint would take the first one that has its address, which the loopback has as well.
func (pc *PingConn) destination(to netip.Addr) (tcpip.FullAddress, error) {
	at := pc.net.fullAddress(to)
	if at.NIC != 0 {
		return at, nil
	}
	r, err := pc.net.stack.Netstack().FindRoute(0, translate.Address(pc.local.addr), at.Addr, translate.Protocol(to), false)
	if err != nil {
		return at, translate.Errno(err)
	}
	defer r.Release()
	at.NIC = r.NICID()
	return at, nil
}

// call tries until netstack has an answer, the deadline has passed, or the PingConn is closed.
func (pc *PingConn) call(mask waiter.EventMask, d *wait.Deadline, try func() tcpip.Error) error {
	var c wait.Call
	c.Init(wait.NewChannelWaiter(), mask)
	pc.calls.Add(&c)
	defer pc.calls.Remove(&c)
	for {
		if d.Passed() {
			return os.ErrDeadlineExceeded
		}
		switch err := try(); {
		case err == nil:
			return nil
		case pc.closed.Load():
			return net.ErrClosed
		case transport.DatagramEndpointState(pc.ep.State()) == transport.DatagramEndpointStateClosed:
			return wsa.WSAENETDOWN
		case translate.Errno(err) != wsa.WSAEWOULDBLOCK:
			return translate.Errno(err)
		}
		c.Wait("ping")
	}
}

// peer is the address that was dialled; nil where there is none.
func (pc *PingConn) peer() net.Addr {
	if !pc.remote.addr.IsValid() {
		return nil
	}
	return pc.remote
}

// opError is the error of a call in the form of package net.
func (pc *PingConn) opError(op string, addr net.Addr, err error) error {
	return &net.OpError{Op: op, Net: pc.local.Network(), Source: pc.local, Addr: addr, Err: err}
}

// SetDeadline sets both deadlines; the zero time removes them. They are on the stack's clock.
func (pc *PingConn) SetDeadline(t time.Time) error {
	return errors.Join(pc.SetReadDeadline(t), pc.SetWriteDeadline(t))
}

// SetReadDeadline bounds calls of Read and ReadFrom, those in progress included.
func (pc *PingConn) SetReadDeadline(t time.Time) error {
	return pc.setDeadline(&pc.rd, waiter.ReadableEvents, t)
}

// SetWriteDeadline bounds calls of Write and WriteTo, which wait while the stack has no room for
// what was sent.
func (pc *PingConn) SetWriteDeadline(t time.Time) error {
	return pc.setDeadline(&pc.wd, waiter.WritableEvents, t)
}

func (pc *PingConn) setDeadline(d *wait.Deadline, mask waiter.EventMask, t time.Time) error {
	if pc.closed.Load() {
		return pc.opError("set", nil, net.ErrClosed)
	}
	d.Set(pc.net.stack.Clock(), &pc.calls, mask, t)
	return nil
}

// Close closes the PingConn: calls in progress and later ones fail with net.ErrClosed. It is
// idempotent.
func (pc *PingConn) Close() error {
	if pc.closed.Swap(true) {
		return nil
	}
	pc.rd.Stop()
	pc.wd.Stop()
	pc.ep.Close()
	return nil
}
