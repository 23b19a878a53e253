package simnet_test

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// end is the only recorded connection of a host.
func end(t *testing.T, r *simnet.Recording, host string) simnet.Connection {
	t.Helper()
	var found []simnet.Connection
	for _, c := range r.Connections() {
		if c.Host == host {
			found = append(found, c)
		}
	}
	require.Len(t, found, 1)
	return found[0]
}

// A wireView is what the wire shows of one direction by a time.
type wireView struct {
	next   uint64 // behind what was sent
	una    uint64 // what the acknowledgements say that have arrived
	sacked int    // how many bytes the blocks of the last one have
	resent uint64 // how many segments were sent again
	lost   uint64 // how many of these, and of the others, were lost
}

// wireAt looks at the packets of a recording and the lines of the trace, which are the same, and
// returns what a knows of the connection with b at a time.
func wireAt(r []simnet.RecordedPacket, lines []simnet.Line, at time.Duration) (v wireView) {
	for i, p := range r {
		s := lines[i].Segment
		end := uint64(s.Seq) + uint64(s.Len)
		if strings.ContainsAny(s.Flags.String(), "SF") {
			end++
		}
		switch {
		case p.From == "a" && p.At <= at:
			if end > uint64(s.Seq) && end <= v.next {
				v.resent++
			}
			if p.Fate.Dropped() && end > uint64(s.Seq) {
				v.lost++
			}
			v.next = max(v.next, end)
		case p.From == "b" && p.Arrived != simnet.Never && p.Arrived <= at:
			v.una, v.sacked = max(v.una, uint64(s.Ack)), 0
			for _, block := range s.Options.SACK[:s.Options.Blocks] {
				v.sacked += int(block[1] - block[0])
			}
		}
	}
	return v
}

// upload sends size bytes from a to b over a link that loses the data segment with a number.
func upload(t *testing.T, congestion options.Congestion, size, loses int, opts ...simnet.LinkOption) (*simnet.Network, *simnet.Recording) {
	n := simnet.New(t)
	set := []options.Assignment{options.TCP_CONGESTION_ALGORITHM.With(congestion)}
	a := n.HostConfig("a", stack.Config{Addresses: prefixes("10.0.0.1/24"), Defaults: set})
	b := n.Host("b", "10.0.0.2/24")
	data := 0
	lose := simnet.Filter(func(p []byte) []byte {
		if len(p) > 1000 {
			if data++; data == loses {
				return nil
			}
		}
		return p
	})
	n.Link(a, b, append(opts, simnet.From(a, lose))...)
	r := n.Record()
	n.Background("server", func() {
		l, err := b.Listen("tcp4", ":80")
		require.NoError(t, err)
		c, err := l.Accept()
		require.NoError(t, err)
		for buf := make([]byte, 1<<16); err == nil; {
			_, err = c.Read(buf)
		}
	})
	n.Do("client", func() {
		c, err := a.Dial("tcp4", "10.0.0.2:80")
		require.NoError(t, err)
		_, err = c.Write(make([]byte, size))
		require.NoError(t, err)
	})
	n.Advance(10 * time.Second)
	return n, r
}

// The numbers of a connection are those on the wire, at each of its samples. With one loss the
// window grows by what is acknowledged, up to the loss; falls to the threshold, which is a part of
// what was in flight; and the segment is sent again once.
func TestRecording_CongestionIsWhatTheWireShows(t *testing.T) {
	const mss = 1460
	for name, c := range map[string]struct {
		algorithm options.Congestion
		part      float64 // of the window that is left after a loss
	}{"NewReno": {options.CongestionReno, 0.5}, "CUBIC": {options.CongestionCubic, 0.7}} {
		t.Run(name, func(t *testing.T) {
			n, r := upload(t, c.algorithm, 400_000, 20, simnet.Delay(20*time.Millisecond))
			lines, packets, samples := n.Trace(), r.Packets(), end(t, r, "a").Samples
			require.Len(t, packets, len(lines))
			var before, after *simnet.Sample // of the recovery
			for i := range samples {
				s := &samples[i]
				if s.SlowStartThreshold == 0 && s.State == "ESTABLISHED" {
					before = s
				}
				if i+1 < len(samples) && samples[i+1].At == s.At {
					require.GreaterOrEqual(t, samples[i+1].SndNxt, s.SndNxt)
					continue // the last one of an instant has all that has come then
				}
				v := wireAt(packets, lines, s.At)
				require.Equal(t, v.next, s.SndNxt, "%v", s.At)
				if v.una > 0 {
					require.Equal(t, v.una, s.SndUna, "%v", s.At)
				}
				require.EqualValues(t, v.resent, s.Retransmissions, "%v", s.At)
				if s.State == "ESTABLISHED" {
					require.EqualValues(t, v.next-v.una, s.InFlight)
					require.LessOrEqual(t, s.InFlight, s.SendWindow, "%v", s.At)
				}
				switch {
				case s.SlowStartThreshold == 0 && s.State == "ESTABLISHED":
					require.LessOrEqual(t, s.InFlight-v.sacked, s.CongestionWindow, "%v", s.At)
					require.EqualValues(t, 10*mss+s.SndUna-1, s.CongestionWindow, "slow start: as much more as is acknowledged")
				case s.SlowStartThreshold > 0 && after == nil:
					after = s
				}
			}
			require.NotNil(t, before)
			require.NotNil(t, after)
			last := samples[len(samples)-1]
			require.EqualValues(t, 1, last.Retransmissions)
			require.InDelta(t, c.part*float64(before.CongestionWindow), after.SlowStartThreshold, 1)
			reduced := slices.IndexFunc(samples, func(s simnet.Sample) bool { return s.Retransmissions == 1 })
			require.LessOrEqual(t, samples[reduced].CongestionWindow, before.CongestionWindow)
			recovered := slices.IndexFunc(samples, func(s simnet.Sample) bool {
				return s.Retransmissions == 1 && s.CongestionWindow == s.SlowStartThreshold
			})
			require.Positive(t, recovered, "recovery ends at the threshold")
			require.EqualValues(t, 400_001, last.SndUna)
		})
	}
}

// Many losses: what is sent again is what the trace shows to be sent again, and at least what was
// lost.
func TestRecording_RetransmissionsAreThoseOfTheTrace(t *testing.T) {
	n, r := upload(t, options.CongestionCubic, 600_000, 0, simnet.Delay(20*time.Millisecond), simnet.Loss(0.03))
	samples := end(t, r, "a").Samples
	last := samples[len(samples)-1]
	v := wireAt(r.Packets(), n.Trace(), last.At)
	require.Greater(t, v.lost, uint64(5))
	require.Equal(t, v.resent, last.Retransmissions)
	require.GreaterOrEqual(t, last.Retransmissions, v.lost)
}

// The smoothed round trip is that of the link, and follows it by an eighth of the difference
// (RFC 6298 §2.3).
func TestRecording_RoundTripIsTheLinks(t *testing.T) {
	n := simnet.New(t)
	a, b := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24")
	link := n.Link(a, b, simnet.Delay(50*time.Millisecond))
	r := n.Record()
	c, _ := connected(t, n, a, b)
	say := func() {
		n.Do("say", func() {
			_, err := c.Write([]byte("x"))
			require.NoError(t, err)
			n.Sleep(time.Second)
		})
	}
	last := func() simnet.Sample { s := end(t, r, "a").Samples; return s[len(s)-1] }
	say()
	require.Equal(t, 100*time.Millisecond, last().SmoothedRTT)
	require.Equal(t, 37500*time.Microsecond, last().RTTVariance, "three quarters of half of the first")
	require.Equal(t, 300*time.Millisecond, last().RTO)
	link.Set(simnet.Delay(90 * time.Millisecond))
	say()
	require.Equal(t, 110*time.Millisecond, last().SmoothedRTT)
	link.Set(simnet.Loss(1))
	n.Do("say", func() { c.Write([]byte("x")) })
	n.Advance(last().RTO)
	require.Equal(t, simnet.EventTimer, last().Event)
	require.GreaterOrEqual(t, last().RTO, 600*time.Millisecond, "doubled")
	require.EqualValues(t, 1, last().Retransmissions)
}

// connected opens a connection from a to b, and returns both ends.
func connected(t *testing.T, n *simnet.Network, a, b *simnet.Host) (client, server net.Conn) {
	t.Helper()
	n.Go("server", func() {
		l, err := b.Listen("tcp4", ":80")
		require.NoError(t, err)
		server, err = l.Accept()
		require.NoError(t, err)
		require.NoError(t, l.Close())
	})
	n.Go("client", func() {
		var err error
		client, err = a.Dial("tcp4", "10.0.0.2:80")
		require.NoError(t, err)
	})
	require.NoError(t, n.Run())
	return client, server
}

// setter is what the net face's connections have for options.
type setter interface {
	SetNoDelay(bool) error
	SetKeepAlive(bool) error
	SetSockOpt(level, name int32, optval []byte) error
	Ioctl(code uint32, in, out []byte) (int, error)
}

// Every call that changes the value of an option is a sample, at its time; those that fail or
// change nothing are none.
func TestRecording_Options(t *testing.T) {
	n := simnet.New(t)
	a := n.HostConfig("a", stack.Config{Addresses: prefixes("10.0.0.1/24"), Defaults: []options.Assignment{options.SO_KEEPALIVE.With(true)}})
	b := n.Host("b", "10.0.0.2/24")
	n.Link(a, b)
	r := n.Record()
	client, _ := connected(t, n, a, b)
	c := client.(setter)
	for _, step := range []func(){
		func() { require.NoError(t, c.SetNoDelay(true)) },
		func() { require.NoError(t, c.SetNoDelay(true)) },
		func() { require.Error(t, c.SetSockOpt(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, nil)) },
		func() { require.NoError(t, c.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_LINGER, []byte{1, 0, 5, 0})) },
		func() {
			_, err := c.Ioctl(wsa.SIO_KEEPALIVE_VALS, []byte{1, 0, 0, 0, 0xe8, 3, 0, 0, 100, 0, 0, 0}, nil)
			require.NoError(t, err)
		},
		func() { _, err := c.Ioctl(wsa.FIONBIO, []byte{1, 0, 0, 0}, nil); require.NoError(t, err) },
		func() { _, err := c.Ioctl(wsa.FIONREAD, nil, make([]byte, 4)); require.NoError(t, err) },
		func() { require.NoError(t, c.SetKeepAlive(false)) },
	} {
		n.Advance(time.Second)
		n.Do("step", step)
	}
	type change struct {
		at     time.Duration
		option string
	}
	var got []change
	for _, s := range end(t, r, "a").Samples {
		require.Equal(t, s.Option != "", s.Event == simnet.EventOption)
		if s.Option != "" {
			got = append(got, change{s.At, s.Option})
			require.Equal(t, s.At > 0, s.State == "ESTABLISHED", "the rest of the sample is there")
		}
	}
	require.Equal(t, []change{
		{0, "SO_KEEPALIVE true"},
		{time.Second, "TCP_NODELAY true"},
		{4 * time.Second, "SO_LINGER true"}, {4 * time.Second, "SO_LINGER seconds 5"},
		{5 * time.Second, "TCP_KEEPIDLE 1s"}, {5 * time.Second, "TCP_KEEPINTVL 100ms"},
		{6 * time.Second, "FIONBIO true"},
		{8 * time.Second, "SO_KEEPALIVE false"},
	}, got)
}
