package conform

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/wsa"
)

// A handle is a socket of one of the hosts. Each of its methods makes a call of Winsock and ends
// the scenario unless the outcome is the one wanted: success, or the code that comes last.
type handle struct {
	e    *Env
	p    *provider.Provider
	s    wsa.SOCKET
	what string // of as
	t    calls  // of on; nil: p makes the calls
}

// calls are those that a thread of an application can make as well.
type calls interface {
	Accept(wsa.SOCKET) (wsa.SOCKET, netip.AddrPort, error)
	Bind(wsa.SOCKET, netip.AddrPort) error
	CloseSocket(wsa.SOCKET) error
	Connect(wsa.SOCKET, netip.AddrPort) error
	EnumNetworkEvents(wsa.SOCKET, *provider.Event) (provider.NetworkEvents, error)
	EventSelect(s wsa.SOCKET, ev *provider.Event, mask int32) error
	GetPeerName(wsa.SOCKET) (netip.AddrPort, error)
	GetSockName(wsa.SOCKET) (netip.AddrPort, error)
	GetSockOpt(s wsa.SOCKET, level, optname int32, optval []byte, optlen *int32) error
	Ioctl(s wsa.SOCKET, code uint32, in, out []byte) (int, error)
	Listen(s wsa.SOCKET, backlog int32) error
	Recv(s wsa.SOCKET, buf []byte, flags int32) (int, error)
	RecvFrom(s wsa.SOCKET, buf []byte, flags int32) (int, netip.AddrPort, error)
	Select(read, write, except []wsa.SOCKET, timeout time.Duration) (r, w, x []wsa.SOCKET, _ error)
	Send(s wsa.SOCKET, buf []byte, flags int32) (int, error)
	SendTo(s wsa.SOCKET, buf []byte, flags int32, to netip.AddrPort) (int, error)
	SetSockOpt(s wsa.SOCKET, level, optname int32, optval []byte, optlen int32) error
	Shutdown(s wsa.SOCKET, how int32) error
}

// on is the socket as a thread uses it.
func (h handle) on(t *provider.Thread) handle {
	h.t = t
	return h
}

// calls are those of the thread, or of the application.
func (h handle) calls() calls {
	if h.t != nil {
		return h.t
	}
	return h.p
}

// as gives the next call a name of its own, for what a failure says.
func (h handle) as(what string) handle {
	h.what = what
	return h
}

// outcome ends the scenario unless a call has ended as wanted: nothing and 0 mean success.
func (h handle) outcome(call string, err error, want []wsa.Errno) {
	switch {
	case h.what != "":
		call = h.what
	case h.p == h.e.Q:
		call = "the peer's " + call
	}
	code := wsa.Errno(0)
	if len(want) > 0 {
		code = want[0]
	}
	h.e.Code(call, err, code)
}

// noSocket is a handle that no host has given.
func (e *Env) noSocket() handle { return handle{e: e, p: e.P, s: bogus} }

// with is the handle of another socket of the same application.
func (h handle) with(s wsa.SOCKET) handle { return handle{e: h.e, p: h.p, s: s} }

// raw are the sockets of handles, for calls that take a list of them.
func raw(handles []handle) []wsa.SOCKET {
	var out []wsa.SOCKET
	for _, h := range handles {
		out = append(out, h.s)
	}
	return out
}

// open makes a socket of an application.
func (e *Env) open(p *provider.Provider, family, typ, protocol int32, want ...wsa.Errno) handle {
	s, err := p.Socket(family, typ, protocol)
	h := handle{e: e, p: p, s: s}
	h.outcome(fmt.Sprintf("Socket(%d, %d, %d)", family, typ, protocol), err, want)
	return h
}

// plain is WSASocket on A, of a group and without the overlapped attribute.
func (e *Env) plain(typ int32, group uint32) handle {
	s, err := e.P.SocketEx(e.Family, typ, 0, group, 0)
	h := handle{e: e, p: e.P, s: s}
	h.outcome("SocketEx", err, nil)
	return h
}

// ready asks select for "r", readability, "w", writability, and "x", exceptions, and returns which
// of those there are.
func (h handle) ready(sets string, timeout time.Duration, want ...wsa.Errno) (out string) {
	var lists [3][]wsa.SOCKET
	for i, set := range "rwx" {
		if strings.ContainsRune(sets, set) {
			lists[i] = []wsa.SOCKET{h.s}
		}
	}
	r, w, x, err := h.calls().Select(lists[0], lists[1], lists[2], timeout)
	h.outcome("Select", err, want)
	for i, got := range [][]wsa.SOCKET{r, w, x} {
		if len(got) > 0 {
			out += "rwx"[i : i+1]
		}
	}
	return out
}

func (h handle) readable() bool { return h.ready("r", 0) == "r" }

// Select returns the sockets that are readable, writable, and exceptional.
func (e *Env) Select(p *provider.Provider, read, write, except []handle, timeout time.Duration, want ...wsa.Errno) (r, w, x []wsa.SOCKET) {
	r, w, x, err := p.Select(raw(read), raw(write), raw(except), timeout)
	handle{e: e, p: p}.outcome("Select", err, want)
	return r, w, x
}

// poll is WSAPoll.
func (e *Env) poll(p *provider.Provider, fds []provider.PollFD, timeout time.Duration, want ...wsa.Errno) int {
	n, err := p.Poll(fds, timeout)
	handle{e: e, p: p}.outcome("Poll", err, want)
	return n
}

func (h handle) bind(addr netip.AddrPort, want ...wsa.Errno) {
	h.outcome("Bind", h.calls().Bind(h.s, addr), want)
}

func (h handle) listen(backlog int32, want ...wsa.Errno) {
	h.outcome("Listen", h.calls().Listen(h.s, backlog), want)
}

func (h handle) connect(addr netip.AddrPort, want ...wsa.Errno) {
	h.outcome("Connect", h.calls().Connect(h.s, addr), want)
}

// accept and acceptFrom are accept; acceptFrom tells the peer's address.
func (h handle) accept(want ...wsa.Errno) handle {
	s, _ := h.acceptFrom(want...)
	return s
}

func (h handle) acceptFrom(want ...wsa.Errno) (handle, netip.AddrPort) {
	s, peer, err := h.calls().Accept(h.s)
	h.outcome("Accept", err, want)
	return h.with(s), peer
}

// acceptCond is WSAAccept with a condition function.
func (h handle) acceptCond(condition func(caller, called netip.AddrPort) int32, want ...wsa.Errno) handle {
	s, _, err := h.p.AcceptCond(h.s, condition)
	h.outcome("AcceptCond", err, want)
	return h.with(s)
}

func (h handle) shutdown(how int32, want ...wsa.Errno) {
	h.outcome("Shutdown", h.calls().Shutdown(h.s, how), want)
}

func (h handle) close(want ...wsa.Errno) { h.outcome("CloseSocket", h.calls().CloseSocket(h.s), want) }

func (h handle) sockName(want ...wsa.Errno) netip.AddrPort {
	addr, err := h.calls().GetSockName(h.s)
	h.outcome("GetSockName", err, want)
	return addr
}

func (h handle) peerName(want ...wsa.Errno) netip.AddrPort {
	addr, err := h.calls().GetPeerName(h.s)
	h.outcome("GetPeerName", err, want)
	return addr
}

// send sends n bytes, say a text, and oob one whose last byte is urgent: all of it, if the call is
// to succeed.
func (h handle) send(n int, want ...wsa.Errno) { h.sendAll(make([]byte, n), 0, want) }

func (h handle) say(text string, want ...wsa.Errno) { h.sendAll([]byte(text), 0, want) }

func (h handle) oob(text string, want ...wsa.Errno) { h.sendAll([]byte(text), wsa.MSG_OOB, want) }

func (h handle) sendAll(b []byte, flags int32, want []wsa.Errno) {
	if n := h.sendSome(b, flags, want...); len(want) == 0 || want[0] == 0 {
		Equal(h.e, "bytes accepted", n, len(b))
	}
}

// fill makes the next send find no room. Where one send is accepted whole while less than SO_SNDBUF
// is queued (C-07), that takes another one.
func (h handle) fill() {
	if h.e.Profile != options.Documented {
		h.send(16 << 20)
	}
}

// sendSome returns how many bytes were accepted.
func (h handle) sendSome(b []byte, flags int32, want ...wsa.Errno) int {
	n, err := h.calls().Send(h.s, b, flags)
	h.outcome("Send", err, want)
	return n
}

// sendTo and sendSomeTo return how many bytes were accepted; sayTo sends a text.
func (h handle) sendTo(to netip.AddrPort, b []byte, want ...wsa.Errno) int {
	return h.sendSomeTo(b, 0, to, want...)
}

func (h handle) sayTo(to netip.AddrPort, text string, want ...wsa.Errno) {
	h.sendSomeTo([]byte(text), 0, to, want...)
}

func (h handle) sendSomeTo(b []byte, flags int32, to netip.AddrPort, want ...wsa.Errno) int {
	n, err := h.calls().SendTo(h.s, b, flags, to)
	h.outcome("SendTo", err, want)
	return n
}

func (h handle) sendMsg(b, control []byte, to netip.AddrPort, want ...wsa.Errno) int {
	n, err := h.p.SendMsg(h.s, b, control, 0, to)
	h.outcome("SendMsg", err, want)
	return n
}

// recvMsg is WSARecvMsg.
func (h handle) recvMsg(b, control []byte, flags int32, want ...wsa.Errno) provider.Message {
	m, err := h.p.RecvMsg(h.s, b, control, flags)
	h.outcome("RecvMsg", err, want)
	return m
}

// recv and recvFlags return what a buffer of a size got, recvInto how much of one.
func (h handle) recv(size int, want ...wsa.Errno) []byte { return h.recvFlags(size, 0, want...) }

func (h handle) recvFlags(size int, flags int32, want ...wsa.Errno) []byte {
	b := make([]byte, size)
	return b[:h.recvInto(b, flags, want...)]
}

func (h handle) recvInto(b []byte, flags int32, want ...wsa.Errno) int {
	n, err := h.calls().Recv(h.s, b, flags)
	h.outcome("Recv", err, want)
	return n
}

func (h handle) recvFrom(size int, want ...wsa.Errno) ([]byte, netip.AddrPort) {
	b := make([]byte, size)
	n, from, err := h.calls().RecvFrom(h.s, b, 0)
	h.outcome("RecvFrom", err, want)
	return b[:n], from
}

// set sets a four-byte option, get gets one, and reads gets one that must have a value.
func (h handle) set(level, opt int32, value uint32, want ...wsa.Errno) {
	h.outcome("SetSockOpt "+wsa.OptionName(level, opt), h.trySet(level, opt, value), want)
}

func (h handle) trySet(level, opt int32, value uint32) error {
	return h.calls().SetSockOpt(h.s, level, opt, []byte{byte(value), byte(value >> 8), byte(value >> 16), byte(value >> 24)}, 4)
}

func (h handle) get(level, opt int32, want ...wsa.Errno) uint32 {
	v, err := h.tryGet(level, opt)
	h.outcome("GetSockOpt "+wsa.OptionName(level, opt), err, want)
	return v
}

func (h handle) tryGet(level, opt int32) (uint32, error) {
	b, n := make([]byte, 4), int32(4)
	err := h.calls().GetSockOpt(h.s, level, opt, b, &n)
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24, err
}

func (h handle) reads(level, opt int32, value uint32) {
	Equal(h.e, wsa.OptionName(level, opt), h.get(level, opt), value)
}

// soError takes SO_ERROR.
func (h handle) soError() wsa.Errno { return wsa.Errno(h.get(wsa.SOL_SOCKET, wsa.SO_ERROR)) }

// setBytes and getBytes are setsockopt and getsockopt as they are.
func (h handle) setBytes(level, opt int32, b []byte, n int32, want ...wsa.Errno) {
	h.outcome("SetSockOpt "+wsa.OptionName(level, opt), h.calls().SetSockOpt(h.s, level, opt, b, n), want)
}

func (h handle) getBytes(level, opt int32, b []byte, n *int32, want ...wsa.Errno) {
	h.outcome("GetSockOpt "+wsa.OptionName(level, opt), h.calls().GetSockOpt(h.s, level, opt, b, n), want)
}

func (h handle) ioctl(code uint32, in, out []byte, want ...wsa.Errno) int {
	n, err := h.calls().Ioctl(h.s, code, in, out)
	h.outcome(controlName(code), err, want)
	return n
}

// controlName is the symbol of a control code.
func controlName(code uint32) string {
	for _, c := range options.Controls() {
		if c.Code == code {
			return c.Symbol
		}
	}
	return fmt.Sprintf("Ioctl %#x", code)
}

// value is what a control code says in four bytes.
func (h handle) value(code uint32) uint32 {
	b := make([]byte, 4)
	h.ioctl(code, nil, b)
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

// nonblocking sets FIONBIO.
func (h handle) nonblocking(on bool) {
	in := []byte{0, 0, 0, 0}
	if on {
		in[0] = 1
	}
	h.ioctl(wsa.FIONBIO, in, nil)
}

// linger sets SO_LINGER {1, seconds}.
func (h handle) linger(seconds uint32) { h.set(wsa.SOL_SOCKET, wsa.SO_LINGER, 1|seconds<<16) }

// sndbuf sets SO_SNDBUF, rcvbuf SO_RCVBUF.
func (h handle) sndbuf(n uint32) { h.set(wsa.SOL_SOCKET, wsa.SO_SNDBUF, n) }
func (h handle) rcvbuf(n uint32) { h.set(wsa.SOL_SOCKET, wsa.SO_RCVBUF, n) }

// inline sets SO_OOBINLINE.
func (h handle) inline(on uint32) { h.set(wsa.SOL_SOCKET, wsa.SO_OOBINLINE, on) }

// reset makes B, whose socket it is, reset the connection, inside Do.
func (h handle) reset() {
	h.linger(0)
	h.close()
	h.e.Net.Sleep(time.Second)
}

func (h handle) recvAsync(b []byte, want ...wsa.Errno) *provider.Overlapped {
	return h.recvAsyncFlags(b, 0, want...)
}

func (h handle) recvAsyncFlags(b []byte, flags int32, want ...wsa.Errno) *provider.Overlapped {
	o, err := h.p.RecvAsync(h.s, b, flags)
	h.outcome("RecvAsync", err, want)
	return o
}

func (h handle) sendAsync(b []byte, want ...wsa.Errno) *provider.Overlapped {
	return h.sendAsyncFlags(b, 0, want...)
}

func (h handle) sendAsyncFlags(b []byte, flags int32, want ...wsa.Errno) *provider.Overlapped {
	o, err := h.p.SendAsync(h.s, b, flags)
	h.outcome("SendAsync", err, want)
	return o
}

func (h handle) acceptEx(s handle, b []byte, want ...wsa.Errno) *provider.Overlapped {
	o, err := h.p.AcceptEx(h.s, s.s, b)
	h.outcome("AcceptEx", err, want)
	return o
}

func (h handle) connectEx(addr netip.AddrPort, b []byte, want ...wsa.Errno) *provider.Overlapped {
	o, err := h.p.ConnectEx(h.s, addr, b)
	h.outcome("ConnectEx", err, want)
	return o
}

func (h handle) disconnectEx(flags, reserved uint32, want ...wsa.Errno) *provider.Overlapped {
	o, err := h.p.DisconnectEx(h.s, flags, reserved)
	h.outcome("DisconnectEx", err, want)
	return o
}

func (h handle) disconnect(flags, reserved uint32, want ...wsa.Errno) {
	h.outcome("Disconnect", h.p.Disconnect(h.s, flags, reserved), want)
}

func (h handle) eventSelect(ev *provider.Event, mask int32, want ...wsa.Errno) {
	h.outcome("EventSelect", h.calls().EventSelect(h.s, ev, mask), want)
}

func (h handle) enumEvents(ev *provider.Event, want ...wsa.Errno) provider.NetworkEvents {
	events, err := h.calls().EnumNetworkEvents(h.s, ev)
	h.outcome("EnumNetworkEvents", err, want)
	return events
}
