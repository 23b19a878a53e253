package stack

import (
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/internal/outside"
)

// A clock is what Config.Clock is, or the real one.
type clock interface {
	tcpip.Clock

	// Until is how far a time that the caller has from Now, or for the real clock
	// from package time, is away.
	Until(time.Time) time.Duration
}

func newClock(c tcpip.Clock, door *outside.Door) clock {
	if c == nil {
		return outside.NewClock(door)
	}
	return givenClock{c}
}

// A givenClock is Config.Clock.
type givenClock struct{ tcpip.Clock }

// Until implements clock.
func (c givenClock) Until(t time.Time) time.Duration { return t.Sub(c.Now()) }
