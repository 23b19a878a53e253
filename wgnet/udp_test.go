package wgnet_test

import (
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/wsa"
)

func TestUDP(t *testing.T) {
	a, b := pair(t)
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			server, err := b.ListenUDPAddrPort(netip.AddrPortFrom(f.remote, 0))
			require.NoError(t, err)
			defer server.Close()
			require.NoError(t, server.SetDeadline(time.Now().Add(patience)))
			remote := server.LocalAddr().(*net.UDPAddr)
			local := &net.UDPAddr{IP: f.local.AsSlice(), Port: 5353}

			ways := map[string]func() (net.Conn, error){
				"DialUDP":           func() (net.Conn, error) { return a.DialUDP(nil, remote) },
				"DialUDP from":      func() (net.Conn, error) { return a.DialUDP(local, remote) },
				"DialUDP from port": func() (net.Conn, error) { return a.DialUDP(&net.UDPAddr{Port: 5353}, remote) },
				"DialUDPAddrPort":   func() (net.Conn, error) { return a.DialUDPAddrPort(netip.AddrPort{}, remote.AddrPort()) },
				"Dial":              func() (net.Conn, error) { return a.Dial("udp", remote.String()) },
				"DialContext": func() (net.Conn, error) {
					return a.DialContext(soon(t), "udp"+strings.TrimPrefix(f.name, "IPv"), remote.String())
				},
			}
			for name, dial := range ways {
				c, err := dial()
				require.NoError(t, err, name)
				require.IsType(t, &endpoint.PacketConn{}, c, name)
				require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
				_, err = io.WriteString(c, name)
				require.NoError(t, err, name)

				buf := make([]byte, 100)
				n, from, err := server.ReadFrom(buf)
				require.NoError(t, err, name)
				require.Equal(t, name, string(buf[:n]))
				require.Equal(t, c.LocalAddr().String(), from.String())
				require.Equal(t, f.local, from.(*net.UDPAddr).AddrPort().Addr())

				_, err = server.WriteTo([]byte("reply"), from)
				require.NoError(t, err, name)
				n, err = c.Read(buf)
				require.NoError(t, err, name)
				require.Equal(t, "reply", string(buf[:n]))
				require.NoError(t, c.Close())
			}
		})
	}
}

// What datagram sockets take by their address: both families, unless it is one of a family.
func TestListenUDPFamilies(t *testing.T) {
	a, b := pair(t)
	server, err := b.ListenUDP(&net.UDPAddr{Port: 7})
	require.NoError(t, err)
	defer server.Close()
	require.NoError(t, server.SetDeadline(time.Now().Add(patience)))
	buf := make([]byte, 100)
	for _, remote := range []netip.Addr{b4, b6} {
		// A dialled socket takes replies from there only.
		c, err := a.DialUDPAddrPort(netip.AddrPort{}, netip.AddrPortFrom(remote, 7))
		require.NoError(t, err)
		require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
		_, err = c.Write([]byte("ask"))
		require.NoError(t, err)
		n, from, err := server.ReadFrom(buf)
		require.NoError(t, err)
		require.Equal(t, remote.Is4(), from.(*net.UDPAddr).IP.To4() != nil)
		_, err = server.WriteTo(buf[:n], from)
		require.NoError(t, err)
		n, err = c.Read(buf)
		require.NoError(t, err)
		require.Equal(t, "ask", string(buf[:n]))
		require.NoError(t, c.Close())
	}

	only4, err := b.ListenUDP(&net.UDPAddr{IP: net.IPv4zero, Port: 8})
	require.NoError(t, err)
	defer only4.Close()
	c, err := a.DialUDPAddrPort(netip.AddrPort{}, netip.AddrPortFrom(b6, 8))
	require.NoError(t, err)
	defer c.Close()
	requireUnreachable(t, c)

	any1, err := a.ListenUDP(nil)
	require.NoError(t, err)
	require.NotZero(t, any1.LocalAddr().(*net.UDPAddr).Port)
	require.NoError(t, any1.Close())
}

// A dialled socket hears that nobody is there, however it was dialled.
func TestUDPRefused(t *testing.T) {
	a, _ := pair(t)
	c, err := a.DialUDP(nil, &net.UDPAddr{IP: b4.AsSlice(), Port: 9})
	require.NoError(t, err)
	defer c.Close()
	requireUnreachable(t, c)
	named, err := a.Dial("udp", "[fd00::2]:9")
	require.NoError(t, err)
	defer named.Close()
	requireUnreachable(t, named)
}

func requireUnreachable(t testing.TB, c net.Conn) {
	t.Helper()
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	_, err := c.Write([]byte("anybody?"))
	require.NoError(t, err)
	_, err = c.Read(make([]byte, 10))
	require.ErrorIs(t, err, wsa.WSAECONNRESET)
}
