package endpoint_test

import (
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/internal/sockettest"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

func TestReadAfterPeerCloseIsEOF(t *testing.T) {
	a, b := sockettest.Pair(t)
	for _, f := range sockettest.Families {
		t.Run(f.Name, func(t *testing.T) {
			client, server := sockettest.Connected(t, a, b, f.Addr)
			_, err := client.Write([]byte("last words"))
			require.NoError(t, err)
			require.NoError(t, client.CloseWrite())
			got, err := io.ReadAll(server)
			require.NoError(t, err)
			require.Equal(t, "last words", string(got))
			_, err = server.Read(make([]byte, 1))
			require.Equal(t, io.EOF, err, "io.EOF stays bare")

			// The other direction still works.
			_, err = server.Write([]byte("reply"))
			require.NoError(t, err)
			buf := make([]byte, 5)
			_, err = io.ReadFull(client, buf)
			require.NoError(t, err)
			_, err = client.Write([]byte("x"))
			sockettest.CheckOpError(t, err, "write", wsa.WSAESHUTDOWN)
		})
	}
}

// A blocked call ends when its socket is closed, whichever call it is.
func TestCloseWakesBlockedCalls(t *testing.T) {
	a, b, spy := sockettest.SpiedPair(t)
	silent := sockettest.NewStackOf(t, stack.Config{Device: tun.NewFunc(1500, func([]byte) {}), NewWaiter: spy.NewWaiter}, "10.1.0.1/24")
	for _, f := range sockettest.Families {
		t.Run(f.Name+" read", func(t *testing.T) {
			client, _ := sockettest.Connected(t, a, b, f.Addr)
			checkWoken(t, spy, "recv", client, func() error { _, err := client.Read(make([]byte, 1)); return err })
		})
		t.Run(f.Name+" write", func(t *testing.T) {
			client, _ := sockettest.Connected(t, a, b, f.Addr)
			checkWoken(t, spy, "send", client, func() error { _, err := client.Write(make([]byte, 64<<20)); return err })
		})
		t.Run(f.Name+" accept", func(t *testing.T) {
			l, err := b.Listen("tcp", "["+f.Addr.String()+"]:0")
			require.NoError(t, err)
			checkWoken(t, spy, "accept", l, func() error { _, err := l.Accept(); return err })
		})
		t.Run(f.Name+" datagram", func(t *testing.T) {
			p, err := b.ListenPacket("udp", "["+f.Addr.String()+"]:0")
			require.NoError(t, err)
			checkWoken(t, spy, "recv", p, func() error { _, _, err := p.ReadFrom(make([]byte, 1)); return err })
		})
	}
	t.Run("connect", func(t *testing.T) {
		s := sockettest.NewSocket(t, silent, wsa.AF_INET, wsa.SOCK_STREAM)
		result := spy.Blocked("connect", func() error { return s.Connect(netip.MustParseAddrPort("10.1.0.2:80")) })
		require.Zero(t, s.Close())
		assert.Equal(t, wsa.WSAEINTR, <-result)
		assert.Equal(t, wsa.WSAENOTSOCK, s.Close(), "second close")
	})
}

func checkWoken(t *testing.T, spy sockettest.Spy, reason string, c io.Closer, call func() error) {
	t.Helper()
	result := spy.Blocked(reason, call)
	require.NoError(t, c.Close())
	err := <-result
	require.ErrorIs(t, err, net.ErrClosed)
	require.ErrorContains(t, err, "use of closed network connection")
	require.ErrorIs(t, c.Close(), net.ErrClosed, "second close")
	require.ErrorIs(t, call(), net.ErrClosed, "call after close")
}

func TestDeadlines(t *testing.T) {
	a, b := sockettest.Pair(t)
	client, server := sockettest.Connected(t, a, b, sockettest.Families[0].Addr)
	start := time.Now()
	require.NoError(t, client.SetReadDeadline(start.Add(30*time.Millisecond)))
	_, err := client.Read(make([]byte, 1))
	sockettest.CheckOpError(t, err, "read", os.ErrDeadlineExceeded)
	assert.GreaterOrEqual(t, time.Since(start), 30*time.Millisecond)

	// Removed again, the connection works as before.
	require.NoError(t, client.SetDeadline(time.Time{}))
	_, err = server.Write([]byte("x"))
	require.NoError(t, err)
	_, err = client.Read(make([]byte, 1))
	require.NoError(t, err)

	l, err := b.Listen("tcp", ":0")
	require.NoError(t, err)
	defer l.Close()
	require.NoError(t, l.(*endpoint.Listener).SetDeadline(time.Now().Add(10*time.Millisecond)))
	_, err = l.Accept()
	sockettest.CheckOpError(t, err, "accept", os.ErrDeadlineExceeded)
}

func TestDialErrors(t *testing.T) {
	a, _ := sockettest.Pair(t)
	silent := sockettest.NewStack(t, tun.NewFunc(1500, func([]byte) {}), "10.1.0.1/24")
	alone, err := stack.New(stack.Config{})
	require.NoError(t, err)
	defer alone.Close()
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	short, cancel2 := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel2()

	for _, tt := range []struct {
		name    string
		s       *stack.Stack
		ctx     context.Context
		network string
		address string
		want    error
	}{
		{"refused", a, nil, "tcp", "10.0.0.2:1", wsa.WSAECONNREFUSED},
		{"refused, as package net says it", a, nil, "tcp", "10.0.0.2:1", syscall.ECONNREFUSED},
		{"refused IPv6", a, nil, "tcp6", "[fd00::2]:1", wsa.WSAECONNREFUSED},
		{"refused by itself", a, nil, "tcp", "10.0.0.1:1", wsa.WSAECONNREFUSED},
		{"refused on the loopback", a, nil, "tcp", ":1", wsa.WSAECONNREFUSED},
		{"no route", alone, nil, "tcp", "10.9.9.9:80", wsa.WSAENETUNREACH},
		{"no route for datagrams", alone, nil, "udp", "10.9.9.9:80", wsa.WSAENETUNREACH},
		{"port 0", a, nil, "tcp", "10.0.0.2:0", wsa.WSAEADDRNOTAVAIL},
		{"broadcast", a, nil, "tcp", "10.0.0.255:80", wsa.WSAEADDRNOTAVAIL},
		{"multicast", a, nil, "tcp", "224.0.0.1:80", wsa.WSAEADDRNOTAVAIL},
		{"cancelled before", a, canceled, "tcp", "10.0.0.2:80", context.Canceled},
		{"cancelled during", silent, short, "tcp", "10.1.0.2:80", context.DeadlineExceeded},
		{"zone", a, nil, "tcp", "[fe80::1%tun9]:80", wsa.WSAENETUNREACH},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx := tt.ctx
			if ctx == nil {
				ctx = context.Background()
			}
			var err error
			sockettest.Within(t, "dial", func() { _, err = tt.s.DialContext(ctx, tt.network, tt.address) })
			sockettest.CheckOpError(t, err, "dial", tt.want)
		})
	}
	_, err = a.DialContext(context.Background(), "tcp", "example.com:80")
	var dns *net.DNSError
	require.ErrorAs(t, err, &dns)
	require.True(t, dns.IsNotFound)
	_, err = a.DialContext(context.Background(), "sctp", "10.0.0.2:80")
	require.ErrorAs(t, err, new(net.UnknownNetworkError))
	_, err = a.DialContext(context.Background(), "tcp4", "[fd00::2]:80")
	require.ErrorAs(t, err, new(*net.AddrError))
	require.Empty(t, a.Sockets(), "a failed dial leaves nothing")
	require.Empty(t, silent.Sockets())
}

// The names and addresses that Listen takes, and what it makes of them.
func TestListenAddresses(t *testing.T) {
	a, b := sockettest.Pair(t)
	for _, tt := range []struct {
		network, listen string
		reach, refuse   []string
	}{
		{"tcp", ":7001", []string{"10.0.0.2:7001", "[fd00::2]:7001"}, nil},
		{"tcp4", ":7002", []string{"10.0.0.2:7002"}, []string{"[fd00::2]:7002"}},
		{"tcp6", ":7003", []string{"[fd00::2]:7003"}, []string{"10.0.0.2:7003"}},
		{"tcp", "10.0.0.2:7004", []string{"10.0.0.2:7004"}, []string{"[fd00::2]:7004"}},
		{"tcp", "[::]:7005", []string{"10.0.0.2:7005", "[fd00::2]:7005"}, nil},
		{"tcp", "0.0.0.0:7006", []string{"10.0.0.2:7006", "[fd00::2]:7006"}, nil},
		{"tcp4", "0.0.0.0:7007", []string{"10.0.0.2:7007"}, []string{"[fd00::2]:7007"}},
		{"tcp4", "[::]:7008", []string{"10.0.0.2:7008"}, []string{"[fd00::2]:7008"}},
		{"tcp6", "[::]:7009", []string{"[fd00::2]:7009"}, []string{"10.0.0.2:7009"}},
	} {
		t.Run(tt.network+" "+tt.listen, func(t *testing.T) {
			l, err := b.Listen(tt.network, tt.listen)
			require.NoError(t, err)
			defer l.Close()
			for _, addr := range tt.reach {
				c, err := a.DialContext(context.Background(), "tcp", addr)
				require.NoError(t, err, addr)
				s, err := l.Accept()
				require.NoError(t, err)
				assert.Equal(t, addr, c.RemoteAddr().String())
				assert.Equal(t, addr, s.LocalAddr().String())
				assert.Equal(t, c.LocalAddr().String(), s.RemoteAddr().String())
				assert.False(t, strings.HasPrefix(c.LocalAddr().String(), "["+"::]"))
				c.Close()
				s.Close()
			}
			for _, addr := range tt.refuse {
				_, err := a.DialContext(context.Background(), "tcp", addr)
				require.ErrorIs(t, err, wsa.WSAECONNREFUSED, addr)
			}
		})
	}
	_, err := b.Listen("tcp", "10.0.0.1:80")
	sockettest.CheckOpError(t, err, "listen", wsa.WSAEADDRNOTAVAIL)
	l, err := b.Listen("tcp", "localhost:0")
	require.NoError(t, err)
	defer l.Close()
	require.True(t, l.Addr().(*net.TCPAddr).IP.IsLoopback())
	_, err = b.Listen("tcp", l.Addr().String())
	sockettest.CheckOpError(t, err, "listen", wsa.WSAEADDRINUSE)
}

func TestOwnAddresses(t *testing.T) {
	a, _ := sockettest.Pair(t)
	for _, addr := range []string{"127.0.0.1:0", "127.3.2.1:0", "[::1]:0", "10.0.0.1:0", "[fd00::1]:0"} {
		t.Run(addr, func(t *testing.T) {
			l, err := a.Listen("tcp", addr)
			require.NoError(t, err)
			defer l.Close()
			c, err := a.DialContext(context.Background(), "tcp", l.Addr().String())
			require.NoError(t, err)
			defer c.Close()
			s, err := l.Accept()
			require.NoError(t, err)
			defer s.Close()
			_, err = c.Write([]byte("hello"))
			require.NoError(t, err)
			buf := make([]byte, 5)
			_, err = io.ReadFull(s, buf)
			require.NoError(t, err)
			require.Equal(t, "hello", string(buf))
		})
	}
}

// The addresses of a connection are keys of maps, as those of package net: the
// same pointers as long as it lives, and when it is closed.
func TestAddressesAreTheSame(t *testing.T) {
	a, b := sockettest.Pair(t)
	client, server := sockettest.Connected(t, a, b, sockettest.Families[1].Addr)
	l, err := b.Listen("tcp", ":0")
	require.NoError(t, err)
	p, err := b.ListenPacket("udp", ":0")
	require.NoError(t, err)
	d, err := a.Dial("udp", "10.0.0.2:9")
	require.NoError(t, err)
	for name, get := range map[string]func() net.Addr{
		"Conn.LocalAddr": client.LocalAddr, "Conn.RemoteAddr": client.RemoteAddr,
		"accepted LocalAddr": server.LocalAddr, "accepted RemoteAddr": server.RemoteAddr,
		"Listener.Addr": l.Addr, "PacketConn.LocalAddr": p.LocalAddr,
		"dialled LocalAddr": d.LocalAddr, "dialled RemoteAddr": d.RemoteAddr,
	} {
		got := make(chan net.Addr, 8)
		for range cap(got) {
			go func() { got <- get() }()
		}
		seen := map[net.Addr]bool{<-got: true}
		for range cap(got) - 1 {
			require.True(t, seen[<-got], name)
		}
		for _, c := range []io.Closer{client, server, l, p, d} {
			c.Close()
		}
		require.True(t, seen[get()], "%s after Close", name)
	}
	require.Nil(t, p.(*endpoint.PacketConn).RemoteAddr())
}

func TestReaderFromWriterTo(t *testing.T) {
	a, b := sockettest.Pair(t)
	client, server := sockettest.Connected(t, a, b, sockettest.Families[1].Addr)
	text := strings.Repeat("0123456789abcdef", 1<<16)
	go func() {
		n, err := client.ReadFrom(strings.NewReader(text))
		assert.NoError(t, err)
		assert.EqualValues(t, len(text), n)
		assert.NoError(t, client.CloseWrite())
	}()
	var got strings.Builder
	n, err := server.WriteTo(&got)
	require.NoError(t, err)
	require.EqualValues(t, len(text), n)
	require.Equal(t, text, got.String())
}
