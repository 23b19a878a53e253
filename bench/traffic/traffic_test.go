package traffic_test

import (
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wsstack/wsstack/bench/traffic"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Every order is carried out, between two ends on the loopback, and has as many figures as its
// comment says; an order that fails is told.
func TestOrders(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p, err := net.ListenPacket("udp", l.Addr().String())
	if err != nil { // somebody else has the port
		p, err = net.ListenPacket("udp", "127.0.0.1:0")
		require.NoError(t, err)
	}
	served := make(chan struct{}, 2)
	go func() { traffic.Serve(l); served <- struct{}{} }()
	go func() { traffic.Echo(p); served <- struct{}{} }()
	refuse := false
	dial := func(network string) (net.Conn, error) {
		if refuse {
			return nil, net.ErrClosed
		}
		at := l.Addr()
		if network == "udp" {
			at = p.LocalAddr()
		}
		return net.Dial(network, at.String())
	}
	orders, in := io.Pipe()
	out, results := io.Pipe()
	obeyed := make(chan error, 1)
	go func() { obeyed <- traffic.Obey(dial, orders, results) }()
	client := traffic.NewClient(in, out)
	for what, figures := range map[string]int{
		traffic.Hello: 0, traffic.Open: 0, traffic.Close: 0, traffic.Up: 1, traffic.Down: 1, traffic.Both: 1, traffic.Trip: 2,
		traffic.Requests: 1, traffic.HTTP: 1, traffic.HTTPClose: 1, traffic.Connections: 1, traffic.Datagrams: 1,
	} {
		for length := 10 * time.Millisecond; ; length *= 2 { // a machine may be too busy for so short a time
			list, err := client.Do(what, 2, length)
			require.NoError(t, err, what)
			require.Len(t, list, figures, what)
			if !slices.Contains(list, 0) {
				break
			}
		}
	}
	refuse = true
	_, err = client.Do(traffic.Up, 1, time.Millisecond)
	require.ErrorContains(t, err, "up: use of closed")
	_, err = client.Do("nothing", 1, time.Millisecond)
	require.ErrorContains(t, err, "nothing: no such order")
	require.NoError(t, in.Close())
	require.NoError(t, <-obeyed)
	require.NoError(t, l.Close())
	require.NoError(t, p.Close())
	<-served
	<-served
}
