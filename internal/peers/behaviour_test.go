package peers_test

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/peers"
	"github.com/wsstack/wsstack/wsa"
)

// A conversation is a behaviour, what the client does, and the segments after the handshake. They
// are without their windows, unless the windows are what it is about.
type conversation struct {
	behaviour string
	act       func(s *stage)
	windows   bool
	want      string
}

// ask sends a text over a new connection, and waits.
func ask(text string, d time.Duration) func(*stage) {
	return func(s *stage) {
		s.say(s.dial(), text)
		time.Sleep(d)
	}
}

const request = "GET / HTTP/1.1\r\nHost: server\r\n\r\n"

// quiet is what a client does that waits for something.
func quiet(d time.Duration) func(*stage) {
	return func(s *stage) {
		s.dial()
		time.Sleep(d)
	}
}

// thrice dials three times, a second apart.
func thrice(s *stage) {
	for range 3 {
		go s.client.Dial("tcp", "10.0.0.2:81")
		time.Sleep(time.Second)
	}
}

var conversations = []conversation{
	{"late-answer:3s", ask("hello", 5*time.Second), false, `
		0.000 > [S] seq 0
		0.010 < [S.] seq 0 ack 1
		0.020 > [.] seq 1 ack 1
		0.020 > [P.] seq 1:6 ack 1 len 5
		0.030 < [.] seq 1 ack 6
		3.030 < [P.] seq 1:6 ack 6 len 5
		3.040 > [.] seq 6 ack 6`},
	{"mute", ask("hello", time.Hour), false, `
		0.000 > [S] seq 0
		0.010 < [S.] seq 0 ack 1
		0.020 > [.] seq 1 ack 1
		0.020 > [P.] seq 1:6 ack 1 len 5
		0.030 < [.] seq 1 ack 6
		120.030 < [F.] seq 1 ack 6
		120.040 > [.] seq 6 ack 2`},
	{"two-writes:50", ask("hello", time.Second), false, `
		0.000 > [S] seq 0
		0.010 < [S.] seq 0 ack 1
		0.020 > [.] seq 1 ack 1
		0.020 > [P.] seq 1:6 ack 1 len 5
		0.030 < [.] seq 1 ack 6
		0.030 < [P.] seq 1:51 ack 6 len 50
		0.040 > [.] seq 6 ack 51
		0.050 < [P.] seq 51:101 ack 6 len 50
		0.060 > [.] seq 6 ack 101`},
	{"fin-after:3", func(s *stage) {
		c := s.dial()
		_, err := io.Copy(io.Discard, c)
		require.NoError(s.t, err)
		s.say(c, "more")
		time.Sleep(time.Second)
		require.NoError(s.t, c.Close())
		time.Sleep(time.Second)
	}, false, `
		0.000 > [S] seq 0
		0.010 < [S.] seq 0 ack 1
		0.020 > [.] seq 1 ack 1
		0.030 < [P.] seq 1:4 ack 1 len 3
		0.030 < [F.] seq 4 ack 1
		0.040 > [.] seq 1 ack 5
		0.040 > [P.] seq 1:5 ack 5 len 4
		0.050 < [.] seq 5 ack 5
		1.040 > [F.] seq 5 ack 5
		1.050 < [.] seq 5 ack 6`},
	{"reset-after:5", func(s *stage) {
		c := s.dial()
		s.say(c, "four")
		time.Sleep(time.Second)
		s.say(c, "five")
		_, err := c.Read(make([]byte, 1))
		require.ErrorIs(s.t, err, wsa.WSAECONNRESET)
	}, false, `
		0.000 > [S] seq 0
		0.010 < [S.] seq 0 ack 1
		0.020 > [.] seq 1 ack 1
		0.020 > [P.] seq 1:5 ack 1 len 4
		0.030 < [.] seq 1 ack 5
		1.020 > [P.] seq 5:9 ack 1 len 4
		1.030 < [.] seq 1 ack 9
		1.030 < [R.] seq 1 ack 9`},
	{"reset-after:0", quiet(time.Second), false, `
		0.000 > [S] seq 0
		0.010 < [S.] seq 0 ack 1
		0.020 > [.] seq 1 ack 1
		0.030 < [R.] seq 1 ack 1`},
	{"reset-sending:2000", quiet(time.Second), false, `
		0.000 > [S] seq 0
		0.010 < [S.] seq 0 ack 1
		0.020 > [.] seq 1 ack 1
		0.030 < [.] seq 1:1461 ack 1 len 1460
		0.040 > [.] seq 1 ack 1461
		0.050 < [P.] seq 1461:2001 ack 1 len 540
		0.060 > [.] seq 1 ack 2001
		0.070 < [R.] seq 2001 ack 1`},
	{"close-unread", func(s *stage) {
		c := s.dial()
		time.Sleep(time.Minute)
		s.say(c, "hello")
		_, err := c.Read(make([]byte, 1))
		require.ErrorIs(s.t, err, wsa.WSAECONNRESET)
	}, false, `
		0.000 > [S] seq 0
		0.010 < [S.] seq 0 ack 1
		0.020 > [.] seq 1 ack 1
		60.020 > [P.] seq 1:6 ack 1 len 5
		60.030 < [.] seq 1 ack 6
		60.030 < [R.] seq 1 ack 6`},
	{"slow-reader:1k", func(s *stage) {
		c := s.dial()
		_, err := c.Write(make([]byte, 3000))
		require.NoError(s.t, err)
		time.Sleep(4 * time.Second)
	}, true, `
		0.000 > [S] seq 0 win 65535
		0.010 < [S.] seq 0 ack 1 win 1460
		0.020 > [.] seq 1 ack 1 win 65536
		0.020 > [.] seq 1:1461 ack 1 len 1460 win 65536
		0.030 < [.] seq 1 ack 1461 win 0
		0.260 > [.] seq 1460 ack 1 win 65536
		0.270 < [.] seq 1 ack 1461 win 0
		0.700 > [.] seq 1460 ack 1 win 65536
		0.710 < [.] seq 1 ack 1461 win 0
		0.830 < [.] seq 1 ack 1461 win 800
		0.840 > [.] seq 1461:2261 ack 1 len 800 win 65536
		0.850 < [.] seq 1 ack 2261 win 0
		1.080 > [.] seq 2260 ack 1 win 65536
		1.090 < [.] seq 1 ack 2261 win 0
		1.520 > [.] seq 2260 ack 1 win 65536
		1.530 < [.] seq 1 ack 2261 win 0
		1.630 < [.] seq 1 ack 2261 win 800
		1.640 > [P.] seq 2261:3001 ack 1 len 740 win 65536
		1.650 < [.] seq 1 ack 3001 win 60
		2.430 < [.] seq 1 ack 3001 win 860`},
	{"closed-window:2000", func(s *stage) {
		c := s.dial()
		_, err := c.Write(make([]byte, 3000))
		require.NoError(s.t, err)
		time.Sleep(2 * time.Second)
	}, true, `
		0.000 > [S] seq 0 win 65535
		0.010 < [S.] seq 0 ack 1 win 2000
		0.020 > [.] seq 1 ack 1 win 65536
		0.020 > [.] seq 1:1461 ack 1 len 1460 win 65536
		0.030 < [.] seq 1 ack 1461 win 540
		0.190 > [.] seq 1461:2001 ack 1 len 540 win 65536
		0.200 < [.] seq 1 ack 2001 win 0
		0.430 > [.] seq 2000 ack 1 win 65536
		0.440 < [.] seq 1 ack 2001 win 0
		0.870 > [.] seq 2000 ack 1 win 65536
		0.880 < [.] seq 1 ack 2001 win 0
		1.750 > [.] seq 2000 ack 1 win 65536
		1.760 < [.] seq 1 ack 2001 win 0`},
	{"keepalive:10s,2s,3", func(s *stage) {
		s.dial()
		time.Sleep(15 * time.Second)
		s.link.Partition()
		time.Sleep(15 * time.Second)
	}, false, `
		0.000 > [S] seq 0
		0.010 < [S.] seq 0 ack 1
		0.020 > [.] seq 1 ack 1
		10.030 < [.] seq 0 ack 1
		10.040 > [.] seq 1 ack 1
		20.050 < [.] seq 0 ack 1 (partitioned)
		22.050 < [.] seq 0 ack 1 (partitioned)
		24.050 < [.] seq 0 ack 1 (partitioned)
		26.050 < [R.] seq 1 ack 1 (partitioned)`},
	{"backlog:2", thrice, false, `
		0.000 > 59176 [S] seq 0
		0.010 < 59176 [S.] seq 0 ack 1
		0.020 > 59176 [.] seq 1 ack 1
		1.000 > 57262 [S] seq 0
		1.010 < 57262 [S.] seq 0 ack 1
		1.020 > 57262 [.] seq 1 ack 1
		2.000 > 52636 [S] seq 0
		2.010 < 52636 [R.] seq 0 ack 1`},
	{"late-handshake:2500ms", func(s *stage) {
		c := s.dial()
		s.say(c, "hello")
		_, err := io.ReadFull(c, make([]byte, 5))
		require.NoError(s.t, err)
	}, false, `
		0.000 > [S] seq 0
		1.000 > [S] seq 0
		2.510 < [S.] seq 0 ack 1
		2.520 > [.] seq 1 ack 1
		2.520 > [P.] seq 1:6 ack 1 len 5
		2.530 < [.] seq 1 ack 6
		2.530 < [P.] seq 1:6 ack 6 len 5
		2.540 > [.] seq 6 ack 6`},
	{"unanswered", func(s *stage) {
		_, err := s.client.Dial("tcp", "10.0.0.2:81")
		require.ErrorIs(s.t, err, wsa.WSAETIMEDOUT)
	}, false, `
		0.000 > [S] seq 0
		1.000 > [S] seq 0
		3.000 > [S] seq 0
		7.000 > [S] seq 0
		15.000 > [S] seq 0`},
	{"silent", ask("hello", time.Second), false, `
		0.000 > [S] seq 0
		0.010 < [S.] seq 0 ack 1
		0.020 > [.] seq 1 ack 1
		0.020 > [P.] seq 1:6 ack 1 len 5
		0.240 > [P.] seq 1:6 ack 1 len 5
		0.680 > [P.] seq 1:6 ack 1 len 5`},
	{"body:2000", ask(request, time.Second), false, `
		0.000 > [S] seq 0
		0.010 < [S.] seq 0 ack 1
		0.020 > [.] seq 1 ack 1
		0.020 > [P.] seq 1:33 ack 1 len 32
		0.030 < [.] seq 1 ack 33
		0.030 < [.] seq 1:1461 ack 33 len 1460
		0.040 > [.] seq 33 ack 1461
		0.050 < [P.] seq 1461:2123 ack 33 len 662
		0.060 > [.] seq 33 ack 2123`},
	{"slow-body:4,10", ask(request, time.Second), false, `
		0.000 > [S] seq 0
		0.010 < [S.] seq 0 ack 1
		0.020 > [.] seq 1 ack 1
		0.020 > [P.] seq 1:33 ack 1 len 32
		0.030 < [.] seq 1 ack 33
		0.030 < [P.] seq 1:121 ack 33 len 120
		0.040 > [.] seq 33 ack 121
		0.130 < [P.] seq 121:122 ack 33 len 1
		0.140 > [.] seq 33 ack 122
		0.230 < [P.] seq 122:123 ack 33 len 1
		0.240 > [.] seq 33 ack 123
		0.330 < [P.] seq 123:124 ack 33 len 1
		0.340 > [.] seq 33 ack 124`},
	{"short-body:30,10", ask(request, time.Second), false, `
		0.000 > [S] seq 0
		0.010 < [S.] seq 0 ack 1
		0.020 > [.] seq 1 ack 1
		0.020 > [P.] seq 1:33 ack 1 len 32
		0.030 < [.] seq 1 ack 33
		0.030 < [P.] seq 1:131 ack 33 len 130
		0.030 < [F.] seq 131 ack 33
		0.040 > [.] seq 33 ack 132`},
	{"datagrams:3000", func(s *stage) {
		c, err := s.client.Dial("udp", "10.0.0.2:81")
		require.NoError(s.t, err)
		s.say(c, "hello")
		n, err := c.Read(make([]byte, 5000))
		require.NoError(s.t, err)
		require.Equal(s.t, 3000, n)
	}, false, `
		0.000 > udp 59176 len 5
		0.010 < udp 59176 len 1472 frag 0:1480+
		0.010 < proto 17 frag 1480:2960+
		0.010 < proto 17 frag 2960:3008`},
	{"udp-mute", func(s *stage) {
		c, err := s.client.Dial("udp", "10.0.0.2:81")
		require.NoError(s.t, err)
		s.say(c, "hello")
		time.Sleep(time.Minute)
	}, false, `
		0.000 > udp 59176 len 5`},
}

var (
	windows = regexp.MustCompile(` win \d+`)
	options = regexp.MustCompile(` <.*>`)
)

// brief shortens a trace.
func brief(trace string, withWindows bool) string {
	trace = options.ReplaceAllString(trace, "")
	if !withWindows {
		trace = windows.ReplaceAllString(trace, "")
	}
	trace = strings.NewReplacer("s client>server", " >", "s server>client", " <", ">81", "", "81>", "").Replace(trace)
	var out strings.Builder
	for line := range strings.Lines(trace) {
		fmt.Fprintf(&out, "\n\t\t%s", strings.TrimSpace(line))
	}
	return out.String()
}

func TestBehaviours(t *testing.T) {
	for _, c := range conversations {
		t.Run(c.behaviour, func(t *testing.T) {
			got := brief(play(t, "peer", "81="+c.behaviour, c.act), c.windows)
			assert.Equal(t, c.want, got)
		})
	}
}

// Every behaviour has a conversation, and an example that is one.
func TestBehaviours_All(t *testing.T) {
	for _, b := range peers.Behaviours() {
		if !slices.ContainsFunc(conversations, func(c conversation) bool { name, _, _ := strings.Cut(c.behaviour, ":"); return name == b.Name }) {
			t.Errorf("%s is not tested", b.Name)
		}
		if _, err := peers.Parse("peer", "81="+b.Example); err != nil || !strings.HasPrefix(b.Example, b.Name) {
			t.Errorf("%s: %v", b.Example, err)
		}
		if len(b.Help) > 90 || len(b.Usage()) > 40 {
			t.Errorf("%s: %d characters", b.Name, len(b.Help))
		}
	}
}
