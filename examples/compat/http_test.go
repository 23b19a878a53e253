package compat

import (
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// serveHTTP runs an http.Server on l until the test ends.
func serveHTTP(t *testing.T, l net.Listener, h http.Handler) {
	s := &http.Server{Handler: h}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		require.ErrorIs(t, <-ended, http.ErrServerClosed)
	})
}
