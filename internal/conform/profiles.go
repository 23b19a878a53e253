package conform

import "github.com/wsstack/wsstack/options"

// everyProfile and the other lists are profiles that a scenario is true of.
var (
	everyProfile = []options.Profile{options.Documented, options.Windows, options.Legacy}
	bothProfiles = []options.Profile{options.Documented, options.Windows}
	measured     = []options.Profile{options.Windows, options.Legacy}
	legacyOnly   = []options.Profile{options.Legacy}
)

// byProfile is what a profile answers: the documented one, or those that are as measured.
func byProfile[T any](e *Env, documented, windows T) T {
	if e.Profile == options.Documented {
		return documented
	}
	return windows
}
