package transport

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"

	engine "github.com/wsstack/wsstack/internal/tcp"
	"github.com/wsstack/wsstack/wsa"
)

// An ICMP error counts when it quotes what is in flight, and says something that
// can be.
func TestReport(t *testing.T) {
	families(t, func(t *testing.T, n tcpip.NetworkProtocolNumber) {
		clock := faketime.NewManualClock()
		a, b, off := cut(t, clock)
		c, p := meet(t, a, b, n)
		mss := func() (size int) { c.Do(func(_ time.Duration, e *engine.Conn) { size = e.MSS() }); return size }
		was := mss()
		first := iss(c) + 1
		var told []uint32
		Of(a).Configure(Hooks{PathMTU: func(remote tcpip.Address, mtu uint32) {
			require.Equal(t, hostB[n], remote)
			told = append(told, mtu)
		}})
		report := func(believed bool, r Report) {
			t.Helper()
			require.Equal(t, believed, Of(a).Report(c.ID(), r))
		}

		report(false, Report{Quoted: first, MTU: 1400})
		require.Equal(t, was, mss(), "nothing is in flight")
		off(1)
		_, ok := c.Send(make([]byte, 5000))
		require.True(t, ok)
		report(false, Report{Quoted: first - 1, MTU: 1400})
		report(false, Report{Quoted: first - 1})
		report(false, Report{Quoted: first + 100_000, MTU: 1400})
		report(false, Report{Quoted: first, MTU: 20})
		report(true, Report{Quoted: first}) // it changes nothing
		require.Equal(t, was, mss())
		require.Equal(t, []any{engine.Established, engine.None}, c.status())
		require.Nil(t, c.Unreachable())
		require.Empty(t, told)
		report(true, Report{Quoted: first, MTU: 1400})
		require.Equal(t, was-100, mss())
		report(true, Report{Quoted: first, MTU: 1450})
		require.Equal(t, was-100, mss(), "it doesn't grow")
		require.Equal(t, []uint32{1400, 1450}, told)
		require.False(t, Of(a).Report(ID{}, Report{}), "nobody has the tuple")
		off(0)
		clock.Advance(1e9)
		got := 0
		for buf := make([]byte, 8192); ; {
			k, _ := p.Recv(buf)
			if got += k; k == 0 {
				break
			}
		}
		require.Equal(t, 5000, got)
	})
}

// A SYN that an ICMP error answers is the end of the connect, if it quotes the SYN and
// the connection fails on it; the connection then tells of the error (NB-3).
func TestUnreachable(t *testing.T) {
	families(t, func(t *testing.T, n tcpip.NetworkProtocolNumber) {
		a, _, off := cut(t, faketime.NewManualClock())
		off(1)
		p := Of(a)
		c := dial(t, a, n, hostA, hostB, 1000, 80)
		info := wsa.ICMPErrorInfo{Source: netip.MustParseAddrPort("192.0.2.9:0"), Protocol: 1, Type: 3, Code: 1}
		require.False(t, p.Report(c.ID(), Report{Quoted: iss(c) + 1, Info: info}))
		require.Equal(t, []any{engine.SynSent, engine.None}, c.status())
		require.Nil(t, c.Unreachable())
		c.SetOwner(&unreachable{c.Conn, t, info})
		require.True(t, p.Report(c.ID(), Report{Quoted: iss(c), Info: info}))
		require.Equal(t, []any{engine.Closed, engine.PeerUnreachable}, c.status())
		require.Equal(t, &info, c.Unreachable())
		require.Empty(t, p.table.all())

		stubborn, err := connect(p, c.ID(), n, Settings{Config: engine.Config{Quota: engine.Unset}})
		require.Nil(t, err)
		require.True(t, p.Report(c.ID(), Report{Quoted: iss(stubborn), Info: info}))
		require.Equal(t, []any{engine.SynSent, engine.None}, stubborn.status())
		require.Nil(t, stubborn.Unreachable())
	})
}

// An unreachable is an Owner that wants to see the error when it is told of the end.
type unreachable struct {
	conn *Conn
	t    *testing.T
	info wsa.ICMPErrorInfo
}

// ConnChanged implements Owner.
func (u *unreachable) ConnChanged(e engine.Events) {
	require.Equal(u.t, engine.Over, e)
	require.Equal(u.t, &u.info, u.conn.Unreachable())
}

// An error that says less than Hooks.MinPathMTU makes packets of that size, which
// routers may cut up; IPv6 has no less than 1,280 anyway.
func TestMinPathMTU(t *testing.T) {
	wires(t, func(w *wire) {
		told := uint32(0)
		w.p.Configure(Hooks{MinPathMTU: 576, PathMTU: func(_ tcpip.Address, mtu uint32) { told = mtu }})
		c, iss := w.open(listen(w.t, w.s, w.net, 80), 1000)
		_, _ = c.Send(make([]byte, 3000))
		require.True(w.t, w.sent()[0].df)
		four := w.net == four
		require.Equal(w.t, four, w.p.Report(c.ID(), Report{Quoted: iss + 1, MTU: 300}))
		if !four {
			return
		}
		require.EqualValues(w.t, 300, told)
		mss := 0
		c.Do(func(_ time.Duration, e *engine.Conn) { mss = e.MSS() })
		require.Equal(w.t, 536, mss)
		w.seconds(1)
		again := w.sent()
		require.NotEmpty(w.t, again)
		ids := map[uint16]bool{}
		for _, p := range again {
			require.False(w.t, p.df)
			require.NotZero(w.t, p.id)
			ids[p.id] = true
		}
		require.Len(w.t, ids, len(again))
		require.EqualValues(w.t, len(again), w.s.Stats().TCP.Retransmits.Value())
	})
}

// An error that comes while somebody has the connection is left to whoever has it.
func TestReportWaits(t *testing.T) {
	families(t, func(t *testing.T, n tcpip.NetworkProtocolNumber) {
		a, _, off := cut(t, faketime.NewManualClock())
		off(1)
		c := dial(t, a, n, hostA, hostB, 1000, 80)
		c.Do(func(_ time.Duration, e *engine.Conn) {
			require.True(t, Of(a).Report(c.ID(), Report{Quoted: e.ISS()}))
			require.Equal(t, engine.SynSent, e.State())
		})
		require.Equal(t, []any{engine.Closed, engine.PeerUnreachable}, c.status())
		require.NotNil(t, c.Unreachable())
	})
}
