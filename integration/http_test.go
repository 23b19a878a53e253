//go:build linux

package integration

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// An http.Server and an http.Client work over either side unchanged.
func TestHTTP(t *testing.T) {
	n := newNetwork(t, settings{})
	large := bytes.Repeat([]byte("wsstack "), 128<<10)
	handler := http.NewServeMux()
	handler.HandleFunc("GET /large", func(w http.ResponseWriter, _ *http.Request) { w.Write(large) })
	handler.HandleFunc("POST /length", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read the request: %v", err)
		}
		fmt.Fprint(w, len(body))
	})
	n.eachRole(t, func(t *testing.T, r role) {
		l := r.listenAt(t)
		server := &http.Server{Handler: handler}
		served := make(chan error, 1)
		go func() { served <- server.Serve(l) }()
		transport := &http.Transport{DialContext: r.client.dial}
		client := &http.Client{Transport: transport, Timeout: patience}
		url := "http://" + l.Addr().String()

		for range 3 { // the later ones on the same connection
			response, err := client.Get(url + "/large")
			require.NoError(t, err)
			body, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.True(t, bytes.Equal(large, body), "the body is not what was sent")
		}
		response, err := client.Post(url+"/length", "application/octet-stream", bytes.NewReader(large))
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, fmt.Sprint(len(large)), string(body))

		transport.CloseIdleConnections()
		require.NoError(t, server.Shutdown(t.Context()))
		require.ErrorIs(t, <-served, http.ErrServerClosed)
	})
}
