package socket

import (
	"net/netip"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// Control carries out a control code of options.Controls; n is the number of
// bytes written to out. Another code is WSAEOPNOTSUPP.
func (s *Socket) Control(code uint32, in, out []byte) (n int, err wsa.Errno) {
	defer s.debugCall("ioctl", &err)
	before := s.undropped()
	n, err = s.control(code, in, out)
	return n, s.caught(before, err)
}

func (s *Socket) control(code uint32, in, out []byte) (n int, err wsa.Errno) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.enterLocked(); err != 0 {
		return 0, err
	}
	before := s.valuesLocked()
	n, err, ok := options.Control(&s.values, (*optionView)(s), code, in, out)
	switch {
	case !ok:
		return 0, wsa.WSAEOPNOTSUPP
	case err == 0:
		s.noteLocked(before)
		s.applyLocked()
	}
	return n, err
}

// SetHandle tells the socket its handle, for SO_UPDATE_ACCEPT_CONTEXT; until
// then it is the ID.
func (s *Socket) SetHandle(handle uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opt.handle = handle
}

// handleLocked is the number that SO_UPDATE_ACCEPT_CONTEXT knows the socket by.
func (s *Socket) handleLocked() uint64 {
	if s.opt.handle != 0 {
		return s.opt.handle
	}
	return s.id
}

// Handle implements options.Endpoint.
func (v *optionView) Handle() uint64 { return (*Socket)(v).handleLocked() }

// Interfaces implements options.Endpoint.
func (v *optionView) Interfaces() []options.Interface {
	var list []options.Interface
	for _, i := range v.host.Interfaces() {
		if i.Prefix.Addr().Is4() == (v.family == wsa.AF_INET) {
			list = append(list, i)
		}
	}
	return list
}

// SourceFor implements options.Endpoint.
func (v *optionView) SourceFor(to netip.Addr) (netip.Addr, wsa.Errno) {
	s := (*Socket)(v)
	to = s.destinationLocked(netip.AddrPortFrom(to, 0)).Addr()
	if err := s.checkZoneLocked(to); err != 0 {
		return netip.Addr{}, err
	}
	source, _, err := s.host.Source(s.boundAddr(), to)
	return source, err
}

// AcceptedFrom gives a socket of AcceptEx the options of the listener. After
// Accept it has nothing to do.
func (v *optionView) AcceptedFrom(listener uint64) wsa.Errno {
	switch {
	case v.state != options.Connected || v.opt.from == 0:
		return wsa.WSAENOTCONN
	case v.opt.from != listener:
		return wsa.WSAENOTSOCK
	}
	(*Socket)(v).updateContextLocked()
	return 0
}

// SetOverlapped says whether the socket was made with WSA_FLAG_OVERLAPPED.
// Without it, time-outs have no effect (TO-6) and no operation can be started.
func (s *Socket) SetOverlapped(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ops.synchronous = !on
}

// AtMark is the answer of SIOCATMARK.
func (v *optionView) AtMark() bool { return (*Socket)(v).atMarkLocked() }

// ConnectICMPError is kept until the next connect.
func (v *optionView) ConnectICMPError() wsa.ICMPErrorInfo {
	if v.icmpError == nil {
		return wsa.ICMPErrorInfo{}
	}
	return *v.icmpError
}
