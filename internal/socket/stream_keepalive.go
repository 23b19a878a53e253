package socket

import (
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/internal/tcp"
	"github.com/wsstack/wsstack/internal/transport"
	"github.com/wsstack/wsstack/keepalive"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// startKeepAliveLocked begins an idle period at a time with these parameters,
// or ends probing, as k says. One that began so long ago that a probe is overdue
// counts as just that long ago.
func (s *Socket) startKeepAliveLocked(k options.KeepAlive, from tcpip.MonotonicTime) {
	if s.conn == nil || s.state != options.Connected || s.closed {
		return
	}
	s.conn.Do(func(now time.Duration, e *tcp.Conn) {
		e.SetKeepAlive(max(transport.Instant(from), now-k.Idle), now, k.On,
			keepalive.Config{Idle: k.Idle, Interval: k.Interval, Count: int(k.Count)})
	})
}

// undropped is what a call remembers of the moment it was made; see caught.
func (s *Socket) undropped() bool { return !s.dropped.Load() }

// caught is the code of a call that failed. One that was made before the drop
// and looked at the connection after it was in progress, though it never
// waited (KA-30). before is undropped when it was made.
func (s *Socket) caught(before bool, err wsa.Errno) wsa.Errno {
	if before && err != 0 && s.dropped.Load() && (err == wsa.WSAENOTCONN || err == s.host.Profile().Endings().LaterDrop) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.dropSeen = true
		return wsa.WSAENETRESET
	}
	return err
}

// SetKeepAlive implements options.Endpoint: it (re)starts the idle period with
// the new parameters, or ends probing (KA-13, KA-14).
func (v *optionView) SetKeepAlive(k options.KeepAlive) wsa.Errno {
	(*Socket)(v).startKeepAliveLocked(k, v.host.Clock().NowMonotonic())
	return 0
}
