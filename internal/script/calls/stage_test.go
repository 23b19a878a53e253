package calls_test

import (
	"fmt"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wsstack/wsstack/internal/script/calls"
	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A stage is a stack whose calls a test makes by lines of a script, with a wire to it.
type stage struct {
	*simnet.Network
	t       *testing.T
	wire    *simnet.Wire
	machine *calls.Machine
	host    *simnet.Host
}

func newStage(t *testing.T) *stage {
	return newStageOf(t, "192.168.0.1/16", "192.0.2.1", func(*calls.Config) {})
}

func newStageOf(t *testing.T, local, remote string, change func(*calls.Config)) *stage {
	t.Helper()
	n := simnet.New(t)
	h := n.Host("stack", local)
	w := n.Wire(h, "peer", remote)
	p, err := provider.Startup(h.Stack, wsa.WINSOCK_VERSION)
	require.NoError(t, err)
	cfg := calls.Config{
		Local:   netip.AddrPortFrom(netip.MustParsePrefix(local).Addr(), 8080),
		Remote:  netip.AddrPortFrom(netip.MustParseAddr(remote), 8080),
		Sockets: h.Sockets,
	}
	change(&cfg)
	return &stage{Network: n, t: t, wire: w, machine: calls.New(p, cfg), host: h}
}

// parse reads a line of a script that is a call.
func parse(t *testing.T, line string) *syntax.Call {
	t.Helper()
	script, err := syntax.Parse("test", []byte("0 "+line+"\n"), syntax.Options{})
	require.NoError(t, err, line)
	require.Len(t, script.Events, 1)
	call, ok := script.Events[0].Action.(*syntax.Call)
	require.True(t, ok, "%s is no call", line)
	return call
}

// do makes a call, which mustn't wait for anything that doesn't happen by itself.
func (s *stage) do(line string) (out calls.Outcome) {
	s.t.Helper()
	call := parse(s.t, line)
	require.NoError(s.t, s.Do(line, func() { out = s.machine.Do(call) }))
	return out
}

// ok makes calls which return what the lines say.
func (s *stage) ok(lines ...string) {
	s.t.Helper()
	for _, line := range lines {
		out := s.do(line)
		require.Nil(s.t, out.Fault, "%s: %s", line, describe(out))
	}
}

// fault makes a call in which something isn't as the line says.
func (s *stage) fault(line string) string {
	s.t.Helper()
	out := s.do(line)
	require.NotNil(s.t, out.Fault, "%s: %s", line, out.Text)
	return describe(out)
}

// describe is an Outcome for a comparison.
func describe(out calls.Outcome) string {
	f := out.Fault
	if f == nil {
		return out.Text
	}
	text := fmt.Sprintf("%d:%d: %s", f.Pos.Line, f.Pos.Column, f.What)
	if f.Expected != "" || f.Actual != "" {
		text += fmt.Sprintf(" | expected %s | actual %s", f.Expected, f.Actual)
	}
	if f.Hint != "" {
		text += " | hint: " + f.Hint
	}
	return text
}

// A waiting is a call that waits.
type waiting struct {
	s    *stage
	task *simnet.Task
	out  calls.Outcome
}

// blocks makes a call that hasn't returned at this instant.
func (s *stage) blocks(line string) *waiting {
	s.t.Helper()
	w := &waiting{s: s}
	call := parse(s.t, line)
	w.task = s.Go(line, func() { w.out = s.machine.Do(call) })
	require.NoError(s.t, s.Idle())
	require.False(s.t, w.task.Done(), "%s has returned: %s", line, w.out.Text)
	return w
}

// returned says that the call has returned what its line says.
func (w *waiting) returned() {
	w.s.t.Helper()
	require.NoError(w.s.t, w.s.Idle())
	require.True(w.s.t, w.task.Done(), "the call waits still")
	require.Nil(w.s.t, w.out.Fault, describe(w.out))
}

// waits says that the call goes on waiting.
func (w *waiting) waits() {
	w.s.t.Helper()
	require.NoError(w.s.t, w.s.Idle())
	require.False(w.s.t, w.task.Done(), "the call has returned: %s", w.out.Text)
}

// connected makes a listener 3 and a connection 4 with a peer.
func (s *stage) connected() *simnet.Peer {
	s.t.Helper()
	s.ok("socket(..., SOCK_STREAM, IPPROTO_TCP) = 3", "bind(3, ..., ...) = 0", "listen(3, 1) = 0")
	p := s.wire.Connect("192.168.0.1:8080")
	require.NoError(s.t, p.Handshake("mss 1000"))
	s.ok("accept(3, ..., ...) = 4")
	return p
}

// sends sends segments of the peer, and lets the stack and epoll_wait take them.
func (s *stage) sends(p *simnet.Peer, segments ...string) {
	s.t.Helper()
	for _, segment := range segments {
		p.Send(segment)
		require.NoError(s.t, s.Idle())
		s.machine.Look()
		require.NoError(s.t, s.Idle())
	}
}

const (
	second      = time.Second
	millisecond = time.Millisecond
)

// number is a number of a segment.
func number(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
