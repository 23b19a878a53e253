package wgnet_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/wsstack/wsstack/internal/names"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wgnet"
)

// startNames makes b the name server of both of its addresses.
func startNames(t testing.TB, b *host) {
	t.Helper()
	zone, err := names.NewZone([]names.Host{
		{Name: "both.test", Addresses: []netip.Addr{b4, b6}},
		{Name: "four.test", Addresses: []netip.Addr{b4}},
		{Name: "six.test", Addresses: []netip.Addr{b6}},
	}, nil)
	require.NoError(t, err)
	s, err := names.Start(b.Stack(), names.Config{Addresses: []netip.Addr{b4, b6}, Zone: zone})
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
}

func TestLookupHost(t *testing.T) {
	a, b := pair(t)
	startNames(t, b)
	for host, want := range map[string][]string{
		"both.test":    {"fd00::2", "10.0.0.2"},
		"BOTH.test.":   {"fd00::2", "10.0.0.2"},
		"four.test":    {"10.0.0.2"},
		"six.test":     {"fd00::2"},
		"localhost":    {"127.0.0.1", "::1"},
		"10.9.8.7":     {"10.9.8.7"},
		"fe80::1%eth0": {"fe80::1%eth0"},
	} {
		got, err := a.LookupHost(host)
		require.NoError(t, err, host)
		require.Equal(t, want, got, host)
	}
}

// What has no room in a datagram comes over TCP.
func TestLookupTruncated(t *testing.T) {
	a, b := pair(t)
	packets, err := b.ListenUDP(&net.UDPAddr{Port: 53})
	require.NoError(t, err)
	stream, err := b.ListenTCP(&net.TCPAddr{Port: 53})
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := packets.ReadFrom(buf)
			if err != nil {
				return
			}
			buf[2] |= 0x82 // a response that is truncated
			packets.WriteTo(buf[:n], from)
		}
	})
	wg.Go(func() {
		for {
			c, err := stream.Accept()
			if err != nil {
				return
			}
			answerOverTCP(t, c)
		}
	})
	got, err := a.LookupContextHost(soon(t), "big.test")
	require.NoError(t, err)
	require.Equal(t, []string{"10.0.0.77"}, got)
	require.NoError(t, packets.Close())
	require.NoError(t, stream.Close())
	wg.Wait()
}

// answerOverTCP answers a question for an A record, and any other one with no records.
func answerOverTCP(t testing.TB, c net.Conn) {
	defer c.Close()
	buf := make([]byte, 2+512)
	_, err := io.ReadFull(c, buf[:2])
	require.NoError(t, err)
	n, err := io.ReadFull(c, buf[2:2+binary.BigEndian.Uint16(buf)])
	require.NoError(t, err)
	var m dnsmessage.Message
	require.NoError(t, m.Unpack(buf[2:2+n]))
	m.Response = true
	if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class},
			Body:   &dnsmessage.AResource{A: [4]byte{10, 0, 0, 77}},
		}}
	}
	answer, err := m.AppendPack(make([]byte, 2))
	require.NoError(t, err)
	binary.BigEndian.PutUint16(answer, uint16(len(answer)-2))
	_, err = c.Write(answer)
	require.NoError(t, err)
}

// Of a name's addresses those count whose family the host has.
func TestLookupFamilies(t *testing.T) {
	b := newHost(t, nil, b4, b6)
	a := newHost(t, []netip.Addr{b4}, a4)
	join(t, a, b)
	startNames(t, b)
	got, err := a.LookupHost("both.test")
	require.NoError(t, err)
	require.Equal(t, []string{"10.0.0.2"}, got)
	got, err = a.LookupHost("::1")
	require.NoError(t, err)
	require.Equal(t, []string{"::1"}, got)
	_, err = a.LookupHost("six.test")
	requireDNSError(t, err, "six.test", true, false)

	l, err := b.ListenTCP(&net.TCPAddr{Port: 80})
	require.NoError(t, err)
	serveEcho(t, l)
	c, err := a.Dial("tcp", "both.test:80")
	require.NoError(t, err)
	requireEcho(t, c, "by name")
	ping, err := a.Dial("ping", "both.test")
	require.NoError(t, err)
	require.Equal(t, "10.0.0.2", ping.RemoteAddr().String())
	require.NoError(t, ping.Close())

	// The loopback has both.
	own, err := a.ListenTCPAddrPort(netip.MustParseAddrPort("[::1]:80"))
	require.NoError(t, err)
	serveEcho(t, own)
	c, err = a.Dial("tcp", "localhost:80")
	require.NoError(t, err)
	requireEcho(t, c, "loopback")
}

func TestLookupErrors(t *testing.T) {
	a, b := pair(t)
	startNames(t, b)
	for _, host := range []string{"no.test", "", ".", "two..dots", "256.0.0.1.test"} {
		_, err := a.LookupHost(host)
		requireDNSError(t, err, host, true, false)
	}
	none := newHost(t, nil, a4)
	_, err := none.LookupHost("both.test")
	requireDNSError(t, err, "both.test", true, false)
	_, err = none.Dial("tcp", "both.test:80")
	require.ErrorContains(t, err, "dnsServers")

	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = a.LookupContextHost(canceled, "both.test")
	requireDNSError(t, err, "both.test", false, false)
	require.ErrorIs(t, err, context.Canceled)

	deaf := newHost(t, []netip.Addr{b4}, a4) // without a tunnel
	waiting, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	_, err = deaf.LookupContextHost(waiting, "both.test")
	requireDNSError(t, err, "both.test", false, false)
	require.ErrorIs(t, err, context.Canceled)
	late, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err = deaf.LookupContextHost(late, "both.test")
	requireDNSError(t, err, "both.test", false, true)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = deaf.DialContext(late, "tcp", "both.test:80")
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func requireDNSError(t testing.TB, err error, name string, notFound, timeout bool) {
	t.Helper()
	var e *net.DNSError
	require.ErrorAs(t, err, &e)
	require.Equal(t, name, e.Name)
	require.Equal(t, notFound, e.IsNotFound, "%v", err)
	require.Equal(t, timeout, e.IsTimeout, "%v", err)
}

// With New there are other ways to look up names.
func TestLookupConfigured(t *testing.T) {
	d, n, err := wgnet.New(stack.Config{
		Addresses: []netip.Prefix{netip.PrefixFrom(a4, 24)},
		Hosts:     map[string][]netip.Addr{"table.test": {b6, b4}},
		Resolver:  resolver(func(name string) ([]string, error) { return []string{"10.0.0.7"}, nil }),
	})
	require.NoError(t, err)
	defer d.Close()
	got, err := n.LookupHost("table.test")
	require.NoError(t, err)
	require.Equal(t, []string{"10.0.0.2"}, got)
	got, err = n.LookupHost("else.test")
	require.NoError(t, err)
	require.Equal(t, []string{"10.0.0.7"}, got)
}

// A resolver is a stack.Resolver.
type resolver func(name string) ([]string, error)

func (r resolver) LookupHost(_ context.Context, name string) ([]string, error) { return r(name) }
