package conform

import "github.com/wsstack/wsstack/options"

// The lists of profiles that a scenario may be true of, where it isn't true of all.
var (
	documentedOnly = []options.Profile{options.Documented}
	notLegacy      = []options.Profile{options.Documented, options.Windows}
	measured       = []options.Profile{options.Windows, options.Legacy}
	windowsOnly    = []options.Profile{options.Windows}
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

// bufferSize is the default of both buffers (C-31).
func (e *Env) bufferSize() uint32 { return legacyOr[uint32](e, 8192, 65536) }
