package stack_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/stack"
)

// The bounds of the registry's values, and what a field of zero stands for.
func TestKeepAliveDefaults(t *testing.T) {
	const most = 0xFFFFFFFF * time.Millisecond
	for _, tt := range []struct {
		name    string
		profile options.Profile
		set     stack.KeepAlive
		want    options.KeepAlive
		err     string
	}{
		{"documented", options.Documented, stack.KeepAlive{}, options.KeepAlive{Idle: 2 * time.Hour, Interval: time.Second, Count: 10}, ""},
		{"legacy", options.Legacy, stack.KeepAlive{}, options.KeepAlive{Idle: 2 * time.Hour, Interval: time.Second, Count: 5}, ""},
		{"least", 0, stack.KeepAlive{Idle: time.Millisecond, Interval: time.Millisecond, Count: 1}, options.KeepAlive{Idle: time.Millisecond, Interval: time.Millisecond, Count: 1}, ""},
		{"most", 0, stack.KeepAlive{Idle: most, Interval: most, Count: 255}, options.KeepAlive{Idle: most, Interval: most, Count: 255}, ""},
		{"no probes", 0, stack.KeepAlive{Count: -1}, options.KeepAlive{Idle: 2 * time.Hour, Interval: time.Second}, ""},
		{"too long", 0, stack.KeepAlive{Idle: most + time.Millisecond}, options.KeepAlive{}, "KeepAlive.Idle"},
		{"negative", 0, stack.KeepAlive{Interval: -time.Second}, options.KeepAlive{}, "KeepAlive.Interval"},
		{"a fraction", 0, stack.KeepAlive{Interval: 1500 * time.Microsecond}, options.KeepAlive{}, "KeepAlive.Interval"},
		{"too many", 0, stack.KeepAlive{Count: 256}, options.KeepAlive{}, "KeepAlive.Count"},
		{"fewer than none", 0, stack.KeepAlive{Count: -2}, options.KeepAlive{}, "KeepAlive.Count"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := stack.New(stack.Config{Profile: tt.profile, KeepAlive: tt.set})
			later, err2 := stack.New(stack.Config{Profile: tt.profile})
			require.NoError(t, err2)
			defer later.Close()
			before := socket.HostOf(later).KeepAliveDefaults()
			if tt.err != "" {
				require.ErrorContains(t, err, tt.err)
				require.ErrorContains(t, later.SetKeepAlive(tt.set), tt.err)
				require.Equal(t, before, socket.HostOf(later).KeepAliveDefaults(), "a failed call changes nothing")
				return
			}
			require.NoError(t, err)
			defer s.Close()
			assert.Equal(t, tt.want, socket.HostOf(s).KeepAliveDefaults())
			require.NoError(t, later.SetKeepAlive(tt.set))
			assert.Equal(t, tt.want, socket.HostOf(later).KeepAliveDefaults())
		})
	}
}
