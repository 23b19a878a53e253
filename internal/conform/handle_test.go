package conform

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

// A call with another outcome than the one wanted ends the scenario, which says what was called and
// which code came instead of which.
func TestHandle_FailsTheScenario(t *testing.T) {
	for _, c := range []struct {
		what string
		play func(e *Env, c, s handle)
		want string
	}{
		{"an error", func(_ *Env, c, _ handle) { c.shutdown(9) }, "Shutdown: WSAEINVAL, want success"},
		{"another error", func(e *Env, c, _ handle) { c.connect(e.Addr(2, 80), wsa.WSAEINVAL) }, "Connect: WSAEISCONN, want WSAEINVAL"},
		{"a success", func(_ *Env, c, _ handle) { c.say("x", wsa.WSAESHUTDOWN) }, "Send: success, want WSAESHUTDOWN"},
		{"the peer", func(_ *Env, _, s handle) { s.nonblocking(true); s.recv(1) }, "the peer's Recv: WSAEWOULDBLOCK, want success"},
		{"a name", func(_ *Env, c, _ handle) { c.close(); c.as("CloseSocket again").close() }, "CloseSocket again: WSAENOTSOCK, want success"},
		{"no socket", func(e *Env, _, _ handle) { e.noSocket().listen(1) }, "Listen: WSAENOTSOCK, want success"},
		{"a thread", func(e *Env, c, _ handle) { c.on(e.P.Thread()).shutdown(9) }, "Shutdown: WSAEINVAL, want success"},
		{"part of a send", func(_ *Env, c, _ handle) {
			c.nonblocking(true)
			c.sndbuf(10)
			c.send(9)
			c.send(9)
		}, "bytes accepted: 1, want 9"},
		{"a value", func(_ *Env, c, _ handle) { c.reads(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1) }, "SO_KEEPALIVE: 0, want 1"},
		{"a set", func(_ *Env, c, _ handle) { c.set(wsa.SOL_SOCKET, wsa.SO_BROADCAST, 1) }, "SetSockOpt SO_BROADCAST: WSAENOPROTOOPT, want success"},
		{"a control code", func(_ *Env, c, _ handle) { c.ioctl(wsa.SIO_TCP_INFO, nil, nil) }, "SIO_TCP_INFO: WSAEFAULT, want success"},
		{"an operation", func(_ *Env, c, _ handle) { c.disconnectEx(77, 0) }, "DisconnectEx: WSAEINVAL, want success"},
		{"a type", func(e *Env, _, _ handle) { e.open(e.P, e.Family, 9, 0) }, "Socket(2, 9, 0): WSAESOCKTNOSUPPORT, want success"},
		{"a list", func(e *Env, c, _ handle) { c.with(bogus).ready("r", 0) }, "Select: WSAENOTSOCK, want success"},
	} {
		t.Run(c.what, func(t *testing.T) {
			ended := false
			r := Run(Case{Family: "IPv4", Scenario: Scenario{Run: func(e *Env) {
				e.connected(func(client, server handle) { c.play(e, client, server); ended = true })
			}}}, 1, nil)
			assert.Equal(t, c.want, r.Failure)
			require.False(t, ended, "the scenario went on")
		})
	}
}
