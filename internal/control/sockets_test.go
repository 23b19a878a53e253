package control_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/control"
	"github.com/wsstack/wsstack/wsa"
)

// Sockets can be chosen by what they are.
func TestSockets(t *testing.T) {
	b := newBed(t)
	for _, address := range []string{"10.0.0.2:80", "10.0.0.2:81", ":82"} {
		l, err := b.far.Listen("tcp", address)
		require.NoError(t, err)
		defer l.Close()
	}
	c, err := b.near.Dial("tcp", "10.0.0.2:80")
	require.NoError(t, err)
	defer c.Close()
	p, err := b.near.ListenPacket("udp", "[fd00::1]:53")
	require.NoError(t, err)
	defer p.Close()
	count := func(query string) int {
		t.Helper()
		values, err := url.ParseQuery(query)
		require.NoError(t, err)
		s, err := b.client.Sockets(t.Context(), values)
		require.NoError(t, err, query)
		require.Zero(t, s.More)
		return len(s.Sockets)
	}
	// The connection that nobody has accepted isn't a socket yet.
	for query, want := range map[string]int{
		"": 5, "host=near": 2, "host=far": 3, "network=udp": 1, "network=udp6": 1, "network=tcp4": 3, "state=listen": 3,
		"state=listen,Established": 4, "state=bound": 1, "port=80": 2, "port=80&host=near": 1, "local=10.0.0.2": 2,
		"local=10.0.0.0/24": 3, "local=:81": 1, "remote=10.0.0.2:80": 1, "remote=fd00::/64": 0, "local=fd00::1": 1, "id=1": 2,
		"id=1&host=near": 1,
	} {
		require.Equal(t, want, count(query), query)
	}
	all, err := b.client.Sockets(t.Context(), url.Values{"host": {"near"}, "state": {"established"}})
	require.NoError(t, err)
	require.Equal(t, "near", all.Sockets[0].Host)
	require.Equal(t, "10.0.0.2:80", all.Sockets[0].Remote)
	require.Equal(t, 1460, all.Sockets[0].TCP.MSS)
	for query, message := range map[string]string{
		"host=mars": `no stack "mars"`, "network=sctp": "no network", "state=dead": "no state", "port=70000": "no port",
		"local=home": "no address", "id=-1": "no number", "colour=red": `no filter "colour"`, "remote=:x": "no address",
	} {
		values, _ := url.ParseQuery(query)
		_, err := b.client.Sockets(t.Context(), values)
		requireError(t, err, message, "")
	}
}

// An option of a living socket is set as by its owner, with the errors of setsockopt.
func TestSetOption(t *testing.T) {
	b := newBed(t)
	l, err := b.far.Listen("tcp", ":80")
	require.NoError(t, err)
	defer l.Close()
	c, err := b.near.Dial("tcp", "10.0.0.2:80")
	require.NoError(t, err)
	id := b.near.Sockets()[0].ID
	set := func(assignment string) error {
		_, err := b.client.SetOption(t.Context(), "near", id, assignment)
		return err
	}
	s, err := b.client.SetOption(t.Context(), "near", id, "SO_KEEPALIVE=1")
	require.NoError(t, err)
	require.Equal(t, "near", s.Host)
	require.Equal(t, "SO_KEEPALIVE", s.Options[0].Symbol)
	require.True(t, b.near.Sockets()[0].Options.KeepAlive.On)
	for assignment, code := range map[string]wsa.Errno{
		"TCP_KEEPCNT=256": wsa.WSAEINVAL, "UDP_NOCHECKSUM=1": wsa.WSAENOPROTOOPT, "SO_MAXDG=1": 0, "SO_KEEPALIV=1": 0, "SO_KEEPALIVE": 0,
		"SO_KEEPALIVE=maybe": 0,
	} {
		err := set(assignment)
		e := new(control.Error)
		require.ErrorAs(t, err, &e, assignment)
		require.Equal(t, code, e.Code, assignment)
		require.NotEmpty(t, e.Advice, assignment)
	}
	_, err = b.client.SetOption(t.Context(), "near", 4711, "SO_KEEPALIVE=1")
	requireError(t, err, "there is no socket 4711", "wsstack stat")
	require.ErrorIs(t, err, wsa.WSAENOTSOCK)
	_, err = b.client.SetOption(t.Context(), "", id, "SO_KEEPALIVE=1")
	requireError(t, err, "2 stacks", "near, far")
	require.NoError(t, c.Close())
	requireError(t, set("SO_KEEPALIVE=0"), "there is no socket", "wsstack stat")
}
