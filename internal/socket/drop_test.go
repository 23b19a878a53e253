package socket_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/sockettest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// A cutLink is pair on a link that can be cut. The clock of a stands still, but
// for drop.
type cutLink struct {
	a, b  *stack.Stack
	cut   atomic.Bool
	clock *faketime.ManualClock
	spy   sockettest.Spy // of a
}

// newCutLink makes one; sent sees every packet of a, maybe with an endpoint
// locked.
func newCutLink(t testing.TB, sent func(packet []byte)) *cutLink {
	t.Helper()
	l := &cutLink{clock: faketime.NewManualClock(), spy: sockettest.NewSpy()}
	l.clock.Advance(time.Hour) // netstack takes time zero for "unset"
	var da, db *tun.Func
	da = tun.NewFunc(1500, func(p []byte) {
		if sent != nil {
			sent(p)
		}
		if !l.cut.Load() {
			db.Inject(p)
		}
	})
	db = tun.NewFunc(1500, func(p []byte) {
		if !l.cut.Load() {
			da.Inject(p)
		}
	})
	l.a = sockettest.NewStackOf(t, stack.Config{Device: da, Clock: l.clock, NewWaiter: l.spy.NewWaiter}, "10.0.0.1/24", "fd00::1/64")
	require.NoError(t, l.a.SetKeepAlive(stack.KeepAlive{Idle: 150 * time.Millisecond, Interval: 20 * time.Millisecond, Count: 2}))
	l.b = sockettest.NewStack(t, db, "10.0.0.2/24", "fd00::2/64")
	return l
}

// drop cuts the link, and lets the time pass after which keep-alive ends the
// connections of a that have it on.
func (l *cutLink) drop() {
	stack.Settle(l.a, l.b)
	l.cut.Store(true)
	for range 20 {
		l.clock.Advance(10 * time.Millisecond)
		l.a.Settle()
	}
}

// The net face of a drop: Read in progress gets WSAENETRESET, later calls
// WSAENOTCONN, wrapped in a *net.OpError; neither a time-out nor closed.
func TestConnDropped(t *testing.T) {
	for _, f := range sockettest.Families {
		t.Run(f.Name, func(t *testing.T) {
			l := newCutLink(t, nil)
			c, _ := sockettest.Connected(t, l.a, l.b, f.Addr)
			require.NoError(t, c.SetKeepAlive(true))
			read := l.spy.Blocked("recv", func() error { _, err := c.Read(make([]byte, 1)); return err })
			l.drop()
			err := <-read
			sockettest.CheckOpError(t, err, "read", wsa.WSAENETRESET)
			for range 2 {
				_, err = c.Read(make([]byte, 1))
				sockettest.CheckOpError(t, err, "read", wsa.WSAENOTCONN)
				_, err = c.Write([]byte("x"))
				sockettest.CheckOpError(t, err, "write", wsa.WSAENOTCONN)
			}
			sockettest.CheckOpError(t, c.CloseWrite(), "close", wsa.WSAENOTCONN)
			sockettest.CheckOpError(t, c.SetKeepAlive(true), "set", wsa.WSAENOTCONN)
			var ne net.Error
			require.ErrorAs(t, err, &ne)
			require.False(t, ne.Timeout())
			require.NotErrorIs(t, err, net.ErrClosed)
			require.NotErrorIs(t, err, io.EOF)
			require.NoError(t, c.Close())
		})
	}
}

// crypto/tls passes the error of its connection on, and keeps it: later calls
// of a tls.Conn have WSAENETRESET as well.
func TestTLSDropped(t *testing.T) {
	l := newCutLink(t, nil)
	c, peer := sockettest.Connected(t, l.a, l.b, sockettest.Families[0].Addr)
	server := tls.Server(peer, &tls.Config{Certificates: []tls.Certificate{certificate(t)}})
	client := tls.Client(c, &tls.Config{InsecureSkipVerify: true}) // the certificate isn't what is tested
	shaken := make(chan error, 1)
	go func() { shaken <- server.HandshakeContext(t.Context()) }()
	require.NoError(t, client.HandshakeContext(t.Context()))
	require.NoError(t, <-shaken)
	_, err := server.Write([]byte("hello"))
	require.NoError(t, err)
	_, err = io.ReadFull(client, make([]byte, 5))
	require.NoError(t, err)
	require.NoError(t, c.SetKeepAlive(true))
	read := l.spy.Blocked("recv", func() error { _, err := client.Read(make([]byte, 1)); return err })
	l.drop()
	require.ErrorIs(t, <-read, wsa.WSAENETRESET)
	_, err = client.Read(make([]byte, 1))
	require.ErrorIs(t, err, wsa.WSAENETRESET)
	_, err = client.Write([]byte("x"))
	require.ErrorIs(t, err, wsa.WSAENOTCONN)
	require.NoError(t, c.Close())
}

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"test"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// net/http: a client that waits for an answer gets WSAENETRESET; a handler that
// reads the body, too, and the context of its request ends.
func TestHTTPDropped(t *testing.T) {
	t.Run("client", func(t *testing.T) {
		link := newCutLink(t, nil)
		l, err := link.b.Listen("tcp", "10.0.0.2:80")
		require.NoError(t, err)
		release := make(chan struct{})
		server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			link.spy.Await("recv") // the client's only one
			// The request is acknowledged: else its retransmission would end the connection, some time.
			for slices.ContainsFunc(link.a.Sockets(), func(i endpoint.Info) bool { return i.SendQueue > 0 }) {
				runtime.Gosched()
			}
			link.drop()
			<-release
		})}
		go server.Serve(l) // ends with Close
		defer server.Close()
		defer close(release)
		transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := link.a.DialContext(ctx, network, address)
			if err == nil {
				err = c.(*endpoint.Conn).SetKeepAlive(true)
			}
			return c, err
		}}
		defer transport.CloseIdleConnections()
		_, err = (&http.Client{Transport: transport}).Get("http://10.0.0.2/") //nolint:bodyclose // there is none
		require.ErrorIs(t, err, wsa.WSAENETRESET)
	})
	t.Run("server", func(t *testing.T) {
		link := newCutLink(t, nil)
		l, err := link.a.Listen("tcp", "10.0.0.1:80")
		require.NoError(t, err)
		body, ended := make(chan error, 1), make(chan struct{})
		server := &http.Server{
			ConnState: func(c net.Conn, s http.ConnState) {
				if s == http.StateNew {
					assert.NoError(t, c.(*endpoint.Conn).SetKeepAlive(true))
				}
			},
			Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				read := link.spy.Blocked("recv", func() error { _, err := io.ReadAll(r.Body); return err })
				link.drop()
				body <- <-read
				<-r.Context().Done()
				close(ended)
			}),
		}
		go server.Serve(l) // ends with Close
		defer server.Close()
		c, err := link.b.DialContext(t.Context(), "tcp", "10.0.0.1:80")
		require.NoError(t, err)
		defer c.Close()
		_, err = io.WriteString(c, "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\n\r\nten bytes!")
		require.NoError(t, err)
		require.ErrorIs(t, <-body, wsa.WSAENETRESET)
		sockettest.Within(t, "the end of the request's context", func() { <-ended })
	})
}

// KA-30: a call that was made before the drop, and finds what has become of the
// connection after it, is in progress: WSAENETRESET. The RST of the drop is sent with
// the connection locked, which is when these calls come.
func TestCallOverlapsDrop(t *testing.T) {
	for name, call := range map[string]func(s *socket.Socket) wsa.Errno{
		"recv": func(s *socket.Socket) wsa.Errno {
			_, err := s.Recv(make([]byte, 1), 0)
			return err
		},
		"recv MSG_WAITALL": func(s *socket.Socket) wsa.Errno {
			_, err := s.Recv(make([]byte, 9), wsa.MSG_WAITALL)
			return err
		},
		"send": func(s *socket.Socket) wsa.Errno {
			_, err := s.Send([]byte("x"), 0)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			var s atomic.Pointer[socket.Socket]
			result := make(chan wsa.Errno, 1)
			l := newCutLink(t, func(packet []byte) {
				const flags, rst = 20 + 13, 4
				if sock := s.Load(); sock != nil && packet[flags]&rst != 0 {
					go func() { result <- call(sock) }()
					for !waitsForLock("socket.(*Socket)") {
						runtime.Gosched()
					}
				}
			})
			client, _ := sockettest.ConnectedSockets(t, l.a, l.b)
			require.Zero(t, client.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, []byte{1, 0, 0, 0}))
			s.Store(client)
			l.drop()
			require.Equal(t, wsa.WSAENETRESET, <-result)
			require.Equal(t, wsa.WSAENOTCONN, call(client), "a later call")
			s.Store(nil)
		})
	}
}

// waitsForLock reports that a goroutine waits for a mutex in a function whose
// name holds the text.
func waitsForLock(text string) bool {
	buf := make([]byte, 1<<20)
	for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		head, rest, _ := strings.Cut(g, "\n")
		if strings.Contains(head, "sync.Mutex.Lock") && strings.Contains(rest, text) {
			return true
		}
	}
	return false
}
