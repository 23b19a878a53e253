package wg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// pair returns the configurations of two ends on the loopback of the host, which know each other; a
// knows where b is once b is open.
func pair(t testing.TB) (a, b Config) {
	t.Helper()
	keys := [2]Key{}
	for i := range keys {
		var err error
		keys[i], err = GeneratePrivateKey()
		require.NoError(t, err)
	}
	a = Config{
		PrivateKey: keys[0],
		Addresses:  []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24"), netip.MustParsePrefix("fd00::1/64")},
		Peers: []Peer{{
			PublicKey:  keys[1].PublicKey(),
			AllowedIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.2/32"), netip.MustParsePrefix("fd00::2/128")},
		}},
	}
	b = Config{
		PrivateKey: keys[1],
		Addresses:  []netip.Prefix{netip.MustParsePrefix("10.0.0.2/24"), netip.MustParsePrefix("fd00::2/64")},
		Peers: []Peer{{
			PublicKey:  keys[0].PublicKey(),
			AllowedIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32"), netip.MustParsePrefix("fd00::1/128")},
		}},
	}
	return a, b
}

// open opens a tunnel until the end of the test.
func open(t testing.TB, cfg Config) *Device {
	t.Helper()
	d, err := New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

// loopback is where a device is on the host.
func loopback(d *Device) string {
	return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(d.ListenPort())).String()
}

// joined opens two ends with a stack each, of which the first knows where the second is.
func joined(t testing.TB) (devices [2]*Device, stacks [2]*stack.Stack) {
	t.Helper()
	a, b := pair(t)
	return join(t, a, b)
}

// join is joined with configurations of pair.
func join(t testing.TB, a, b Config) (devices [2]*Device, stacks [2]*stack.Stack) {
	t.Helper()
	devices[1] = open(t, b)
	a.Peers[0].Endpoint = loopback(devices[1])
	devices[0] = open(t, a)
	for i, cfg := range []Config{a, b} {
		stacks[i] = newStack(t, cfg.Stack(devices[i]))
	}
	return devices, stacks
}

// tunnel opens a connection over IPv4 through a tunnel with an MTU, and a stack at each end.
func tunnel(t testing.TB, mtu int) (client, server net.Conn) {
	t.Helper()
	a, b := pair(t)
	for _, c := range []*Config{&a, &b} {
		c.MTU, c.Addresses, c.Peers[0].AllowedIPs = mtu, c.Addresses[:1], c.Peers[0].AllowedIPs[:1]
	}
	_, stacks := join(t, a, b)
	l, err := stacks[1].Listen("tcp", "10.0.0.2:80")
	require.NoError(t, err)
	client, err = stacks[0].Dial("tcp", "10.0.0.2:80")
	require.NoError(t, err)
	server, err = l.Accept()
	require.NoError(t, err)
	return client, server
}

// newStack makes a stack until the end of the test.
func newStack(t testing.TB, cfg stack.Config) *stack.Stack {
	t.Helper()
	s, err := stack.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// Two stacks speak over a tunnel, in both families, and the ends know of each other.
func TestDevice(t *testing.T) {
	devices, stacks := joined(t)
	for _, address := range []string{"10.0.0.2:80", "[fd00::2]:80"} {
		l, err := stacks[1].Listen("tcp", address)
		require.NoError(t, err)
		go func() {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.Copy(c, c)
			c.Close()
		}()
		c, err := stacks[0].Dial("tcp", address)
		require.NoError(t, err)
		text := make([]byte, 1<<20)
		for i := range text {
			text[i] = byte(i * i >> 8)
		}
		go func() {
			c.Write(text)
			c.(interface{ CloseWrite() error }).CloseWrite()
		}()
		back, err := io.ReadAll(c)
		require.NoError(t, err)
		require.Equal(t, text, back)
		require.NoError(t, c.Close())
		require.NoError(t, l.Close())
	}
	for i, d := range devices {
		peers := d.Peers()
		require.Len(t, peers, 1)
		require.Equal(t, devices[1-i].PublicKey(), peers[0].PublicKey)
		require.Equal(t, loopback(devices[1-i]), peers[0].At.String())
		require.False(t, peers[0].LastHandshake.IsZero())
		require.Greater(t, peers[0].Received, uint64(2<<20))
		require.Greater(t, peers[0].Sent, uint64(2<<20))
		require.Len(t, peers[0].AllowedIPs, 2)
	}
}

// names makes the system ask nobody for names until the end of the test: fail says why.
func names(t *testing.T, fail func(context.Context) error) {
	t.Helper()
	resolver := net.DefaultResolver
	t.Cleanup(func() { net.DefaultResolver = resolver })
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return nil, fail(ctx)
	}}
}

// What New refuses says what is wrong and what would do, and leaves nothing behind.
func TestNew_Refuses(t *testing.T) {
	taken, err := net.ListenUDP("udp4", nil)
	require.NoError(t, err)
	defer taken.Close()
	port := taken.LocalAddr().(*net.UDPAddr).Port
	names(t, func(context.Context) error { return errors.New("no network") })
	for name, tt := range map[string]struct {
		change func(*Config)
		text   string
	}{
		"no key":     {func(c *Config) { c.PrivateKey = Key{} }, "there is no private key"},
		"port":       {func(c *Config) { c.ListenPort = 65536 }, "port 65536"},
		"taken port": {func(c *Config) { c.ListenPort = port }, fmt.Sprintf("ListenPort %d is taken", port)},
		"MTU":        {func(c *Config) { c.MTU = MaxMTU + 1 }, "MTU"},
		"IPv6":       {func(c *Config) { c.MTU = 1279 }, "MTU 1279 is too small for IPv6"},
		"own key":    {func(c *Config) { c.Peers[0].PublicKey = c.PrivateKey.PublicKey() }, "is this end itself"},
		"no address": {func(c *Config) { c.Addresses = append(c.Addresses, netip.Prefix{}) }, "an address is missing"},
		"no server":  {func(c *Config) { c.DNS = []netip.Addr{{}} }, "name server"},
		"no allowed": {func(c *Config) { c.Peers[0].AllowedIPs = []netip.Prefix{{}} }, "an allowed IP is missing"},
		"keepalive":  {func(c *Config) { c.Peers[0].PersistentKeepalive = time.Millisecond }, "persistent keepalive of 1ms"},
		"peer twice": {func(c *Config) { c.Peers = append(c.Peers, c.Peers[0]) }, "is there twice"},
		"endpoint":   {func(c *Config) { c.Peers[0].Endpoint = "host" }, `"host" has no port`},
		"no name":    {func(c *Config) { c.Peers[0].Endpoint = "no-such-host.invalid:1" }, "endpoint no-such-host.invalid:1"},
		"many peers": {func(c *Config) { c.Peers = make([]Peer, 1<<16+1) }, "65537 peers"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, _ := pair(t)
			tt.change(&cfg)
			d, err := New(cfg)
			require.Nil(t, d)
			var e *ConfigError
			require.ErrorAs(t, err, &e)
			require.Contains(t, err.Error(), tt.text)
			require.NotEmpty(t, e.Hint())
		})
	}
}

// What New returns as an error isn't in the log as well, and a name that nobody was asked about
// isn't taken for one with a slip.
func TestNew_Says(t *testing.T) {
	taken, err := net.ListenUDP("udp4", nil)
	require.NoError(t, err)
	defer taken.Close()
	var log strings.Builder
	cfg, _ := pair(t)
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	cfg.ListenPort = taken.LocalAddr().(*net.UDPAddr).Port
	_, err = New(cfg)
	require.Error(t, err)
	require.Empty(t, log.String())

	names(t, func(context.Context) error { return errors.New("network is unreachable") })
	for want, host := range map[string]string{
		"slip":         "two..dots",
		"name servers": "host.invalid",
	} {
		cfg.Peers[0].Endpoint = host + ":1"
		_, err = New(cfg)
		var e *ConfigError
		require.ErrorAs(t, err, &e)
		require.Contains(t, e.Hint(), want)
	}
}

// A peer is added, replaced and removed while the tunnel is open, and the order stays.
func TestSetPeer(t *testing.T) {
	a, b := pair(t)
	d := open(t, a)
	p := Peer{PublicKey: key(t, keyB), PresharedKey: key(t, keyC), Endpoint: "192.0.2.1:51820", AllowedIPs: prefixes("10.7.0.0/16")}
	require.NoError(t, d.SetPeer(p))
	p.PersistentKeepalive = 3600 * time.Second
	p.AllowedIPs = prefixes("10.8.1.2/16 10.0.0.2/32") // the second one was the other peer's
	require.NoError(t, d.SetPeer(p))
	peers := d.Peers()
	require.Len(t, peers, 2)
	require.Equal(t, b.PrivateKey.PublicKey(), peers[0].PublicKey)
	require.Equal(t, prefixes("fd00::2/128"), peers[0].AllowedIPs)
	require.ElementsMatch(t, prefixes("10.8.0.0/16 10.0.0.2/32"), peers[1].AllowedIPs)
	p.AllowedIPs = peers[1].AllowedIPs
	require.Equal(t, p, peers[1].Peer)
	p.Endpoint = ""
	require.NoError(t, d.SetPeer(p))
	require.Equal(t, "192.0.2.1:51820", d.Peers()[1].At.String(), "where it was")

	require.NoError(t, d.RemovePeer(b.PrivateKey.PublicKey()))
	require.NoError(t, d.RemovePeer(b.PrivateKey.PublicKey()))
	require.Len(t, d.Peers(), 1)
	require.NoError(t, d.SetPeer(a.Peers[0]))
	require.Equal(t, b.PrivateKey.PublicKey(), d.Peers()[1].PublicKey, "it is the last one now")

	for _, bad := range []Peer{{}, {PublicKey: d.PublicKey()}, {PublicKey: key(t, keyB), Endpoint: "nowhere"}} {
		var e *ConfigError
		require.ErrorAs(t, d.SetPeer(bad), &e)
	}
}

// A peer whose address changes is followed without a new handshake.
func TestRoaming(t *testing.T) {
	devices, stacks := joined(t)
	exchange(t, stacks, 0)
	before := devices[1].Peers()[0]
	require.NoError(t, devices[0].Set(strings.NewReader("listen_port=0\n")))
	exchange(t, stacks, 0)
	after := devices[1].Peers()[0]
	require.NotEqual(t, before.At, after.At)
	require.Equal(t, loopback(devices[0]), after.At.String())
	require.Equal(t, before.LastHandshake, after.LastHandshake)
	exchange(t, stacks, 1)
}

// exchanges is how many times exchange was called.
var exchanges int

// exchange sends a datagram from one stack to the other, and one back, again and again until it is
// heard.
func exchange(t *testing.T, stacks [2]*stack.Stack, first int) {
	t.Helper()
	exchanges++
	text := fmt.Sprint("hello ", exchanges)
	var conns [2]net.PacketConn
	for i, s := range stacks {
		c, err := s.ListenPacket("udp", fmt.Sprintf("10.0.0.%d:7", i+1))
		require.NoError(t, err)
		defer c.Close()
		conns[i] = c
	}
	for _, from := range []int{first, 1 - first} {
		for heard := ""; heard != text; {
			_, err := conns[from].WriteTo([]byte(text), conns[1-from].LocalAddr())
			require.NoError(t, err)
			require.NoError(t, conns[1-from].SetReadDeadline(time.Now().Add(100*time.Millisecond)))
			var b [99]byte
			n, _, err := conns[1-from].ReadFrom(b[:])
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				require.NoError(t, err)
			}
			heard = string(b[:n])
		}
	}
}

// Close ends everything, whatever goes on: a handshake with nobody, a name that is being looked up,
// other calls, another Close.
func TestClose(t *testing.T) {
	asked := make(chan struct{}, 1)
	names(t, func(ctx context.Context) error {
		select {
		case asked <- struct{}{}:
		default:
		}
		<-ctx.Done()
		return ctx.Err()
	})
	nobody, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer nobody.Close()
	for range 20 {
		a, _ := pair(t)
		a.Peers[0].Endpoint = nobody.LocalAddr().String()
		d := open(t, a)
		s, err := stack.New(a.Stack(d))
		require.NoError(t, err)
		var calls sync.WaitGroup
		calls.Go(func() {
			assert.ErrorIs(t, d.SetPeer(Peer{PublicKey: key(t, keyB), Endpoint: "peer.example:1"}), tun.ErrClosed)
		})
		calls.Go(func() {
			for d.SetPeer(Peer{PublicKey: key(t, keyC), Endpoint: "127.0.0.1:9", AllowedIPs: prefixes("10.0.3.0/24"), PersistentKeepalive: time.Second}) == nil {
				_ = d.RemovePeer(key(t, keyC))
				d.Peers()
			}
		})
		c, err := s.ListenPacket("udp", "10.0.0.1:7")
		require.NoError(t, err)
		calls.Go(func() {
			for range 100 {
				_, _ = c.WriteTo(make([]byte, 100), net.UDPAddrFromAddrPort(netip.MustParseAddrPort("10.0.0.2:7")))
			}
		})
		<-asked
		calls.Go(func() { assert.NoError(t, d.Close()) })
		require.NoError(t, s.Close())
		require.NoError(t, d.Close())
		calls.Wait()
		require.Empty(t, d.Peers())
		require.ErrorIs(t, d.SetPeer(a.Peers[0]), tun.ErrClosed)
		require.ErrorIs(t, d.RemovePeer(a.Peers[0].PublicKey), tun.ErrClosed)
	}
}
