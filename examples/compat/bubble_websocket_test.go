package compat

import (
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
)

// The server pings every 20 s and wants an answer within 30 s: the chat example of gorilla/websocket
// does it so. When the cable is cut, the connection ends 30 s after the last answer.
func TestBubble_WebsocketPing(t *testing.T) {
	const (
		every  = 20 * time.Second
		within = 30 * time.Second
	)
	inWorld(t, 2, func(t *testing.T, w *world) {
		pongs := make(chan time.Time, 10)
		ended := make(chan error, 1)
		serveHTTP(t, listen(t, w.server.Stack, ":80"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
			if err != nil {
				ended <- err
				return
			}
			defer c.Close()
			alive := func() { c.SetReadDeadline(time.Now().Add(within)) }
			alive()
			c.SetPongHandler(func(string) error {
				alive()
				pongs <- time.Now()
				return nil
			})
			ticker := time.NewTicker(every)
			defer ticker.Stop()
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				_, _, err := c.ReadMessage()
				ended <- err
			}()
			for {
				select {
				case <-ticker.C:
					c.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second))
				case <-gone:
					return
				}
			}
		}))
		d := &websocket.Dialer{NetDialContext: w.client.DialContext}
		var c *websocket.Conn
		took(t, 2*rtt, func() { // a handshake of TCP, a request
			var err error
			c, _, err = d.DialContext(t.Context(), "ws://"+serverIP+"/", nil)
			require.NoError(t, err)
		})
		defer c.Close()
		go c.ReadMessage()              // answers the pings, until c is closed
		start := time.Now().Add(-delay) // of the server
		for i := range 5 {
			require.Equal(t, (time.Duration(i+1)*every + rtt).String(), (<-pongs).Sub(start).String())
		}
		last := time.Now()
		w.link.Partition()
		var timeout net.Error // which gorilla/websocket has wrapped
		require.ErrorAs(t, <-ended, &timeout)
		require.True(t, timeout.Timeout())
		require.Equal(t, within.String(), time.Since(last).String())
	})
}
