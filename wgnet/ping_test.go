package wgnet_test

import (
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wgnet"
	"github.com/wsstack/wsstack/wsa"
)

// request is a message as programs make it.
func request(t testing.TB, to netip.Addr, seq int, data string) []byte {
	t.Helper()
	m := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: 1, Seq: seq, Data: []byte(data)}}
	if to.Is6() {
		m.Type = ipv6.ICMPTypeEchoRequest
	}
	b, err := m.Marshal(nil)
	require.NoError(t, err)
	return b
}

// reply reads a message.
func reply(t testing.TB, c *wgnet.PingConn) (*icmp.Echo, *wgnet.PingAddr) {
	t.Helper()
	require.NoError(t, c.SetReadDeadline(time.Now().Add(patience)))
	b := make([]byte, 1500)
	n, from, err := c.ReadFrom(b)
	require.NoError(t, err)
	addr := from.(*wgnet.PingAddr)
	proto, typ := 1, icmp.Type(ipv4.ICMPTypeEchoReply)
	if addr.Addr().Is6() {
		proto, typ = 58, ipv6.ICMPTypeEchoReply
	}
	m, err := icmp.ParseMessage(proto, b[:n])
	require.NoError(t, err)
	require.Equal(t, typ, m.Type)
	return m.Body.(*icmp.Echo), addr
}

func TestPing(t *testing.T) {
	a, b := pair(t)
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			network := map[string]string{"IPv4": "ping4", "IPv6": "ping6"}[f.name]
			local, remote := wgnet.PingAddrFromAddr(f.local), wgnet.PingAddrFromAddr(f.remote)
			ways := map[string]func() (net.Conn, error){
				"Dial":              func() (net.Conn, error) { return a.Dial("ping", f.remote.String()) },
				"Dial, family":      func() (net.Conn, error) { return a.Dial(network, f.remote.String()) },
				"DialPing":          func() (net.Conn, error) { return a.DialPing(nil, remote) },
				"DialPing from":     func() (net.Conn, error) { return a.DialPing(local, remote) },
				"DialPingAddr":      func() (net.Conn, error) { return a.DialPingAddr(netip.Addr{}, f.remote) },
				"DialPingAddr from": func() (net.Conn, error) { return a.DialPingAddr(f.local, f.remote) },
			}
			for name, dial := range ways {
				conn, err := dial()
				require.NoError(t, err, name)
				c := conn.(*wgnet.PingConn)
				require.Equal(t, *local, c.LocalAddr(), name)
				require.Equal(t, *remote, c.RemoteAddr(), name)
				require.Equal(t, network, c.LocalAddr().Network(), name)
				n, err := c.Write(request(t, f.remote, 7, name))
				require.NoError(t, err, name)
				require.Equal(t, 8+len(name), n)
				echo, from := reply(t, c)
				require.Equal(t, f.remote, from.Addr())
				require.Equal(t, 7, echo.Seq)
				require.Equal(t, name, string(echo.Data))
				require.NoError(t, c.Close())
			}
		})
		t.Run(f.name+", to any host", func(t *testing.T) {
			for name, listen := range map[string]func() (*wgnet.PingConn, error){
				"address": func() (*wgnet.PingConn, error) { return a.ListenPingAddr(f.local) },
				"any": func() (*wgnet.PingConn, error) {
					any4or6 := netip.IPv4Unspecified()
					if f.local.Is6() {
						any4or6 = netip.IPv6Unspecified()
					}
					return a.ListenPing(wgnet.PingAddrFromAddr(any4or6))
				},
			} {
				c, err := listen()
				require.NoError(t, err, name)
				for i, to := range []net.Addr{
					wgnet.PingAddrFromAddr(f.remote), *wgnet.PingAddrFromAddr(f.remote), &net.IPAddr{IP: f.remote.AsSlice()},
					wgnet.PingAddrFromAddr(f.local), // itself
				} {
					_, err = c.WriteTo(request(t, f.remote, i, name), to)
					require.NoError(t, err, name)
					echo, from := reply(t, c)
					require.Equal(t, i, echo.Seq)
					require.Equal(t, to.String(), from.String())
				}
				require.NoError(t, c.Close())
			}
		})
	}
	_ = b
}

// Replies find their PingConn, however many there are, and wait until somebody reads them.
func TestPingSeveral(t *testing.T) {
	a, _ := pair(t)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			c, err := a.DialPingAddr(netip.Addr{}, b4)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			for seq := range 5 {
				if _, err := c.Write(request(t, b4, i*100+seq, "")); err != nil {
					t.Error(err)
				}
			}
			id, seqs := 0, map[int]bool{} // the engine may reorder what it has while a handshake ends
			for n := range 5 {
				echo, _ := reply(t, c)
				if n == 0 {
					id = echo.ID
				}
				if echo.Seq/100 != i || echo.ID != id {
					t.Errorf("got %d of %d, want one of %d", echo.Seq, echo.ID, id)
				}
				seqs[echo.Seq] = true
			}
			if len(seqs) != 5 {
				t.Errorf("the replies are %v, want five", seqs)
			}
		})
	}
	wg.Wait()
}

// A reply that came before Read is there.
func TestPingReadLater(t *testing.T) {
	a, _ := pair(t)
	c, err := a.DialPingAddr(netip.Addr{}, b4)
	require.NoError(t, err)
	defer c.Close()
	replies := a.Stack().Netstack().Stats().ICMP.V4.PacketsReceived.EchoReply
	_, err = c.Write(request(t, b4, 1, "early"))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return replies.Value() == 1 }, patience, time.Millisecond)
	a.Stack().Settle()

	echo, _ := reply(t, c)
	require.Equal(t, "early", string(echo.Data))
}

func TestPingDeadline(t *testing.T) {
	a := newHost(t, nil, a4) // nobody answers
	c, err := a.DialPingAddr(netip.Addr{}, b4)
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Write(request(t, b4, 1, ""))
	require.NoError(t, err)

	for name, set := range map[string]func() error{
		"past":    func() error { return c.SetReadDeadline(time.Unix(0, 0)) },
		"to come": func() error { return c.SetDeadline(time.Now().Add(10 * time.Millisecond)) },
		"in progress": func() error {
			time.AfterFunc(10*time.Millisecond, func() { c.SetReadDeadline(time.Now()) })
			return nil
		},
	} {
		require.NoError(t, c.SetDeadline(time.Time{}))
		require.NoError(t, set())
		for range 2 { // it stays
			_, _, err = c.ReadFrom(make([]byte, 100))
			requireOpError(t, err, "read", "ping4", is(os.ErrDeadlineExceeded))
			require.True(t, err.(net.Error).Timeout(), name)
		}
	}
	require.NoError(t, c.SetWriteDeadline(time.Unix(0, 0)))
	_, err = c.Write(request(t, b4, 1, ""))
	requireOpError(t, err, "write", "ping4", is(os.ErrDeadlineExceeded))
}

func TestPingErrors(t *testing.T) {
	a, _ := pair(t)
	dialled, err := a.DialPingAddr(netip.Addr{}, b4)
	require.NoError(t, err)
	defer dialled.Close()
	listening, err := a.ListenPingAddr(a6)
	require.NoError(t, err)
	defer listening.Close()

	for name, c := range map[string]struct {
		call        func() error
		op, network string
		cause       func(error) bool
	}{
		"no address":   {func() error { _, err := a.DialPing(nil, nil); return err }, "dial", "ping", isType[*net.AddrError]},
		"two families": {func() error { _, err := a.DialPingAddr(a4, b6); return err }, "dial", "ping4", isType[*net.AddrError]},
		"not ours":     {func() error { _, err := a.ListenPingAddr(b4); return err }, "dial", "ping4", is(wsa.WSAEADDRNOTAVAIL)},
		"not dialled":  {func() error { _, err := listening.Write(request(t, b6, 1, "")); return err }, "write", "ping6", is(wsa.WSAENOTCONN)},
		"a family": {
			func() error {
				_, err := listening.WriteTo(request(t, b4, 1, ""), wgnet.PingAddrFromAddr(b4))
				return err
			},
			"write", "ping6", is(wsa.WSAEAFNOSUPPORT),
		},
		"an address of another kind": {
			func() error { _, err := dialled.WriteTo(request(t, b4, 1, ""), &net.UDPAddr{}); return err },
			"write", "ping4", is(wsa.WSAEFAULT),
		},
		"nil":        {func() error { _, err := dialled.WriteTo(request(t, b4, 1, ""), (*net.IPAddr)(nil)); return err }, "write", "ping4", is(wsa.WSAEFAULT)},
		"no request": {func() error { _, err := dialled.Write(make([]byte, 8)); return err }, "write", "ping4", is(wsa.WSAEINVAL)},
		"too short":  {func() error { _, err := dialled.Write([]byte{8, 0}); return err }, "write", "ping4", is(wsa.WSAEINVAL)},
		"too long":   {func() error { _, err := dialled.Write(make([]byte, 1<<16)); return err }, "write", "ping4", is(wsa.WSAEMSGSIZE)},
	} {
		t.Run(name, func(t *testing.T) { requireOpError(t, c.call(), c.op, c.network, c.cause) })
	}
}

// A reply that is longer than the buffer is cut off.
func TestPingShortBuffer(t *testing.T) {
	a, _ := pair(t)
	c, err := a.DialPingAddr(netip.Addr{}, b4)
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	for _, data := range []string{"longer than it", "next"} {
		_, err = c.Write(request(t, b4, 1, data))
		require.NoError(t, err)
		b := make([]byte, 12)
		n, err := c.Read(b)
		require.NoError(t, err)
		require.Equal(t, data[:4], string(b[8:n]))
	}
}

// Packets of more than the MTU are fragments.
func TestPingLong(t *testing.T) {
	a, _ := pair(t)
	for _, f := range families {
		c, err := a.DialPingAddr(netip.Addr{}, f.remote)
		require.NoError(t, err)
		data := string(make([]byte, 5000))
		_, err = c.Write(request(t, f.remote, 1, data))
		require.NoError(t, err)
		require.NoError(t, c.SetReadDeadline(time.Now().Add(patience)))
		b := make([]byte, 6000)
		n, err := c.Read(b)
		require.NoError(t, err)
		require.Equal(t, 5008, n)
		require.NoError(t, c.Close())
	}
}

// Close ends calls in progress, and is idempotent.
func TestPingClose(t *testing.T) {
	a, _ := pair(t)
	c, err := a.DialPingAddr(netip.Addr{}, b4)
	require.NoError(t, err)
	read := make(chan error)
	go func() {
		_, err := c.Read(make([]byte, 10))
		read <- err
	}()
	require.NoError(t, c.Close())
	require.NoError(t, c.Close())
	requireOpError(t, <-read, "read", "ping4", is(net.ErrClosed))
	_, err = c.Write(request(t, b4, 1, ""))
	requireOpError(t, err, "write", "ping4", is(net.ErrClosed))
	require.ErrorIs(t, c.SetDeadline(time.Now()), net.ErrClosed)
}

// A link-local address means the link of its zone, a name or a number.
func TestPingLinkLocal(t *testing.T) {
	local, remote := netip.MustParseAddr("fe80::1"), netip.MustParseAddr("fe80::2")
	a, b := newHost(t, nil, local), newHost(t, nil, remote)
	join(t, a, b)
	require.NoError(t, a.Stack().AddDevice(tun.NewFunc(mtu, nil), netip.PrefixFrom(local, 64)))
	link := a.Stack().NetInterfaces()[1]
	for _, zone := range []string{link.Name, strconv.Itoa(link.Index)} {
		addr := remote.WithZone(zone)
		c, err := a.DialPingAddr(netip.Addr{}, addr)
		require.NoError(t, err, zone)
		_, err = c.Write(request(t, addr, 1, "x"))
		require.NoError(t, err, zone)
		_, from := reply(t, c)
		require.Equal(t, remote, from.Addr().WithZone(""))
		require.NoError(t, c.Close())
	}
}
