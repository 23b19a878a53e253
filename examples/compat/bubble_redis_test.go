package compat

import (
	"context"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// A command is on its way when the cable is cut. The client tries it again until the cable is
// mended.
func TestBubble_RedisRetries(t *testing.T) {
	redis.SetLogger(silence{})
	inWorld(t, 2, func(t *testing.T, w *world) {
		s := miniredis.NewMiniRedis()
		t.Cleanup(s.Close)
		forward(t, listen(t, w.server.Stack, ":6379"), s.Dial)
		d := &dialer{stack: w.client.Stack}
		db := redis.NewClient(&redis.Options{
			Addr: serverIP + ":6379", Dialer: d.DialContext, DialTimeout: 5 * time.Second, ReadTimeout: 3 * time.Second,
			MaxRetries: 10, MinRetryBackoff: -1, DialerRetries: 1,
		})
		defer db.Close()
		set := func(value string) func() {
			return func() { require.NoError(t, db.Set(t.Context(), "key", value, 0).Err()) }
		}
		// A handshake of TCP, three round trips in which client and server get to know each other, a
		// command; then a command alone.
		took(t, 5*rtt, set("first"))
		took(t, rtt, set("second"))

		w.link.Partition()
		time.AfterFunc(20*time.Second, w.link.Heal)
		// An answer doesn't come within 3 s. Three dials fail within 5 s each. The third SYN of the next
		// dial, 3 s after its first, arrives. The client knows already what the server can't do.
		took(t, 3*time.Second+3*5*time.Second+3*time.Second+4*rtt, set("third"))
		require.EqualValues(t, 5, d.calls.Load(), "dials")
		got, err := db.Get(t.Context(), "key").Result()
		require.NoError(t, err)
		require.Equal(t, "third", got)
	})
}

// silence is a logger of go-redis that says nothing.
type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}
