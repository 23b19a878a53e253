package stack_test

import (
	"context"
	"io"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// slowUpstream takes what a session sends, and answers each datagram after a second.
type slowUpstream struct {
	s      *stack.UDPSession
	closed chan time.Time
}

func (u *slowUpstream) Write(b []byte) (int, error) {
	answer := string(b)
	time.AfterFunc(time.Second, func() { u.s.Write([]byte("re: " + answer)) })
	return len(b), nil
}

func (u *slowUpstream) Close() error { u.closed <- time.Now(); return nil }

// In a bubble of testing/synctest a Forwarder needs no scheduler: its goroutines and its times are
// the bubble's.
func TestForwarderBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		da, db := tun.Pipe(1500)
		client, err := stack.New(stack.Config{Device: da, Addresses: prefixes("10.1.0.9/16", "fd01::9/32")})
		require.NoError(t, err)
		gw, err := stack.New(stack.Config{Device: db, Addresses: prefixes("10.1.0.1/16", "fd01::1/32")})
		require.NoError(t, err)
		closed := make(chan time.Time, 1)
		f, err := gw.NewForwarder(stack.ForwarderConfig{
			Connect: func(ctx context.Context, _, to netip.AddrPort) (any, error) {
				select {
				case <-ctx.Done():
					return nil, ctx.Err()
				case <-time.After(5 * time.Second):
				}
				if to.Port() == 81 {
					return nil, stack.Refused
				}
				return to.Port(), nil
			},
			UDP: func(_ context.Context, s *stack.UDPSession) (io.WriteCloser, error) {
				time.Sleep(2 * time.Second)
				return &slowUpstream{s, closed}, nil
			},
			Echo: func(_ context.Context, r *stack.EchoRequest) { time.Sleep(300 * time.Millisecond); r.Reply() },
		})
		require.NoError(t, err)
		accepted := make(chan any, 1)
		go func() {
			for {
				c, v, err := f.AcceptValue()
				if err != nil {
					close(accepted)
					return
				}
				accepted <- v
				c.Close()
			}
		}()

		start := time.Now()
		c, err := client.Dial("tcp", "[2001:db8::1]:80")
		require.NoError(t, err)
		require.Equal(t, 5*time.Second, time.Since(start))
		require.EqualValues(t, 80, <-accepted)
		require.NoError(t, c.Close())
		_, err = client.Dial("tcp", "8.8.8.8:81")
		require.ErrorIs(t, err, wsa.WSAECONNREFUSED)

		start = time.Now()
		u, err := client.Dial("udp", "8.8.8.8:5000")
		require.NoError(t, err)
		_, err = u.Write([]byte("hello"))
		require.NoError(t, err)
		b := make([]byte, 100)
		n, err := u.Read(b)
		require.NoError(t, err)
		require.Equal(t, "re: hello", string(b[:n]))
		require.Equal(t, 3*time.Second, time.Since(start))
		require.Equal(t, 3*time.Second+2*time.Minute, (<-closed).Sub(start))
		require.NoError(t, u.Close())

		reply, err := client.Ping(t.Context(), netip.MustParseAddr("93.184.216.34"))
		require.NoError(t, err)
		require.Equal(t, 300*time.Millisecond, reply.RTT)

		require.NoError(t, gw.Close()) // and with it the Forwarder
		_, open := <-accepted
		require.False(t, open)
		require.NoError(t, client.Close())
	})
}

// A gateway that was made outside of a bubble works for a client inside, in real time, and its
// Close there waits for nothing of the bubble.
func TestForwarderBubble_Outside(t *testing.T) {
	da, db := tun.Pipe(1500)
	client, err := stack.New(stack.Config{Device: da, Addresses: prefixes("10.1.0.9/16")})
	require.NoError(t, err)
	defer client.Close()
	gw, err := stack.New(stack.Config{Device: db, Addresses: prefixes("10.1.0.1/16")})
	require.NoError(t, err)
	defer gw.Close()
	synctest.Test(t, func(t *testing.T) {
		f, err := gw.NewForwarder(stack.ForwarderConfig{
			Connect: func(ctx context.Context, _, _ netip.AddrPort) (any, error) { return "value", ctx.Err() },
			UDP: func(_ context.Context, s *stack.UDPSession) (io.WriteCloser, error) {
				return writer(func(b []byte) (int, error) { return s.Write(b) }), nil
			},
			Echo: func(_ context.Context, r *stack.EchoRequest) { r.Reply() },
		})
		require.NoError(t, err)
		c, err := client.Dial("tcp", "8.8.8.8:80")
		require.NoError(t, err)
		s, v, err := f.AcceptValue()
		require.NoError(t, err)
		require.Equal(t, "value", v)
		require.NoError(t, s.Close())
		require.NoError(t, c.Close())
		u, err := client.Dial("udp", "8.8.8.8:5000")
		require.NoError(t, err)
		_, err = u.Write([]byte("hello"))
		require.NoError(t, err)
		_, err = u.Read(make([]byte, 5))
		require.NoError(t, err)
		require.NoError(t, u.Close())
		_, err = client.Ping(t.Context(), netip.MustParseAddr("8.8.8.8"))
		require.NoError(t, err)
		require.NoError(t, f.Close())
	})
}
