package stack_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// resolverFunc is a Resolver of a test.
type resolverFunc func(ctx context.Context, name string) ([]string, error)

func (f resolverFunc) LookupHost(ctx context.Context, name string) ([]string, error) {
	return f(ctx, name)
}

// Without any of the three fields, names fail, and the error says what to set.
func TestNamesNeedAResolver(t *testing.T) {
	s, err := stack.New(stack.Config{})
	require.NoError(t, err)
	defer s.Close()
	for _, call := range []func() error{
		func() error { _, err := s.Dial("tcp", "example.com:80"); return err },
		func() error { _, err := s.Listen("tcp", "example.com:80"); return err },
		func() error { _, err := s.ListenPacket("udp", "example.com:80"); return err },
		func() error { _, err := s.LookupHost(context.Background(), "example.com"); return err },
	} {
		err := call()
		var dns *net.DNSError
		require.ErrorAs(t, err, &dns)
		assert.True(t, dns.IsNotFound)
		assert.Equal(t, "example.com", dns.Name)
		for _, field := range []string{"Hosts", "Nameservers", "Resolver"} {
			assert.ErrorContains(t, err, field)
		}
	}
}

func TestNamesAreChecked(t *testing.T) {
	one := []netip.Addr{netip.MustParseAddr("10.0.0.1")}
	for want, cfg := range map[string]stack.Config{
		`Hosts["."]: a name without`:          {Hosts: map[string][]netip.Addr{".": one}},
		`Hosts["a"]: a name without`:          {Hosts: map[string][]netip.Addr{"a": nil}},
		`Hosts["a"]: invalid IP`:              {Hosts: map[string][]netip.Addr{"a": {{}}}},
		`Hosts["a"]: :: is not`:               {Hosts: map[string][]netip.Addr{"a": {netip.IPv6Unspecified()}}},
		`Nameservers[0]: 10.0.0.1:0 is not`:   {Nameservers: []netip.AddrPort{netip.AddrPortFrom(one[0], 0)}},
		`Nameservers: there is a Resolver`:    {Nameservers: []netip.AddrPort{netip.AddrPortFrom(one[0], 53)}, Resolver: &net.Resolver{}},
		`Nameservers[0]: invalid AddrPort is`: {Nameservers: []netip.AddrPort{{}}},
	} {
		_, err := stack.New(cfg)
		require.ErrorContains(t, err, want)
	}
}

// Hosts come before the Resolver, whatever the case and with or without a final
// dot; a Resolver's nonsense is no address.
func TestLookupHost(t *testing.T) {
	var asked []string
	failure := errors.New("out of order")
	s, err := stack.New(stack.Config{
		Hosts: map[string][]netip.Addr{"Printer.": {netip.MustParseAddr("fd00::9"), netip.MustParseAddr("::ffff:10.0.0.9")}},
		Resolver: resolverFunc(func(_ context.Context, name string) ([]string, error) {
			asked = append(asked, name)
			switch name {
			case "broken":
				return nil, failure
			case "empty":
				return []string{"", "x", "0.0.0.0", "::"}, nil
			}
			return []string{"10.1.1.1", "fd00::1"}, nil
		}),
	})
	require.NoError(t, err)
	defer s.Close()
	for _, tt := range []struct {
		name string
		want string
		err  error
	}{
		{"printer", "fd00::9 10.0.0.9", nil},
		{"PRINTER.", "fd00::9 10.0.0.9", nil},
		{"LocalHost", "127.0.0.1 ::1", nil},
		{"10.2.2.2", "10.2.2.2", nil},
		{"Other", "10.1.1.1 fd00::1", nil},
		{"broken", "", failure},
		{"empty", "", &net.DNSError{Err: "no such host", Name: "empty", IsNotFound: true}},
	} {
		got, err := s.LookupHost(context.Background(), tt.name)
		assert.Equal(t, tt.err, err, tt.name)
		assert.Equal(t, tt.want, strings.Join(got, " "), tt.name)
	}
	assert.Equal(t, []string{"Other", "broken", "empty"}, asked)
}

// eyeballs is a client whose only name is "server", with an address of each
// family, and what it sends: SYNs by the family of the peer, with their times.
func eyeballs(t *testing.T, opts ...simnet.LinkOption) (n *simnet.Network, a, b *simnet.Host, syns func() string) {
	n = simnet.New(t)
	a = n.HostConfig("a", stack.Config{Addresses: prefixes("10.0.0.1/24", "fd00::1/64"), Hosts: map[string][]netip.Addr{
		"server": {netip.MustParseAddr("fd00::2"), netip.MustParseAddr("fd00::3"), netip.MustParseAddr("10.0.0.2")},
	}})
	b = n.Host("b", "10.0.0.2/24", "fd00::2/64")
	n.Link(a, b, opts...)
	return n, a, b, func() string {
		var out []string
		for _, l := range n.Trace() {
			if l.From == "a" && l.Segment.Flags == trace.SYN {
				out = append(out, fmt.Sprintf("%v %v", l.At.Truncate(time.Millisecond), l.Dest.Addr()))
			}
		}
		return strings.Join(out, ", ")
	}
}

// RFC 8305 §5 in virtual time: the attempts of a dial to a name.
func TestHappyEyeballs(t *testing.T) {
	listen := func(t *testing.T, h *simnet.Host, addr string) {
		_, err := h.Listen("tcp", addr)
		require.NoError(t, err)
	}
	dial := func(t *testing.T, n *simnet.Network, a *simnet.Host, network string) (net.Conn, time.Duration, error) {
		var c net.Conn
		var err error
		var took time.Duration
		require.NoError(t, n.Do("dial", func() {
			c, err = a.Dial(network, "server:80")
			took = n.Now()
			n.Sleep(time.Second)
		}))
		return c, took, err
	}
	t.Run("the first answers", func(t *testing.T) {
		n, a, b, syns := eyeballs(t, simnet.Delay(100*time.Millisecond))
		listen(t, b, "[::]:80")
		c, _, err := dial(t, n, a, "tcp")
		require.NoError(t, err)
		assert.Equal(t, "[fd00::2]:80", c.RemoteAddr().String())
		assert.Equal(t, "0s fd00::2", syns())
		assert.Len(t, a.Sockets(), 1)
	})
	t.Run("the first is refused", func(t *testing.T) {
		n, a, b, syns := eyeballs(t, simnet.Delay(10*time.Millisecond))
		listen(t, b, "10.0.0.2:80")
		c, _, err := dial(t, n, a, "tcp")
		require.NoError(t, err)
		assert.Equal(t, "10.0.0.2:80", c.RemoteAddr().String())
		assert.Equal(t, "0s fd00::2, 20ms 10.0.0.2", syns())
		assert.Len(t, a.Sockets(), 1)
	})
	t.Run("the first is slower than the second", func(t *testing.T) {
		n, a, b, syns := eyeballs(t, simnet.Delay(200*time.Millisecond))
		listen(t, b, "[::]:80")
		c, took, err := dial(t, n, a, "tcp")
		require.NoError(t, err)
		assert.Equal(t, "[fd00::2]:80", c.RemoteAddr().String())
		assert.Equal(t, 400*time.Millisecond, took)
		assert.Equal(t, "0s fd00::2, 250ms 10.0.0.2", syns(), "a loser sends no more SYNs")
		assert.Len(t, a.Sockets(), 1)
	})
	t.Run("silence", func(t *testing.T) {
		n, a, b, syns := eyeballs(t, simnet.Delay(10*time.Millisecond))
		listen(t, b, "10.0.0.2:80")
		require.NoError(t, b.RemoveAddress(netip.MustParseAddr("fd00::2")))
		c, took, err := dial(t, n, a, "tcp")
		require.NoError(t, err)
		assert.Equal(t, "10.0.0.2:80", c.RemoteAddr().String())
		assert.Equal(t, 270*time.Millisecond, took)
		assert.Equal(t, "0s fd00::2, 250ms 10.0.0.2", syns())
	})
	t.Run("silence of two", func(t *testing.T) {
		n, a, b, syns := eyeballs(t, simnet.Delay(10*time.Millisecond))
		require.NoError(t, b.RemoveAddress(netip.MustParseAddr("fd00::2")))
		require.NoError(t, b.RemoveAddress(netip.MustParseAddr("10.0.0.2")))
		_, took, err := dial(t, n, a, "tcp")
		require.ErrorIs(t, err, wsa.WSAETIMEDOUT)
		assert.Equal(t, "[fd00::2]:80", err.(*net.OpError).Addr.String(), "the first attempt's")
		assert.Equal(t, 21500*time.Millisecond, took)
		assert.Contains(t, syns(), "0s fd00::2, 250ms 10.0.0.2, 500ms fd00::3, ")
		assert.Empty(t, a.Sockets())
	})
	t.Run("the second is refused", func(t *testing.T) {
		n, a, b, syns := eyeballs(t, simnet.Delay(10*time.Millisecond))
		require.NoError(t, b.RemoveAddress(netip.MustParseAddr("fd00::2")))
		_, _, err := dial(t, n, a, "tcp")
		require.ErrorIs(t, err, wsa.WSAECONNREFUSED)
		assert.Contains(t, syns(), "0s fd00::2, 250ms 10.0.0.2, 270ms fd00::3, ")
	})
	t.Run("one family", func(t *testing.T) {
		n, a, b, syns := eyeballs(t)
		listen(t, b, "10.0.0.2:80")
		_, _, err := dial(t, n, a, "tcp4")
		require.NoError(t, err)
		assert.Equal(t, "0s 10.0.0.2", syns())
	})
	t.Run("datagrams", func(t *testing.T) {
		n, a, _, _ := eyeballs(t)
		c, took, err := dial(t, n, a, "udp")
		require.NoError(t, err)
		assert.Equal(t, "[fd00::2]:80", c.RemoteAddr().String())
		assert.Zero(t, took)
		assert.Len(t, a.Sockets(), 1)
	})
	t.Run("the context ends", func(t *testing.T) {
		n, a, b, syns := eyeballs(t)
		require.NoError(t, b.RemoveAddress(netip.MustParseAddr("fd00::2")))
		require.NoError(t, b.RemoveAddress(netip.MustParseAddr("10.0.0.2")))
		require.NoError(t, n.Do("dial", func() {
			ctx, cancel := n.WithTimeout(context.Background(), 300*time.Millisecond)
			defer cancel()
			_, err := a.DialContext(ctx, "tcp", "server:80")
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Equal(t, 300*time.Millisecond, n.Now())
			n.Sleep(time.Minute)
		}))
		assert.Equal(t, "0s fd00::2, 250ms 10.0.0.2", syns())
		assert.Empty(t, a.Sockets())
		assert.Zero(t, n.Timers())
	})
}
