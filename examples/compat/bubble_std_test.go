package compat

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/rpc"
	"net/smtp"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// A server of package httptest takes a listener of a host.
func TestBubble_HTTPTestServer(t *testing.T) {
	inWorld(t, 3, func(t *testing.T, w *world) {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.URL.Path)
		}))
		s.Listener.Close() // a real one
		s.Listener = listen(t, w.server.Stack, serverIP+":80")
		s.Start()
		defer s.Close()
		require.Equal(t, "http://10.0.0.1:80", s.URL)
		tr := &http.Transport{DialContext: w.client.DialContext}
		defer tr.CloseIdleConnections()
		tookBetween(t, 11*rtt, time.Minute, func() {
			for i := range 10 {
				resp, err := (&http.Client{Transport: tr}).Get(s.URL + fmt.Sprint("/", i))
				require.NoError(t, err)
				got, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				require.NoError(t, err)
				require.Equal(t, fmt.Sprint("/", i), string(got))
			}
		})
	}, simnet.Loss(0.1))
}

// A reverse proxy stands between a client and a server that are far away. When the server is cut
// off, the proxy answers instead.
func TestBubble_ReverseProxy(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, n *simnet.Network) {
		client, proxy, server := host(n, "client", "10.0.0.2"), host(n, "proxy", "10.0.0.1"), host(n, "server", "10.0.1.2")
		n.Link(client, proxy, simnet.Delay(10*time.Millisecond))
		cable := n.Link(proxy, server, simnet.Delay(delay), simnet.Addresses(proxy, "10.0.1.1/24"))

		serveHTTP(t, listen(t, server.Stack, ":8080"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			fmt.Fprint(w, r.Header.Get("X-Forwarded-For"))
		}))
		tr := &http.Transport{DialContext: proxy.DialContext, ResponseHeaderTimeout: 10 * time.Second}
		t.Cleanup(tr.CloseIdleConnections)
		target := &url.URL{Scheme: "http", Host: "10.0.1.2:8080"}
		serveHTTP(t, listen(t, proxy.Stack, ":80"), &httputil.ReverseProxy{
			Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target); r.SetXForwarded() },
			Transport: tr, ErrorLog: discardLog,
		})
		browser := &http.Transport{DialContext: client.DialContext}
		t.Cleanup(browser.CloseIdleConnections)
		get := func() (int, string) {
			resp, err := (&http.Client{Transport: browser}).Get("http://10.0.0.1/")
			require.NoError(t, err)
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			return resp.StatusCode, string(body)
		}
		ok := func() {
			code, body := get()
			require.Equal(t, http.StatusOK, code)
			require.Equal(t, "10.0.0.2", body)
		}
		const near = 2 * 10 * time.Millisecond // a round trip to the proxy
		took(t, 2*near+2*rtt+time.Second, ok)
		took(t, near+rtt+time.Second, ok)
		cable.Partition()
		took(t, near+10*time.Second, func() {
			code, _ := get()
			require.Equal(t, http.StatusBadGateway, code)
		})
		cable.Heal()
		took(t, near+2*rtt+time.Second, ok)
	})
}

// A Square is a service of net/rpc.
type Square struct{}

// Of answers after a second.
func (Square) Of(n int, result *int) error {
	time.Sleep(time.Second)
	*result = n * n
	return nil
}

// A hundred calls of net/rpc share a connection and a second. A call on a connection that is cut
// ends with the connection.
func TestBubble_RPC(t *testing.T) {
	inWorld(t, 2, func(t *testing.T, w *world) {
		s := rpc.NewServer()
		require.NoError(t, s.Register(Square{}))
		serve(t, listen(t, w.server.Stack, ":1234"), func(c net.Conn) { s.ServeConn(c) })
		conn, err := w.client.DialContext(t.Context(), "tcp", serverIP+":1234")
		require.NoError(t, err)
		c := rpc.NewClient(conn)
		took(t, rtt+time.Second, func() {
			var all sync.WaitGroup
			for i := range 100 {
				all.Go(func() {
					var got int
					assert.NoError(t, c.Call("Square.Of", i, &got))
					assert.Equal(t, i*i, got)
				})
			}
			all.Wait()
		})
		w.link.Partition()
		// TCP sends the call again and again, and gives up in the end.
		took(t, 9*time.Minute+16500*time.Millisecond, func() {
			require.ErrorIs(t, c.Call("Square.Of", 3, new(int)), wsa.WSAECONNABORTED)
		})
		require.NoError(t, c.Close())
		// The server doesn't know: it waits for the next call, for ever, and so would the test.
		require.NoError(t, w.server.Close())
	})
}

// A mail of net/smtp arrives.
func TestBubble_SMTP(t *testing.T) {
	inWorld(t, 3, func(t *testing.T, w *world) {
		mails := make(chan string, 1)
		serve(t, listen(t, w.server.Stack, ":25"), func(c net.Conn) { serveSMTP(c, mails) })
		conn, err := w.client.DialContext(t.Context(), "tcp", serverIP+":25")
		require.NoError(t, err)
		body := strings.Repeat(strings.Repeat("wsstack ", 9)+"\r\n", 2000)
		tookBetween(t, 6*rtt, time.Minute, func() { // the greeting, and five commands with their answers
			c, err := smtp.NewClient(conn, "mail.example")
			require.NoError(t, err)
			defer c.Close()
			require.NoError(t, c.Mail("a@example.com"))
			require.NoError(t, c.Rcpt("b@example.com"))
			data, err := c.Data()
			require.NoError(t, err)
			_, err = io.WriteString(data, body)
			require.NoError(t, err)
			require.NoError(t, data.Close())
			require.NoError(t, c.Quit())
		})
		require.True(t, body == <-mails, "the mail differs")
	}, simnet.Loss(0.05))
}

// serveSMTP takes a mail.
func serveSMTP(c net.Conn, mails chan<- string) {
	in := bufio.NewReader(c)
	fmt.Fprint(c, "220 ready\r\n")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		switch verb, _, _ := strings.Cut(strings.TrimSpace(line), " "); verb {
		case "DATA":
			fmt.Fprint(c, "354 go on\r\n")
			var mail bytes.Buffer
			for line, err = in.ReadString('\n'); err == nil && line != ".\r\n"; line, err = in.ReadString('\n') {
				mail.WriteString(line)
			}
			mails <- mail.String()
			fmt.Fprint(c, "250 taken\r\n")
		case "QUIT":
			fmt.Fprint(c, "221 bye\r\n")
			return
		default:
			fmt.Fprint(c, "250 ok\r\n")
		}
	}
}

// The transport of x/net/http2 pings when it has read nothing for a while.
func TestBubble_HTTP2ReadIdleTimeout(t *testing.T) {
	inWorld(t, 2, func(t *testing.T, w *world) {
		serveSlowly(t, w, nil)
		base := &http.Transport{DialContext: w.client.DialContext, TLSClientConfig: trusting()}
		h2, err := http2.ConfigureTransports(base)
		require.NoError(t, err)
		h2.ReadIdleTimeout, h2.PingTimeout = 7*time.Second, 4*time.Second
		t.Cleanup(base.CloseIdleConnections)
		c := &http.Client{Transport: base}
		took(t, 3*rtt+work, func() { require.NoError(t, post(c, 0)) })
		time.AfterFunc(20*time.Second, w.link.Partition)
		// Answers to pings come 7.1 and 14.2 s after the request; the next one would come after 21.3 s.
		took(t, 2*(7*time.Second+rtt)+(7+4)*time.Second, func() { require.Error(t, post(c, 0)) })
		w.link.Heal()
		took(t, 3*rtt+work, func() { require.NoError(t, post(c, 0)) })
	})
}
