package provider_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/wsa"
)

// Calls that wait work in a bubble of testing/synctest on stacks that were made
// outside: what the stack signals isn't the bubble's.
func TestCallsInABubble(t *testing.T) {
	l := newLab(t)
	server, at := l.server(wsa.AF_INET)
	synctest.Test(t, func(t *testing.T) {
		s, err := l.b.Socket(wsa.AF_INET, wsa.SOCK_STREAM, 0)
		require.NoError(t, err)
		require.NoError(t, l.b.Connect(s, at))
		c, _, err := l.b.Accept(server)
		require.NoError(t, err)
		send := func() {
			_, err := l.b.Send(c, []byte("hello"), 0)
			require.NoError(t, err)
		}
		receive := func() {
			_, err := l.b.Recv(s, make([]byte, 5), 0)
			require.NoError(t, err)
		}

		ready, _, _, err := l.b.Select([]wsa.SOCKET{s}, nil, nil, time.Millisecond)
		require.NoError(t, err)
		require.Empty(t, ready)
		go send()
		n, err := l.b.Poll([]provider.PollFD{{Socket: s, Events: wsa.POLLRDNORM}}, time.Hour)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		receive()

		ev := provider.NewEvent()
		require.NoError(t, l.b.EventSelect(s, ev, wsa.FD_READ))
		done := ev.C()
		go send()
		<-done
		receive()
		ev.Reset()
		go send()
		_, err = l.b.WaitForMultipleEvents([]*provider.Event{ev}, false, time.Hour)
		require.NoError(t, err)
		receive()

		o, err := l.b.RecvAsync(s, make([]byte, 5), 0)
		require.NoError(t, err)
		go send()
		<-o.Done()
		require.NoError(t, l.b.CloseSocket(s))
		require.NoError(t, l.b.CloseSocket(c))
	})
}
