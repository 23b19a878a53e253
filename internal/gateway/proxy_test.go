package gateway_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/gateway"
	"github.com/wsstack/wsstack/wsa"
)

// A proxyServer is a proxy for tests. It connects to nobody: it answers as it is told, and
// then it is an echo server, whose greeting comes in one segment with the answer.
type proxyServer struct {
	l    net.Listener
	wg   sync.WaitGroup
	user string // USER:PASSWORD; empty: nobody is asked

	mu    sync.Mutex
	asked []string
}

func newProxyServer(t *testing.T, speak func(*proxyServer, net.Conn)) *proxyServer {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxyServer{l: l}
	p.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() {
				defer c.Close()
				speak(p, c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.wg.Wait()
	})
	return p
}

func (p *proxyServer) ask(to string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, to)
}

func (p *proxyServer) destinations() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

// socks speaks RFC 1928 as a server.
func socks(reply func(to netip.AddrPort) byte) func(*proxyServer, net.Conn) {
	return func(p *proxyServer, c net.Conn) {
		b := make([]byte, 600)
		io.ReadFull(c, b[:2])
		io.ReadFull(c, b[2:2+b[1]])
		if p.user == "" {
			c.Write([]byte{5, 0})
		} else {
			c.Write([]byte{5, 2})
			io.ReadFull(c, b[:2])
			user := make([]byte, b[1]+1)
			io.ReadFull(c, user)
			password := make([]byte, user[b[1]])
			io.ReadFull(c, password)
			if string(user[:b[1]])+":"+string(password) != p.user {
				c.Write([]byte{1, 1})
				return
			}
			c.Write([]byte{1, 0})
		}
		io.ReadFull(c, b[:4])
		size := map[byte]int{1: 4, 4: 16}[b[3]]
		io.ReadFull(c, b[4:4+size+2])
		a, _ := netip.AddrFromSlice(b[4 : 4+size])
		to := netip.AddrPortFrom(a, binary.BigEndian.Uint16(b[4+size:]))
		p.ask(to.String())
		code := reply(to)
		c.Write(append([]byte{5, code, 0, 1, 0, 0, 0, 0, 0, 0}, "hello"...))
		if code == 0 {
			io.Copy(c, c)
		}
	}
}

// tunnel speaks CONNECT as a server.
func tunnel(status func(to string) string) func(*proxyServer, net.Conn) {
	return func(p *proxyServer, c net.Conn) {
		r := bufio.NewReader(c)
		request, err := http.ReadRequest(r)
		if err != nil || request.Method != http.MethodConnect {
			return
		}
		user, password, _ := (&http.Request{Header: http.Header{"Authorization": request.Header["Proxy-Authorization"]}}).BasicAuth()
		p.ask(request.Host)
		line := status(request.Host)
		if p.user != "" && user+":"+password != p.user {
			line = "407 Who are you"
		}
		fmt.Fprintf(c, "HTTP/1.1 %s\r\nX-Header: %s\r\n\r\nhello", line, strings.Repeat("x", 2000))
		if strings.HasPrefix(line, "2") {
			io.Copy(c, r)
		}
	}
}

// through makes a world behind a proxy.
func through(t *testing.T, url string) *world {
	cfg, err := gateway.Parse(gateway.Words{Via: url, Deny: []string{"203.0.113.0/24"}})
	require.NoError(t, err)
	return newWorld(t, cfg)
}

// Connections go by the proxy, with nothing added and nothing lost, and to addresses as they are.
func TestProxy(t *testing.T) {
	for _, user := range []string{"", "u:p%"} {
		for kind, speak := range map[string]func(*proxyServer, net.Conn){
			"socks5": socks(func(netip.AddrPort) byte { return 0 }),
			"http":   tunnel(func(string) string { return "200 Fine" }),
		} {
			t.Run(kind+" "+user, func(t *testing.T) {
				p := newProxyServer(t, speak)
				p.user = user
				url := kind + "://" + p.l.Addr().String()
				if user != "" {
					url = kind + "://u:p%25@" + p.l.Addr().String()
				}
				w := through(t, url)
				for _, to := range []string{"192.0.2.1:80", "[2001:db8::1]:443"} {
					c, err := w.client.Dial("tcp", to)
					require.NoError(t, err)
					b := make([]byte, 5)
					_, err = io.ReadFull(c, b)
					require.NoError(t, err)
					require.Equal(t, "hello", string(b))
					require.NoError(t, exchange(c))
					require.NoError(t, c.Close())
				}
				require.Equal(t, []string{"192.0.2.1:80", "[2001:db8::1]:443"}, p.destinations())
				// The host's loopback is the host's.
				c, err := w.client.Dial("tcp", server(t, "IPv4", echo))
				require.NoError(t, err)
				require.NoError(t, exchange(c))
				require.NoError(t, c.Close())
				require.Len(t, p.destinations(), 2)
				// What is no TCP would go round the proxy.
				_, err = w.client.Ping(t.Context(), netip.MustParseAddr("192.0.2.1"))
				require.ErrorContains(t, err, "type 3, code 13")
				require.Contains(t, w.said.String(), "UDP and ping are prohibited")
				require.NotContains(t, w.said.String(), "p%")
			})
		}
	}
}

// What a proxy says of the destination, the peer is told in the words of its own network.
func TestProxyRefusals(t *testing.T) {
	// The port says which answer the proxy gives.
	codes := socks(func(to netip.AddrPort) byte { return byte(to.Port()) })
	status := tunnel(func(to string) string { return to[strings.LastIndex(to, ":")+1:] + " No" })
	for _, tt := range []struct {
		kind  string
		speak func(*proxyServer, net.Conn)
		port  string
		want  string // of the ICMP error; RST
	}{
		{"socks5", codes, "1", "host"}, {"socks5", codes, "2", "prohibited"}, {"socks5", codes, "3", "network"},
		{"socks5", codes, "4", "host"}, {"socks5", codes, "5", "RST"}, {"socks5", codes, "8", "network"},
		{"socks5", codes, "99", "host"},
		{"http", status, "403", "prohibited"}, {"http", status, "404", "host"}, {"http", status, "407", "host"},
		{"http", status, "500", "host"}, {"http", status, "502", "host"}, {"http", status, "503", "host"},
	} {
		t.Run(tt.kind+" "+tt.port, func(t *testing.T) {
			p := newProxyServer(t, tt.speak)
			w := newWirePeer(t, tt.kind+"://"+p.l.Addr().String())
			require.Equal(t, tt.want, w.knock(t, "192.0.2.1:"+tt.port))
		})
	}
	t.Run("no proxy", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		require.NoError(t, l.Close())
		for _, kind := range []string{"socks5", "http"} {
			w := newWirePeer(t, kind+"://"+l.Addr().String())
			require.Equal(t, "host", w.knock(t, "192.0.2.1:80"), "the destination hasn't refused")
			require.Contains(t, w.said.String(), "the proxy of the way out fails")
		}
	})
	t.Run("denied", func(t *testing.T) {
		p := newProxyServer(t, codes)
		w := newWirePeer(t, "socks5://"+p.l.Addr().String())
		require.Equal(t, "prohibited", w.knock(t, "203.0.113.1:5"))
		require.Empty(t, p.destinations())
	})
}

// Whoever gives up, gives up the proxy's connection.
func TestProxySilent(t *testing.T) {
	for _, kind := range []string{"socks5", "http"} {
		began, ended := make(chan struct{}), make(chan error, 1)
		p := newProxyServer(t, func(_ *proxyServer, c net.Conn) {
			close(began)
			_, err := io.Copy(io.Discard, c)
			ended <- err
		})
		w := through(t, kind+"://"+p.l.Addr().String())
		done := make(chan error, 1)
		go func() { _, err := w.client.Dial("tcp", "192.0.2.1:80"); done <- err }()
		<-began
		require.NoError(t, w.gateway.Close())
		<-ended
		require.NoError(t, w.client.Close())
		require.ErrorIs(t, <-done, wsa.WSAENETDOWN)
	}
}

// A proxy may answer whatever it likes: it has a bound, and an end.
func TestProxyHostile(t *testing.T) {
	for name, speak := range map[string]func(*proxyServer, net.Conn){
		"http endless": func(_ *proxyServer, c net.Conn) {
			bufio.NewReader(c).ReadString('\n')
			for {
				if _, err := c.Write([]byte(strings.Repeat("HTTP/1.1 200 OK", 1000))); err != nil {
					return
				}
			}
		},
		"http nothing":   func(_ *proxyServer, c net.Conn) { bufio.NewReader(c).ReadString('\n') },
		"http rubbish":   func(_ *proxyServer, c net.Conn) { c.Write([]byte("\x05\x00rubbish\r\n\r\n")); io.Copy(io.Discard, c) },
		"socks5 nothing": func(_ *proxyServer, c net.Conn) { c.Read(make([]byte, 3)) },
		"socks5 rubbish": func(_ *proxyServer, c net.Conn) { c.Write([]byte("HTTP/1.1 400 Bad\r\n\r\n")); io.Copy(io.Discard, c) },
		"socks5 half": func(_ *proxyServer, c net.Conn) {
			c.Read(make([]byte, 3))
			c.Write([]byte{5, 0, 5, 0})
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProxyServer(t, speak)
			kind, _, _ := strings.Cut(name, " ")
			w := newWirePeer(t, kind+"://"+p.l.Addr().String())
			require.Equal(t, "host", w.knock(t, "192.0.2.1:80"))
		})
	}
}

// What has come before the connections are joined, and the end of it, isn't forgotten.
func TestProxyFarewell(t *testing.T) {
	p := newProxyServer(t, func(_ *proxyServer, c net.Conn) {
		r := bufio.NewReader(c)
		if _, err := http.ReadRequest(r); err != nil {
			return
		}
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nX-Header: %s\r\n\r\nthat was all", strings.Repeat("x", 10_000))
		c.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, r)
	})
	w := through(t, "http://"+p.l.Addr().String())
	c, err := w.client.Dial("tcp", "192.0.2.1:80")
	require.NoError(t, err)
	defer c.Close()
	got, err := io.ReadAll(c)
	require.NoError(t, err)
	require.Equal(t, "that was all", string(got))
}
