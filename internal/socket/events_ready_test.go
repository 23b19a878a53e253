package socket_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/sockettest"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

func TestReady(t *testing.T) {
	a, b := sockettest.Pair(t)
	client, server := sockettest.ConnectedSockets(t, a, b)
	require.Equal(t, socket.ReadyWrite, client.Ready())
	_, errno := server.Send([]byte("x"), 0)
	require.Zero(t, errno)
	stack.Settle(a, b)
	require.Equal(t, socket.ReadyRead|socket.ReadyWrite, client.Ready())
	_, errno = client.Recv(make([]byte, 1), 0)
	require.Zero(t, errno)
	require.Equal(t, socket.ReadyWrite, client.Ready())
	require.Zero(t, client.Close())
	require.Equal(t, socket.ReadyClosed, client.Ready())

	dgram := sockettest.NewSocket(t, a, wsa.AF_INET, wsa.SOCK_DGRAM)
	require.Equal(t, socket.ReadyWrite, dgram.Ready())
	require.NoError(t, a.Close())
	require.Equal(t, socket.ReadyRead|socket.ReadyWrite|socket.ReadyExcept, dgram.Ready())
}

// Bytes that a recv with MSG_WAITALL gave back are data, though netstack has
// none left.
func TestReadyOfDataGivenBack(t *testing.T) {
	a, b := sockettest.Pair(t)
	client, server := sockettest.ConnectedSockets(t, a, b)
	require.Zero(t, client.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, u32(1)))
	_, errno := server.Send([]byte("half"), 0)
	require.Zero(t, errno)
	stack.Settle(a, b)
	_, errno = client.Recv(make([]byte, 8), wsa.MSG_WAITALL)
	require.Equal(t, wsa.WSAETIMEDOUT, errno)
	require.Equal(t, socket.ReadyRead|socket.ReadyWrite, client.Ready())
	n, errno := client.Readable()
	require.Zero(t, errno)
	require.Equal(t, 4, n)
}

// selectWaiter counts the waiters made, and tells when a select waits.
type selectWaiter struct {
	endpoint.Waiter
	selects chan struct{}
}

func (w selectWaiter) Wait(reason string) {
	if reason == "select" {
		w.selects <- struct{}{}
	}
	w.Waiter.Wait(reason)
}

// Await waits on one waiter, however many members there are and however often a
// socket is one, and looks again only when something has happened.
func TestAwaitOneWaiter(t *testing.T) {
	var made atomic.Int32
	selects := make(chan struct{}, 100)
	a, err := stack.New(stack.Config{NewWaiter: func() endpoint.Waiter {
		made.Add(1)
		return selectWaiter{endpoint.NewChannelWaiter(), selects}
	}})
	require.NoError(t, err)
	defer a.Close()
	members := make([]socket.Member, 50)
	for i := range members {
		sock := sockettest.NewSocket(t, a, wsa.AF_INET, wsa.SOCK_DGRAM)
		require.Zero(t, sock.Bind(addrPort("127.0.0.1:0")))
		members[i] = socket.Member{Socket: sock, Want: socket.ReadyRead}
	}
	members[1].Socket = members[0].Socket
	last := members[49].Socket
	to, errno := last.LocalAddr()
	require.Zero(t, errno)

	require.False(t, socket.Await(socket.HostOf(a), members, 0))
	require.Zero(t, made.Load(), "a poll needs no waiter")

	done := make(chan bool)
	go func() { done <- socket.Await(socket.HostOf(a), members, -1) }()
	<-selects
	_, errno = last.SendTo([]byte("x"), 0, to)
	require.Zero(t, errno)
	require.True(t, <-done)
	require.EqualValues(t, 1, made.Load())
	require.Empty(t, selects, "woken for nothing")
	for i := range members {
		require.Equal(t, i == 49, members[i].Got == socket.ReadyRead)
	}

	_, errno = last.Recv(make([]byte, 1), 0)
	require.Zero(t, errno)
	go func() { done <- socket.Await(socket.HostOf(a), members, time.Millisecond) }()
	require.False(t, <-done)
}
