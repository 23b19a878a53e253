package peers

import (
	"container/list"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// A session is the datagrams of one peer: what the peer sends goes to out, and what comes from
// there goes back.
type session struct {
	peer  netip.AddrPort
	out   net.Conn
	place *list.Element // in the order of use
}

// A relay is the sessions of a datagram socket. At most maxSessions are open: a new one closes the
// one that was used least recently. One on which nothing has moved for idleTimeout is closed
// (RFC 4787 §4.3).
type relay struct {
	r    *running
	c    net.PacketConn
	dial func() (net.Conn, error)

	mu       sync.Mutex
	sessions map[netip.AddrPort]*session
	used     *list.List // of *session, the one that was used least recently first
}

// relay has the peers of a datagram socket talk to what dial connects to.
func (r *running) relay(c net.PacketConn, dial func() (net.Conn, error)) {
	y := &relay{r: r, c: c, dial: dial, sessions: map[netip.AddrPort]*session{}, used: list.New()}
	r.receive(c, y.forth)
}

// forth takes a datagram of a peer. One that can't be sent is lost, as on a network.
func (y *relay) forth(b []byte, from net.Addr) {
	u, ok := from.(*net.UDPAddr)
	if !ok {
		return
	}
	peer := u.AddrPort()
	s := y.find(peer)
	if s == nil {
		out, err := y.dial()
		if err != nil {
			y.r.log("connect", err)
			return
		}
		if s = y.begin(peer, out); s == nil {
			return
		}
	}
	_ = s.out.SetReadDeadline(time.Now().Add(idleTimeout))
	if _, err := s.out.Write(b); err != nil {
		y.r.log("send", err)
	}
}

// find returns the session of a peer, if there is one.
func (y *relay) find(peer netip.AddrPort) *session {
	y.mu.Lock()
	defer y.mu.Unlock()
	s := y.sessions[peer]
	if s != nil {
		y.used.MoveToBack(s.place)
	}
	return s
}

// begin makes the session of a peer, or nil where the service has ended.
func (y *relay) begin(peer netip.AddrPort, out net.Conn) *session {
	if !y.r.keep(out) {
		return nil
	}
	s := &session{peer: peer, out: out}
	y.mu.Lock()
	var oldest *session
	if y.used.Len() >= maxSessions {
		oldest = y.used.Front().Value.(*session)
		y.removeLocked(oldest)
	}
	y.sessions[peer], s.place = s, y.used.PushBack(s)
	y.mu.Unlock()
	if oldest != nil {
		y.r.done(oldest.out)
	}
	y.r.wg.Go(func() { y.back(s) }) // ends with the socket of the session
	return s
}

// back sends the peer what comes for it.
func (y *relay) back(s *session) {
	defer y.r.done(s.out)
	defer func() {
		y.mu.Lock()
		y.removeLocked(s)
		y.mu.Unlock()
	}()
	buf := make([]byte, maxDatagram)
	for {
		n, err := s.out.Read(buf)
		var e net.Error
		switch {
		case err == nil:
		case errors.As(err, &e) && !e.Timeout() && y.find(s.peer) == s: // such as a refusal: the service may come back
			if !y.r.pause(5 * time.Millisecond) {
				return
			}
			continue
		default:
			return
		}
		_ = s.out.SetReadDeadline(time.Now().Add(idleTimeout))
		if _, err := y.c.WriteTo(buf[:n], net.UDPAddrFromAddrPort(s.peer)); err != nil {
			y.r.log("answer", err)
		}
	}
}

func (y *relay) removeLocked(s *session) {
	if y.sessions[s.peer] == s {
		delete(y.sessions, s.peer)
		y.used.Remove(s.place)
	}
}
