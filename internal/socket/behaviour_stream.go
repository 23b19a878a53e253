package socket

import (
	"net/netip"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/internal/backlog"
	"github.com/wsstack/wsstack/internal/tcp"
	"github.com/wsstack/wsstack/internal/urgent"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// stream is what a socket has of its connection, of the attempt to make one, and of those it
// listens for. The fields that aren't atomic are guarded by Socket.mu.
type stream struct {
	dropped   atomic.Bool  // keep-alive has dropped the connection, and the socket knows
	undecided atomic.Bool  // a connect is in progress, whose outcome the pump looks for
	noRecv    atomic.Bool  // receives were pending at SD_RECEIVE, and may take what comes next
	receiving atomic.Int32 // how many receive calls are in progress
	sending   atomic.Int32 // how many send calls wait
	partial   atomic.Int64 // the bytes that calls with MSG_WAITALL have, and may give back
	quota     atomic.Int64 // SO_SNDBUF in bytes; its complement while it isn't set
	accepted  atomic.Int64 // the bytes that sends have accepted
	urgent    urgent.Data

	backlog    *backlog.Queue      // what waits for accept; nil unless the socket listens
	silent     bool                // the peers of connections that come hear nothing after the handshake
	connected  tcpip.MonotonicTime // the time at which the connection was established
	connects   bool                // the connection, or the attempt at one, is of a connect call
	async      bool                // that call didn't wait: the socket was non-blocking
	connectErr wsa.Errno           // why the last attempt to connect failed
	icmpError  *wsa.ICMPErrorInfo  // the ICMP error that made the attempt fail; nil: none did
	context    *lateContext        // what SO_UPDATE_…_CONTEXT is to give the socket; nil: nothing
	unhold     func()              // lets go of an exclusive listener's address; may be nil
	shutReset  bool                // shutdown has reset the connection (SH-2)
	reason     wsa.Errno           // why the connection died: what later calls return
	dropSeen   bool                // a call was told of the keep-alive drop (C-10, C-11)
	dropTold   bool                // FD_CLOSE has told of it (C-11)
}

// streamBehaviour is that of streams: TCP.
type streamBehaviour struct{}

func (streamBehaviour) kind() options.Kind       { return options.Stream }
func (streamBehaviour) name() string             { return "tcp" }
func (streamBehaviour) connectionOriented() bool { return true }
func (streamBehaviour) hasPorts() bool           { return true }

func (streamBehaviour) checkBindLocked(*Socket, netip.Addr) wsa.Errno { return 0 }

// openLocked has nothing to do: whether the socket listens or connects isn't known yet.
func (streamBehaviour) openLocked(*Socket, netip.AddrPort) wsa.Errno { return 0 }

// newEndpoint: netstack's TCP isn't used.
func (streamBehaviour) newEndpoint(*Socket, tcpip.NetworkProtocolNumber, *waiter.Queue) (tcpip.Endpoint, tcpip.Error) {
	return nil, &tcpip.ErrUnknownProtocol{}
}

// checkPeerLocked refuses what is no single host (BC-6).
func (streamBehaviour) checkPeerLocked(s *Socket, a netip.Addr) wsa.Errno {
	if a = a.Unmap(); a.IsMulticast() || s.host.IsBroadcast(a) {
		return wsa.WSAEADDRNOTAVAIL
	}
	return 0
}

func (streamBehaviour) connectLocked(s *Socket, addr netip.AddrPort) wsa.Errno {
	if s.state == options.Connected {
		return wsa.WSAEISCONN
	}
	if err := s.checkDestinationLocked(addr); err != 0 {
		return err
	}
	return s.connectStreamLocked(addr)
}

func (streamBehaviour) checkRecvLocked(s *Socket, flags int32, waited bool) wsa.Errno {
	switch {
	case s.shutReset: // SH-2: by this side, which is what it is told
		return wsa.WSAESHUTDOWN
	case s.state == options.Dead:
		return s.deadErrnoLocked(waited)
	case s.state != options.Connected:
		return wsa.WSAENOTCONN
	case s.shutRecv && !waited: // C-47: a pending one goes on
		return wsa.WSAESHUTDOWN
	case flags&wsa.MSG_OOB != 0 && s.values.OOBInline:
		return wsa.WSAEINVAL
	}
	return 0
}

func (streamBehaviour) checkSendLocked(s *Socket, _ int, _ netip.AddrPort, waited bool) wsa.Errno {
	switch {
	case s.state == options.Dead:
		return s.deadErrnoLocked(waited)
	case s.state != options.Connected:
		return wsa.WSAENOTCONN
	case s.shutSend, !waited && s.disconnectingLocked():
		return wsa.WSAESHUTDOWN
	}
	return 0
}

func (streamBehaviour) recv(s *Socket, on medium, b []byte, flags int32, a attempt) (int, netip.AddrPort, wsa.Errno) {
	n, err := s.recvStream(on.conn, b, flags, a)
	return n, netip.AddrPort{}, err
}

func (streamBehaviour) send(s *Socket, on medium, b []byte, _ netip.AddrPort, waited bool) (int, wsa.Errno) {
	if len(b) == 0 {
		return 0, 0 // nothing leaves (BF-22)
	}
	n, err := s.writeStream(on.conn, b)
	return n, s.sendFailed(err, waited)
}

func (streamBehaviour) readable(s *Socket, on medium, state options.State) (int, wsa.Errno) {
	switch {
	case state == options.Dead:
		return 0, wsa.WSAENOTCONN
	case on.conn != nil && state == options.Connected:
		return s.readableOf(on.conn), 0
	}
	return 0, 0
}

func (streamBehaviour) catchUp(s *Socket) { s.pullUrgent() }

func (streamBehaviour) checkShutdownLocked(s *Socket) wsa.Errno {
	switch {
	case s.state == options.Dead:
		return s.deadErrnoLocked(false)
	case s.state != options.Connected, s.context != nil: // IN-5, IN-6
		return wsa.WSAENOTCONN
	}
	return 0
}

// shutSendLocked puts the FIN behind what was accepted.
func (streamBehaviour) shutSendLocked(s *Socket) {
	s.conn.Do(func(now time.Duration, e *tcp.Conn) { e.Close(now) })
}

// shutRecvLocked resets the connection, now or when data comes that nobody can receive any
// more (SH-2), where the profile says so.
func (streamBehaviour) shutRecvLocked(s *Socket) {
	s.noRecv.Store(true)
	s.events.ownReset = true
	s.resetIfUnreadLocked()
	s.events.ownReset = s.state == options.Dead
}
