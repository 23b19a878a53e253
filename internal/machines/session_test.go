package machines

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wsstack/wsstack/tun"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what has to happen.
const patience = 60 * time.Second

// A member is a session with what it has said.
type member struct {
	*Session
	ready chan string
	notes chan string
}

// open opens the session of a machine of a and b.
func open(t *testing.T, self int, digest string, d tun.Device) *member {
	t.Helper()
	m := &member{ready: make(chan string, 10), notes: make(chan string, 10)}
	var err error
	m.Session, err = Open(Config{Machines: []string{"a", "b"}, Self: self, Digest: digest, Device: d,
		Hosts: map[string]int{"web": 0, "client": 1},
		Ready: func(host string) { m.ready <- host }, Note: func(text string) { m.notes <- text }})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

// pair is the sessions of two machines that a wire joins.
func pair(t *testing.T, digestA, digestB string) (a, b *member) {
	t.Helper()
	near, far := tun.Pipe(1420)
	return open(t, 0, digestA, near), open(t, 1, digestB, far)
}

// closed waits until a channel is closed.
func closed(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	require.True(t, within(t.Context(), patience, c), what)
}

// Two machines begin together, hear which hosts are ready, and end with the wish of one of them.
func TestSession(t *testing.T) {
	a, b := pair(t, "x", "x")
	b.Begin()
	select {
	case <-b.Begun():
		t.Fatal("the network has begun without a")
	case <-time.After(20 * time.Millisecond):
	}
	a.Begin()
	closed(t, a.Begun(), "a begins")
	closed(t, b.Begun(), "b begins")
	a.Session.Ready("web")
	require.Equal(t, "web", <-b.ready)
	b.Session.Ready("client")
	require.Equal(t, "client", <-a.ready)
	want := Ending{Status: 3, Text: "client has ended"}
	require.Equal(t, want, b.End(t.Context(), want))
	closed(t, a.Ended(), "a hears of the end")
	require.Equal(t, want, a.Ending())
	require.Equal(t, want, a.End(t.Context(), Ending{Status: 4}))
	left := make(chan struct{})
	go func() {
		defer close(left)
		b.Leave(t.Context())
	}()
	a.Leave(t.Context())
	<-left
}

// Two machines with different files end with an error on both.
func TestSession_OtherFile(t *testing.T) {
	a, b := pair(t, "x", "y")
	a.Begin()
	b.Begin()
	want := Ending{Status: 1, Failed: true, Text: "the network file of machine b is not that of machine a", Hint: otherFile}
	for _, m := range []*member{a, b} {
		closed(t, m.Ended(), "the end")
		require.Equal(t, want, m.Ending())
	}
}

// A machine whose connection breaks has vanished.
func TestSession_Vanished(t *testing.T) {
	for name, victim := range map[string]func(a, b *member) (gone, stays *member){
		"machine a has vanished": func(a, b *member) (*member, *member) { return a, b },
		"machine b has vanished": func(a, b *member) (*member, *member) { return b, a },
	} {
		t.Run(name, func(t *testing.T) {
			a, b := pair(t, "x", "x")
			a.Begin()
			b.Begin()
			closed(t, a.Begun(), "a begins")
			closed(t, b.Begun(), "b begins")
			gone, stays := victim(a, b)
			require.NoError(t, gone.Close())
			closed(t, stays.Ended(), "the end")
			require.Equal(t, Ending{Status: 1, Failed: true, Text: name, Hint: vanished}, stays.Ending())
		})
	}
}

// Whoever is in a hurry doesn't wait for others.
func TestSession_Hurry(t *testing.T) {
	a, b := pair(t, "x", "x")
	a.Begin()
	b.Begin()
	closed(t, b.Begun(), "b begins")
	hurry, cancel := context.WithCancel(t.Context())
	cancel()
	require.False(t, within(hurry, time.Hour, make(chan struct{})))
	wish := Ending{Status: 3}
	require.Equal(t, wish, b.End(hurry, wish))
	b.Leave(hurry)
}

// A session that has never begun can be closed, and one that waits.
func TestSession_Close(t *testing.T) {
	a, b := pair(t, "x", "x")
	require.NoError(t, a.Close())
	b.Begin()
	require.NoError(t, b.Close())
	require.Equal(t, Ending{Status: 9}, b.End(t.Context(), Ending{Status: 9}))
	b.Leave(t.Context())
}

// What isn't the talk ends the connection, and the network goes on waiting.
func TestSession_Hostile(t *testing.T) {
	a, b := pair(t, "x", "x")
	a.Begin()
	for _, text := range []string{"GET / HTTP/1.1\r\n\r\n", string(make([]byte, maxLine+1)), "{}\n"} {
		c, err := b.stack.Dial("tcp", "[fd77:7773::1]:7773")
		require.NoError(t, err)
		_, err = io.WriteString(c, text)
		require.NoError(t, err)
		_, _ = io.Copy(io.Discard, c) // until a has closed it
		require.NoError(t, c.Close())
	}
	b.Begin()
	closed(t, a.Begun(), "a begins")
}
