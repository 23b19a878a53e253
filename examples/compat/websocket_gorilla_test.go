package compat

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
)

// gorilla/websocket takes the connection from net/http by Hijack.
func TestGorillaWebsocket(t *testing.T) {
	server, client := newNetwork(t)
	serverSaw := make(chan error, 1)
	serveHTTP(t, listen(t, server, ":80"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
		if err != nil {
			serverSaw <- err
			return
		}
		defer c.Close()
		for {
			kind, m, err := c.ReadMessage()
			if err == nil {
				err = c.WriteMessage(kind, m)
			}
			if err != nil {
				serverSaw <- err
				return
			}
		}
	}))

	d := &websocket.Dialer{NetDialContext: client.DialContext, HandshakeTimeout: patience}
	c, _, err := d.DialContext(soon(t), "ws://"+serverIP+"/", nil)
	require.NoError(t, err)
	defer c.Close()
	pongs := 0
	c.SetPongHandler(func(string) error { pongs++; return nil })
	for size := 1; size <= 1<<20; size *= 4 {
		sent := bytes.Repeat([]byte{byte(size)}, size)
		require.NoError(t, c.WriteMessage(websocket.PingMessage, nil))
		require.NoError(t, c.WriteMessage(websocket.BinaryMessage, sent))
		_, got, err := c.ReadMessage()
		require.NoError(t, err)
		require.True(t, bytes.Equal(sent, got), "the echo of %d bytes differs", size)
	}
	require.Equal(t, 11, pongs)
	require.NoError(t, c.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseGoingAway, "bye")))
	require.True(t, websocket.IsCloseError(<-serverSaw, websocket.CloseGoingAway))
}
