package compat

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// How long the HTTP server of these tests works on a request.
const work = 30 * time.Second

// serveSlowly runs an HTTP server with TLS and HTTP/2 on the server's port 443 until the test
// ends. The server reads a body, works, and answers with the hash of the body.
func serveSlowly(t *testing.T, w *world, states func(net.Conn, http.ConnState)) {
	s := &http.Server{
		TLSConfig: certificate(t, "h2", "http/1.1"),
		ErrorLog:  discardLog,
		ConnState: states,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			hash := sha256.New()
			io.Copy(hash, r.Body)
			select {
			case <-time.After(work):
			case <-r.Context().Done(): // the client has gone
			}
			w.Write(hash.Sum(nil))
		}),
	}
	l := listen(t, w.server.Stack, ":443")
	ended := make(chan error, 1)
	go func() { ended <- s.ServeTLS(l, "", "") }()
	t.Cleanup(func() {
		s.Close()
		require.ErrorIs(t, <-ended, http.ErrServerClosed)
	})
}

// web is an HTTP client on the client's stack. When the test ends, it has no connections.
func web(t *testing.T, w *world) (*http.Client, *dialer, *http.Transport) {
	d := &dialer{stack: w.client.Stack}
	tr := &http.Transport{DialContext: d.DialContext, TLSClientConfig: trusting(), ForceAttemptHTTP2: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}, d, tr
}

// post sends a body of so many bytes by HTTP/2, and checks the answer.
func post(c *http.Client, size int) error {
	body := bytes.Repeat([]byte("wsstack "), size/8)
	resp, err := c.Post("https://"+serverIP+"/", "text/plain", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if want := sha256.Sum256(body); err == nil && (resp.ProtoMajor != 2 || !bytes.Equal(want[:], got)) {
		return fmt.Errorf("%s: %x, want %x", resp.Proto, got, want)
	}
	return err
}

// Five requests at once share a connection on a link that loses every twentieth packet.
func TestBubble_HTTP2OnBadLink(t *testing.T) {
	inWorld(t, 3, func(t *testing.T, w *world) {
		serveSlowly(t, w, nil)
		c, d, _ := web(t, w)
		require.NoError(t, post(c, 0))
		tookBetween(t, work+rtt, work+30*time.Second, func() {
			var all sync.WaitGroup
			for range 5 {
				all.Go(func() { assert.NoError(t, post(c, 300_000)) })
			}
			all.Wait()
		})
		require.EqualValues(t, 1, d.calls.Load(), "dials")
		require.NotZero(t, w.link.Stats(w.client).Lost)
	}, simnet.Loss(0.05))
}

// On a link that only takes its time, everything happens to the nanosecond.
func TestBubble_HTTP2TimeOuts(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		closed := make(chan time.Time, 1)
		serveSlowly(t, w, func(_ net.Conn, s http.ConnState) {
			if s == http.StateClosed {
				closed <- time.Now()
			}
		})
		c, d, tr := web(t, w)
		tr.IdleConnTimeout = 90 * time.Second

		// A handshake of TCP, one of TLS 1.3, a request; then a request alone.
		took(t, 3*rtt+work, func() { require.NoError(t, post(c, 0)) })
		took(t, rtt+work, func() { require.NoError(t, post(c, 0)) })

		// The client gives up after five seconds.
		impatient := &http.Client{Transport: tr, Timeout: 5 * time.Second}
		took(t, 5*time.Second, func() { require.ErrorIs(t, post(impatient, 0), context.DeadlineExceeded) })
		require.EqualValues(t, 1, d.calls.Load(), "dials")

		// The connection that is idle now is closed when its time is over. The server hears of it.
		idle := time.Now()
		require.Equal(t, (90*time.Second + delay).String(), (<-closed).Sub(idle).String())
	})
}

// The cable is cut while a request is on its way. Pings of HTTP/2 find out, and the client tries
// again until the cable is mended.
func TestBubble_HTTP2Partition(t *testing.T) {
	inWorld(t, 2, func(t *testing.T, w *world) {
		serveSlowly(t, w, nil)
		c, d, tr := web(t, w)
		tr.HTTP2 = &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 5 * time.Second}
		require.NoError(t, post(c, 0))

		time.AfterFunc(time.Second, w.link.Partition)
		time.AfterFunc(62*time.Second, w.link.Heal)
		took(t, 15*time.Second, func() { require.ErrorContains(t, post(c, 0), "client connection lost") })
		// The first SYN and those 1, 3 and 7 s later are lost, and nobody waits longer than 21 s.
		for range 2 {
			took(t, 21*time.Second, func() { require.ErrorIs(t, post(c, 0), wsa.WSAETIMEDOUT) })
		}
		// The fourth SYN arrives. A connection that has lost a SYN begins with one segment in flight
		// (RFC 5681, section 3.1), and a ClientHello has two: that is a round trip more.
		took(t, 7*time.Second+4*rtt+work, func() { require.NoError(t, post(c, 0)) })
		require.EqualValues(t, 4, d.calls.Load(), "dials")
	})
}
