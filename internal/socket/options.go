package socket

import (
	"net/netip"
	"time"

	"github.com/wsstack/wsstack/internal/tcp"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// SetSockOpt is Setsockopt with all bytes of optval.
func (s *Socket) SetSockOpt(level, name int32, optval []byte) wsa.Errno {
	return s.Setsockopt(level, name, optval, int32(len(optval)))
}

// Setsockopt is setsockopt: the table of package options decides. A nil optval is the NULL pointer
// (WSAEFAULT). A failed call changes nothing.
func (s *Socket) Setsockopt(level, name int32, optval []byte, optlen int32) (code wsa.Errno) {
	defer s.debugCall("setsockopt", &code)
	before := s.undropped()
	return s.caught(before, s.setsockopt(level, name, optval, optlen))
}

func (s *Socket) setsockopt(level, name int32, optval []byte, optlen int32) wsa.Errno {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.enterLocked(); err != 0 {
		return err
	}
	before := s.valuesLocked()
	if err := options.Setsockopt(&s.values, (*optionView)(s), level, name, optval, optlen); err != 0 {
		return err
	}
	s.noteLocked(before)
	s.applyLocked()
	return 0
}

// GetSockOpt is Getsockopt into all bytes of optval; n is that of options.Get.
func (s *Socket) GetSockOpt(level, name int32, optval []byte) (n int, err wsa.Errno) {
	err = s.read(func() (err wsa.Errno) {
		n, err = options.Get(&s.values, (*optionView)(s), level, name, optval)
		return err
	})
	return n, err
}

// Getsockopt is getsockopt; after is the value for *optlen, which was optlen.
func (s *Socket) Getsockopt(level, name int32, optval []byte, optlen int32) (after int32, err wsa.Errno) {
	after = optlen
	err = s.read(func() (err wsa.Errno) {
		after, err = options.Getsockopt(&s.values, (*optionView)(s), level, name, optval, optlen)
		return err
	})
	return after, err
}

// read is a getsockopt that get carries out with s.mu held.
func (s *Socket) read(get func() wsa.Errno) (err wsa.Errno) {
	defer s.debugCall("getsockopt", &err)
	before := s.undropped()
	return s.caught(before, s.readOption(get))
}

func (s *Socket) readOption(get func() wsa.Errno) wsa.Errno {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.enterLocked(); err != 0 {
		return err
	}
	return get()
}

// applyLocked gives the connection, or the endpoint, the stored values that it acts on. It
// runs after every set and for every new endpoint, so that an endpoint made
// late has them all. Each part knows what it has given the endpoint, and
// gives it what is different: no list says which option concerns which part.
func (s *Socket) applyLocked() {
	s.debugOn.Store(s.values.Debug)
	s.behaviour.applyLocked(s)
}

// applyEndpointLocked is applyLocked for the endpoint of netstack; applyIP gives it the
// options of IP and UDP that have changed, all of them if it is fresh.
func (s *Socket) applyEndpointLocked(applyIP func(s *Socket, st, old ipState, fresh bool)) {
	if s.ep == nil {
		return
	}
	fresh := !s.opt.known
	ops := s.ep.SocketOptions()
	if fresh {
		ops.SetBroadcast(true) // a send that may not go there doesn't come so far (BC-1)
	}
	if s.family == wsa.AF_INET6 {
		ops.SetV6Only(!s.dualStack())
	}
	s.setFilterLocked()
	if st, old := s.ipStateLocked(), s.opt.applied; fresh || old != st {
		s.opt.applied = st
		applyIP(s, st, old, fresh)
	}
	s.applyRecvBufferLocked(fresh)
	s.opt.known = true
}

// optionView is the socket as the option table sees it, with s.mu held.
type optionView Socket

var _ options.Endpoint = (*optionView)(nil)

func (v *optionView) Family() int32             { return v.family }
func (v *optionView) Kind() options.Kind        { return v.behaviour.kind() }
func (v *optionView) Protocol() int32           { return v.protocol }
func (v *optionView) State() options.State      { return v.state }
func (v *optionView) Profile() options.Profile  { return v.host.Profile() }
func (v *optionView) LocalAddr() netip.AddrPort { return v.local }

func (v *optionView) RemoteAddr() netip.AddrPort { return v.remote }

func (v *optionView) ConnectionError(set bool) wsa.Errno {
	switch {
	case v.state != options.Dead:
		return 0
	case (*Socket)(v).droppedLocked():
		return wsa.WSAENOTCONN // KA-32
	case set && v.reason == wsa.WSAECONNRESET && v.values.KeepAlive.On:
		return wsa.WSAENOTCONN // KA-33
	}
	return 0
}

// TakeDrop is the answer of a set of SO_KEEPALIVE after a drop that nobody was told of
// (C-11).
func (v *optionView) TakeDrop() bool {
	first := (*Socket)(v).droppedLocked() && !v.dropSeen && !v.dropTold
	v.dropSeen = v.dropSeen || first
	return first
}

func (v *optionView) KeepAliveDefaults() options.KeepAlive { return v.host.KeepAliveDefaults() }

// TakeError is SO_ERROR. An ICMP error that waits for recv is one as well, and
// whoever is first takes it (EO-2, EO-9).
func (v *optionView) TakeError() wsa.Errno {
	err := v.pending
	if v.pending = 0; v.datagram != nil {
		v.softErr = 0
	}
	return err
}

func (v *optionView) ConnectedFor() (time.Duration, bool) {
	if v.conn == nil || v.state != options.Connected {
		return 0, false
	}
	// Half-closed counts, closed by both sides doesn't (CT-5).
	if st := (*Socket)(v).connState(); st == tcp.Closed || st == tcp.TimeWait {
		return 0, false
	}
	return v.host.Clock().NowMonotonic().Sub(v.connected), true
}

func (v *optionView) MSS() (mss int, ok bool) {
	if v.conn == nil || v.state != options.Connected {
		return 0, false
	}
	v.conn.Do(func(_ time.Duration, e *tcp.Conn) { mss = e.MSS() })
	return mss, true
}

// SetNoDelay has nothing to do: applyLocked tells the connection, and what it held
// leaves (NG-6).
func (v *optionView) SetNoDelay(bool) wsa.Errno { return 0 }

// SetOOBInline has nothing to do: applyLocked tells the connection (OB-12).
func (v *optionView) SetOOBInline(bool) wsa.Errno { return 0 }
