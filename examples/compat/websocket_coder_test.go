package compat

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
)

func TestCoderWebsocket(t *testing.T) {
	server, client := newNetwork(t)
	serverSaw := make(chan error, 1)
	serveHTTP(t, listen(t, server, ":80"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			serverSaw <- err
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(-1)
		for {
			kind, m, err := c.Read(r.Context())
			if err == nil {
				err = c.Write(r.Context(), kind, m)
			}
			if err != nil {
				serverSaw <- err
				return
			}
		}
	}))

	transport := &http.Transport{DialContext: client.DialContext}
	defer transport.CloseIdleConnections()
	c, _, err := websocket.Dial(soon(t), "ws://"+serverIP+"/", &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: transport},
	})
	require.NoError(t, err)
	defer c.CloseNow()
	c.SetReadLimit(-1)
	for size := 1; size <= 1<<20; size *= 4 {
		sent := bytes.Repeat([]byte{byte(size)}, size)
		require.NoError(t, c.Write(soon(t), websocket.MessageBinary, sent))
		_, got, err := c.Read(soon(t))
		require.NoError(t, err)
		require.True(t, bytes.Equal(sent, got), "the echo of %d bytes differs", size)
	}
	require.NoError(t, c.Close(websocket.StatusGoingAway, "bye"))
	require.Equal(t, websocket.StatusGoingAway, websocket.CloseStatus(<-serverSaw))
}
