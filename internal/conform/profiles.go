package conform

import (
	"github.com/wsstack/wsstack/options"
)

var everyProfile = []options.Profile{options.Documented, options.Windows, options.Legacy}

var bothProfiles = []options.Profile{options.Documented, options.Windows}

// byProfile is the answer of a profile.
func byProfile[T any](e *Env, documented, windows T) T {
	if e.Profile == options.Documented {
		return documented
	}
	return windows
}

var legacyOnly = []options.Profile{options.Legacy}
