package stack

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// KeepAlive are the keep-alive parameters of sockets that set none: what the
// registry has on Windows (KeepAliveTime, KeepAliveInterval). They don't turn
// keep-alive on. Every zero field is the documented default.
type KeepAlive struct {
	// Idle is the time without a segment before the first probe: 1 ms to 0xFFFFFFFF ms, in whole
	// milliseconds. The documented default is 2 h.
	Idle time.Duration

	// Interval is the time between probes: 1 ms to 0xFFFFFFFF ms, in whole milliseconds. The
	// documented default is 1 s.
	Interval time.Duration

	// Count is the number of unanswered probes before the drop, 1 to 255; -1 means that there are
	// no probes and no drop (C-36). The documented default is 10, in profile Legacy 5.
	Count int

	// GarbageOctet gives every probe one octet, 0x00, that the peer has
	// acknowledged before, for peers that ignore empty probes (RFC 1122
	// §4.2.3.6; KA-8). It is for all sockets of the stack, those among them that exist.
	// The probes of profiles Windows and Legacy have the octet in any case (C-49b).
	GarbageOctet bool
}

const (
	maxKeepAliveTime  = math.MaxUint32 * time.Millisecond
	maxKeepAliveCount = 255
)

func (k KeepAlive) validate() error {
	for name, d := range map[string]time.Duration{"Idle": k.Idle, "Interval": k.Interval} {
		if d < 0 || d > maxKeepAliveTime || d%time.Millisecond != 0 {
			return fmt.Errorf("KeepAlive.%s: %v is not a number of milliseconds from 1 to 0xFFFFFFFF", name, d)
		}
	}
	if k.Count < -1 || k.Count > maxKeepAliveCount {
		return errors.New("KeepAlive.Count is not between 1 and 255, nor -1")
	}
	return nil
}

// resolve is KeepAlive with the zero fields filled in.
func (k KeepAlive) resolve(p options.Profile) *options.KeepAlive {
	d := options.Defaults(p, wsa.AF_INET, options.Stream).KeepAlive
	if k.Idle != 0 {
		d.Idle = k.Idle
	}
	if k.Interval != 0 {
		d.Interval = k.Interval
	}
	switch {
	case k.Count > 0:
		d.Count = uint32(k.Count)
	case k.Count < 0:
		d.Count = 0
	}
	return &d
}

// garbage reports whether probes carry an octet in a profile.
func (k KeepAlive) garbage(p options.Profile) bool { return k.GarbageOctet || p.Wire().ProbeOctet }

// SetKeepAlive replaces Config.KeepAlive. Sockets that exist keep their
// parameters (but for GarbageOctet), those made from now on have the new ones,
// and so has SIO_KEEPALIVE_VALS where a time is 0. An error says in a plain
// sentence which field is wrong; nothing changes then.
func (s *Stack) SetKeepAlive(k KeepAlive) error {
	if err := k.validate(); err != nil {
		return fmt.Errorf("stack: %w", err)
	}
	s.keepAlive.Store(k.resolve(s.cfg.Profile))
	s.tcp.SetGarbage(k.garbage(s.cfg.Profile))
	return nil
}
