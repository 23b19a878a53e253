package wgnet_test

import (
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	wgtun "golang.zx2c4.com/wireguard/tun"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wg"
	"github.com/wsstack/wsstack/wgnet"
	"github.com/wsstack/wsstack/wsa"
)

func TestCreateNetTUN(t *testing.T) {
	mapped := netip.AddrFrom16(a4.As16())
	d, n, err := wgnet.CreateNetTUN([]netip.Addr{mapped, a6}, nil, 1280)
	require.NoError(t, err)
	require.Equal(t, []netip.Prefix{netip.PrefixFrom(a4, 32), netip.PrefixFrom(a6, 128)}, n.Stack().Addresses(nil))
	size, err := d.MTU()
	require.NoError(t, err)
	require.Equal(t, 1280, size)
	require.Equal(t, wgtun.Event(wgtun.EventUp), <-d.Events())
	require.NoError(t, d.Close())
}

func TestCreateNetTUN_DefaultMTU(t *testing.T) {
	d, _, err := wgnet.CreateNetTUN(nil, nil, 0)
	require.NoError(t, err)
	size, err := d.MTU()
	require.NoError(t, err)
	require.Equal(t, wg.DefaultMTU, size)
	require.NoError(t, d.Close())
}

func TestCreateNetTUNErrors(t *testing.T) {
	for name, c := range map[string]struct {
		addresses, nameservers []netip.Addr
		mtu                    int
		want                   string
	}{
		"MTU too small":           {nil, nil, 67, "MTU of 67"},
		"MTU too large":           {nil, nil, 65535, "MTU of 65535"},
		"MTU for IPv6":            {[]netip.Addr{a6}, nil, 1279, "too small for IPv6"},
		"no address":              {[]netip.Addr{{}}, nil, mtu, "not a valid prefix"},
		"not one of a host":       {[]netip.Addr{netip.IPv4Unspecified()}, nil, mtu, "not the address of a host"},
		"the same address":        {[]netip.Addr{a4, a4}, nil, mtu, "10.0.0.1"},
		"name server, no address": {nil, []netip.Addr{{}}, mtu, "Nameservers"},
	} {
		_, _, err := wgnet.CreateNetTUN(c.addresses, c.nameservers, c.mtu)
		require.ErrorContains(t, err, c.want, name)
		require.ErrorContains(t, err, "wgnet: ", name)
	}
}

func TestNew(t *testing.T) {
	d, n, err := wgnet.New(stack.Config{Addresses: []netip.Prefix{netip.PrefixFrom(a4, 24)}, Profile: options.Windows})
	require.NoError(t, err)
	defer d.Close()
	size, err := d.MTU()
	require.NoError(t, err)
	require.Equal(t, wg.DefaultMTU, size)
	require.Equal(t, options.Windows, n.Stack().Profile())

	small, _, err := wgnet.New(stack.Config{MTU: 500})
	require.NoError(t, err)
	defer small.Close()
	size, err = small.MTU()
	require.NoError(t, err)
	require.Equal(t, 500, size)

	device := tun.NewFunc(mtu, nil)
	defer device.Close()
	_, _, err = wgnet.New(stack.Config{Device: device})
	require.ErrorContains(t, err, "config.Device")
}

// Nagle's algorithm is off, as it is in netstack, on both sides; with New it is as in Winsock.
func TestNoDelay(t *testing.T) {
	a, b := pair(t)
	l, err := b.ListenTCP(nil)
	require.NoError(t, err)
	defer l.Close()
	c, err := a.Dial("tcp", netip.AddrPortFrom(b4, l.Addr().(*net.TCPAddr).AddrPort().Port()).String())
	require.NoError(t, err)
	defer c.Close()
	accepted, err := l.Accept()
	require.NoError(t, err)
	defer accepted.Close()
	require.True(t, noDelay(t, c.(options.Getter)))
	require.True(t, noDelay(t, accepted.(options.Getter)))

	d, n, err := wgnet.New(stack.Config{Addresses: []netip.Prefix{netip.PrefixFrom(a4, 24)}})
	require.NoError(t, err)
	defer d.Close()
	other, err := n.ListenTCP(nil)
	require.NoError(t, err)
	defer other.Close()
	require.False(t, noDelay(t, other))
}

func noDelay(t testing.TB, s options.Getter) bool {
	t.Helper()
	on, err := options.TCP_NODELAY.Get(s)
	require.NoError(t, err)
	return on
}

func TestHTTP(t *testing.T) {
	a, b := pair(t)
	startNames(t, b)
	l, err := b.ListenTCP(&net.TCPAddr{Port: 80})
	require.NoError(t, err)
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.RemoteAddr+" asks "+r.Host)
	})}
	done := make(chan error)
	go func() { done <- server.Serve(l) }()
	client := http.Client{Transport: &http.Transport{DialContext: a.DialContext}}
	for _, host := range []string{"10.0.0.2", "[fd00::2]", "four.test"} {
		r, err := client.Get("http://" + host + "/")
		require.NoError(t, err)
		body, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		require.Regexp(t, `^(10\.0\.0\.1|\[fd00::1\]):\d+ asks `, string(body))
		require.NoError(t, r.Body.Close())
	}
	client.CloseIdleConnections()
	require.NoError(t, server.Close())
	require.ErrorIs(t, <-done, http.ErrServerClosed)
	_, err = client.Get("http://10.0.0.2/")
	require.ErrorIs(t, err, wsa.WSAECONNREFUSED)
}
