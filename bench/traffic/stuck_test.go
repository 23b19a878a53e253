package traffic_test

import (
	"io"
	"net"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/bench/traffic"
)

// A measurement that doesn't end is told as one that has got stuck, and ends the client.
func TestStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		dial := func(string) (net.Conn, error) {
			<-release
			return nil, net.ErrClosed
		}
		orders, in := io.Pipe()
		out, results := io.Pipe()
		obeyed := make(chan error, 1)
		go func() { obeyed <- traffic.Obey(dial, orders, results) }()
		_, err := traffic.NewClient(in, out).Do(traffic.Up, 1, 0)
		require.ErrorIs(t, err, traffic.ErrStuck)
		require.ErrorIs(t, <-obeyed, traffic.ErrStuck)
		close(release)
	})
}
