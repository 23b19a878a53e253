package conform

import (
	"time"

	"github.com/wsstack/wsstack/options"
)

// The lists of profiles that a scenario may be true of, where it isn't true of all.
var (
	documentedOnly = []options.Profile{options.Documented}
	notLegacy      = []options.Profile{options.Documented, options.Windows}
	measured       = []options.Profile{options.Windows, options.Legacy}
	legacyOnly     = []options.Profile{options.Legacy}
)

// byProfile is what a profile answers: the documented one, or those that are as measured.
func byProfile[T any](e *Env, documented, windows T) T {
	if e.Profile == options.Documented {
		return documented
	}
	return windows
}

// legacyOr is what Legacy answers, or what the other profiles do.
func legacyOr[T any](e *Env, legacy, others T) T {
	if e.Profile == options.Legacy {
		return legacy
	}
	return others
}

// ackDelay is how long the profile delays the acknowledgement of one segment.
func (e *Env) ackDelay() time.Duration { return e.Profile.Wire().DelayedAck }

// refusal is the time after which a connect to a closed port of B fails: its SYN is sent again after a
// RST, in some profiles.
func (e *Env) refusal() time.Duration {
	w := e.Profile.Wire()
	return time.Duration(w.RefusedTries)*2*Delay + time.Duration(w.RefusedTries-1)*w.RefusedPause
}

// silence is the time after which a connect that nobody answers fails.
func (e *Env) silence() time.Duration {
	w := e.Profile.Wire()
	if w.ConnectLife > 0 {
		return w.ConnectLife
	}
	return w.ConnectRTO * (1<<w.ConnectTries - 1)
}

// firstWindow is the window of a SYN without a buffer that was set, or the least of a profile whose
// windows are whole segments.
func (e *Env) firstWindow() int {
	if mss := e.ownMSS(); e.Profile.Wire().WholeWindows {
		return 65535 / mss * mss
	}
	return 65535
}

// inEach is what each of the profiles answers.
func inEach[T any](e *Env, documented, windows, legacy T) T {
	return legacyOr(e, legacy, byProfile(e, documented, windows))
}

// bufferSize is the default of both buffers (C-31).
func (e *Env) bufferSize() uint32 { return legacyOr[uint32](e, 8192, 65536) }
