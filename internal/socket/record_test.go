package socket_test

import (
	"encoding/binary"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/sockettest"
	"github.com/wsstack/wsstack/internal/transport"
	"github.com/wsstack/wsstack/wsa"
)

// noted is a transport.Log that keeps the changes of options.
type noted struct {
	mu   sync.Mutex
	list []string
}

func (n *noted) Sample(c transport.Change) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if c.Option != "" {
		n.list = append(n.list, c.Option)
	}
}

func (*noted) End() {}

// take returns the changes since the last call.
func (n *noted) take() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := n.list
	n.list = nil
	return list
}

// A connection of AcceptEx has the options of the listener, then those of the accept socket, and
// those of the listener again once the context is updated; each change is noted.
func TestRecordOptionsOfAcceptEx(t *testing.T) {
	a, b := sockettest.Pair(t)
	var n noted
	socket.HostOf(b).TCP().Record(func(transport.ID) transport.Log { return &n })
	one := binary.LittleEndian.AppendUint32(nil, 1)
	l := sockettest.NewSocket(t, b, wsa.AF_INET, wsa.SOCK_STREAM)
	require.Zero(t, l.SetSockOpt(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, one))
	require.Zero(t, l.Bind(addrPort("10.0.0.2:80")))
	require.Zero(t, l.Listen(5))
	l.SetHandle(77)
	into := sockettest.NewSocket(t, b, wsa.AF_INET, wsa.SOCK_STREAM)
	require.Zero(t, into.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, one))
	op, errno := l.AcceptEx(into, nil)
	require.Zero(t, errno)
	require.Empty(t, n.take(), "there is no connection yet")
	require.Zero(t, sockettest.NewSocket(t, a, wsa.AF_INET, wsa.SOCK_STREAM).Connect(addrPort("10.0.0.2:80")))
	sockettest.Within(t, "Wait", op.Wait)
	require.Equal(t, []string{"TCP_NODELAY true", "TCP_NODELAY false", "SO_KEEPALIVE true"}, n.take())
	require.Zero(t, into.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_UPDATE_ACCEPT_CONTEXT, binary.LittleEndian.AppendUint64(nil, 77)))
	require.Equal(t, []string{"TCP_NODELAY true", "SO_KEEPALIVE false"}, n.take())
	require.Zero(t, into.SetSockOpt(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, one))
	require.Empty(t, n.take(), "nothing has changed")
	socket.HostOf(b).TCP().Record(nil)
	require.Zero(t, into.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, one))
	require.Empty(t, n.take(), "nobody records")
}
