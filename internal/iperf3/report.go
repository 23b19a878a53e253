package iperf3

import (
	"fmt"
	"strings"
	"time"
)

// A Report is the outcome of a test. As JSON it has the form, and the names, of what "iperf3
// --json" prints, without what only iperf3 can know.
type Report struct {
	Start     Start      `json:"start"`
	Intervals []Interval `json:"intervals"`
	End       End        `json:"end"`
	Error     string     `json:"error,omitempty"` // why the test ended before its time
}

// Start is what a test began with.
type Start struct {
	Connected []Connected `json:"connected"`
	Version   string      `json:"version"`
	Timestamp struct {
		Time string `json:"time"`
		Secs int64  `json:"timesecs"`
	} `json:"timestamp"`
	Cookie string    `json:"cookie"`
	Test   TestStart `json:"test_start"`
}

// Connected has the two ends of a stream.
type Connected struct {
	Socket     int    `json:"socket"` // the number of the stream
	LocalHost  string `json:"local_host"`
	LocalPort  int    `json:"local_port"`
	RemoteHost string `json:"remote_host"`
	RemotePort int    `json:"remote_port"`
}

// TestStart has the parameters of a test.
type TestStart struct {
	Protocol string `json:"protocol"`
	Streams  int    `json:"num_streams"`
	Block    int    `json:"blksize"`
	Omit     int    `json:"omit"`
	Duration int    `json:"duration"`
	Bytes    int64  `json:"bytes"`
	Blocks   int64  `json:"blocks"`
	Reverse  int    `json:"reverse"`
	TOS      int    `json:"tos"`
}

// An Interval is what was moved in one second.
type Interval struct {
	Streams []Sum `json:"streams"`
	Sum     Sum   `json:"sum"`
}

// A Sum is what was moved in a time, over one stream or several. Of a receiver of UDP it has what
// was lost.
type Sum struct {
	Socket      int     `json:"socket,omitempty"` // the number of the stream; 0: several
	Start       float64 `json:"start"`            // seconds, as End and Seconds
	End         float64 `json:"end"`
	Seconds     float64 `json:"seconds"`
	Bytes       int64   `json:"bytes"`
	Bits        float64 `json:"bits_per_second"`
	Retransmits *int64  `json:"retransmits,omitempty"`
	Jitter      float64 `json:"jitter_ms,omitempty"`
	Lost        int64   `json:"lost_packets,omitempty"`
	Packets     int64   `json:"packets,omitempty"`
	LostPercent float64 `json:"lost_percent,omitempty"`
	Omitted     bool    `json:"omitted,omitempty"`
	Sender      bool    `json:"sender"`
}

// End is what was moved in all.
type End struct {
	Streams  []EndStream `json:"streams"`
	Sent     *Sum        `json:"sum_sent,omitempty"`     // by the senders of the first direction, as they count
	Received *Sum        `json:"sum_received,omitempty"` // by its receivers, as they count

	// SentReverse and ReceivedReverse are those of the second direction of a test in both.
	SentReverse     *Sum   `json:"sum_sent_bidir_reverse,omitempty"`
	ReceivedReverse *Sum   `json:"sum_received_bidir_reverse,omitempty"`
	ServerOutput    string `json:"server_output_text,omitempty"`
}

// An EndStream is what each side has counted of a stream.
type EndStream struct {
	Sender   Sum `json:"sender"`
	Receiver Sum `json:"receiver"`
}

// newSum makes the sum of what a side has counted of a stream.
func newSum(p *Params, r streamResult, sender bool) Sum {
	s := Sum{Socket: r.ID, Start: r.Start, End: r.End, Seconds: r.End - r.Start, Bytes: max(0, int64(r.Bytes)), Sender: sender}
	if sender && r.Retransmits >= 0 {
		n := int64(r.Retransmits)
		s.Retransmits = &n
	}
	if p.UDP {
		s.Jitter, s.Lost, s.Packets = r.Jitter*1000, max(0, int64(r.Errors)), max(0, int64(r.Packets))
	}
	s.rate()
	return s
}

// rate computes what follows from the rest.
func (s *Sum) rate() {
	if s.Seconds > 0 {
		s.Bits = float64(s.Bytes) * 8 / s.Seconds
	}
	if s.Packets > 0 {
		s.LostPercent = 100 * float64(s.Lost) / float64(s.Packets)
	}
}

// total adds up sums of the same time. The jitter is their mean.
func total(list []Sum) Sum {
	var t Sum
	for i, s := range list {
		if i == 0 {
			t = s
			t.Socket, t.Bytes, t.Lost, t.Packets, t.Jitter, t.Retransmits = 0, 0, 0, 0, 0, nil
		}
		t.Bytes, t.Lost, t.Packets = t.Bytes+s.Bytes, t.Lost+s.Lost, t.Packets+s.Packets
		t.Jitter += s.Jitter / float64(len(list))
		if s.Retransmits != nil {
			n := *s.Retransmits
			if t.Retransmits != nil {
				n += *t.Retransmits
			}
			t.Retransmits = &n
		}
	}
	t.rate()
	return t
}

// finish fills in the end of a report from the counts of both sides.
func (r *Report) finish(p *Params, roles []bool, client, server *results) {
	var sums [2][2][]Sum // by direction, and by sender and receiver
	for i, clientSends := range roles {
		from, to, direction := client, server, 0
		if !clientSends {
			from, to = server, client
			if p.Bidirectional {
				direction = 1
			}
		}
		sent := from.of(streamID(i))
		received := to.of(streamID(i))
		s := EndStream{newSum(p, sent, true), newSum(p, received, false)}
		s.Sender.Jitter, s.Sender.Lost, s.Sender.LostPercent = 0, 0, 0 // which a sender doesn't know
		r.End.Streams = append(r.End.Streams, s)
		sums[direction][0] = append(sums[direction][0], s.Sender)
		sums[direction][1] = append(sums[direction][1], s.Receiver)
	}
	sent, received := total(sums[0][0]), total(sums[0][1])
	r.End.Sent, r.End.Received = &sent, &received
	if p.Bidirectional {
		sent, received := total(sums[1][0]), total(sums[1][1])
		r.End.SentReverse, r.End.ReceivedReverse = &sent, &received
	}
	r.End.ServerOutput = server.Text
}

// newReport begins a report.
func newReport(p *Params, cookie string, streams []*stream) *Report {
	r := &Report{}
	r.Start.Version = "wsstack, protocol of iperf " + protocolVersion
	now := time.Now()
	r.Start.Timestamp.Time, r.Start.Timestamp.Secs = now.UTC().Format(time.RFC1123), now.Unix()
	r.Start.Cookie = strings.TrimRight(cookie, "\x00")
	reverse := 0
	if p.Reverse {
		reverse = 1
	}
	r.Start.Test = TestStart{Protocol: strings.ToUpper(p.protocol()), Streams: p.Parallel, Block: p.Len, Omit: p.Omit,
		Duration: p.Time, Bytes: p.Num, Blocks: p.BlockCount, Reverse: reverse, TOS: p.TOS}
	for _, s := range streams {
		c := Connected{Socket: s.id}
		c.LocalHost, c.LocalPort = hostPort(s.conn.LocalAddr())
		c.RemoteHost, c.RemotePort = hostPort(s.conn.RemoteAddr())
		r.Start.Connected = append(r.Start.Connected, c)
	}
	return r
}

// Text is the report as lines for people: a line for the sender and one for the receiver of each
// direction.
func (r *Report) Text() string {
	var b strings.Builder
	line := func(name string, s *Sum, side string) {
		if s != nil {
			fmt.Fprintf(&b, "%-8s %s  %s\n", name, s, side)
		}
	}
	for i := range r.End.Streams {
		if s := &r.End.Streams[i]; len(r.End.Streams) > 1 {
			name := fmt.Sprintf("[%3d]", s.Sender.Socket)
			line(name, &s.Sender, "sender")
			line(name, &s.Receiver, "receiver")
		}
	}
	name, back := "total", "reverse"
	line(name, r.End.Sent, "sender")
	line(name, r.End.Received, "receiver")
	line(back, r.End.SentReverse, "sender")
	line(back, r.End.ReceivedReverse, "receiver")
	return b.String()
}

// String is the sum as part of a line.
func (s *Sum) String() string {
	text := fmt.Sprintf("%6.2f-%-6.2f s  %11s  %15s", s.Start, s.End, amount(float64(s.Bytes), "B"), amount(s.Bits, "bit/s"))
	if s.Retransmits != nil {
		text += fmt.Sprintf("  %d sent again", *s.Retransmits)
	}
	if s.Packets > 0 && !s.Sender {
		text += fmt.Sprintf("  jitter %.3f ms  lost %d of %d (%.2g %%)", s.Jitter, s.Lost, s.Packets, s.LostPercent)
	}
	return text
}

// amount is a number with a unit and a prefix of the SI, such as "1.23 Gbit/s".
func amount(n float64, unit string) string {
	for _, p := range []struct {
		factor float64
		name   string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if n >= p.factor {
			return fmt.Sprintf("%.2f %s%s", n/p.factor, p.name, unit)
		}
	}
	return fmt.Sprintf("%.0f %s", n, unit)
}
