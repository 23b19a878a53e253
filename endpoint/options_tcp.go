package endpoint

import (
	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// congestionNames are netstack's names of the algorithms.
var congestionNames = map[options.Congestion]tcpip.CongestionControlOption{
	options.CongestionDefault: "cubic",
	options.CongestionReno:    "reno",
	options.CongestionCubic:   "cubic",
}

// Control carries out a control code that shares state with the options, as
// SIO_KEEPALIVE_VALS and SIO_UDP_CONNRESET do: options.Controls lists them.
// Another one is WSAEOPNOTSUPP.
func (s *Socket) Control(code uint32, in []byte) wsa.Errno {
	before := s.undropped()
	return s.caught(before, s.control(code, in))
}

func (s *Socket) control(code uint32, in []byte) wsa.Errno {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.enterLocked(); err != 0 {
		return err
	}
	err, ok := options.Control(&s.values, (*optionView)(s), code, in)
	switch {
	case !ok:
		return wsa.WSAEOPNOTSUPP
	case err == 0 && s.kind != options.Stream:
		s.setFilterLocked()
	}
	return err
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

// AtMark: urgent data isn't implemented yet, so no urgent byte is ahead.
func (v *optionView) AtMark() bool { return true }

// ConnectICMPError: the hooks don't record ICMP errors yet.
func (v *optionView) ConnectICMPError() wsa.ICMPErrorInfo { return wsa.ICMPErrorInfo{} }
