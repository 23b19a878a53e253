package picture

import (
	"encoding/binary"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/record"
	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/tun"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the golden files")

// golden compares a text with a file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *rewrite {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o666))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err, "go test ./internal/picture -rewrite makes it")
	require.Equal(t, string(want), got, "see git diff after go test ./internal/picture -rewrite")
}

const ms = time.Millisecond

// A play is a recording that a test writes by hand.
type play struct {
	record.Recording
	id uint16
}

var (
	client = netip.MustParseAddrPort("10.0.0.1:50000")
	server = netip.MustParseAddrPort("10.0.2.2:80")
)

// tcp is a segment from one end to the other; numbers are absolute.
func tcp(from, to netip.AddrPort, flags trace.Flags, seq, ack uint32, size int, o trace.Options) []byte {
	options := o.Append(nil)
	b := make([]byte, 40, 40+len(options))
	b[0], b[8], b[9] = 0x45, 64, 6
	binary.BigEndian.PutUint16(b[2:], uint16(40+len(options)+size))
	copy(b[12:], from.Addr().AsSlice())
	copy(b[16:], to.Addr().AsSlice())
	binary.BigEndian.PutUint16(b[20:], from.Port())
	binary.BigEndian.PutUint16(b[22:], to.Port())
	binary.BigEndian.PutUint32(b[24:], seq)
	binary.BigEndian.PutUint32(b[28:], ack)
	b[32], b[33] = byte((20+len(options))/4<<4), byte(flags)
	binary.BigEndian.PutUint16(b[34:], 8000)
	return append(b, options...)
}

// udp is a datagram of the client.
func udp(port uint16, ttl byte) []byte {
	b := make([]byte, 28)
	b[0], b[3], b[8], b[9] = 0x45, 28, ttl, 17
	copy(b[12:], client.Addr().AsSlice())
	copy(b[16:], server.Addr().AsSlice())
	binary.BigEndian.PutUint16(b[20:], 7)
	binary.BigEndian.PutUint16(b[22:], port)
	b[25] = 8
	return b
}

// hop adds a packet on one hop.
func (p *play) hop(at, arrived time.Duration, from, to string, fate tun.Fate, data []byte) {
	if fate.Dropped() {
		arrived = record.Never
	}
	p.Packets = append(p.Packets, record.Packet{
		At: at, Arrived: arrived, From: from, To: to, Fate: fate, Size: int(binary.BigEndian.Uint16(data[2:])), Data: data,
	})
}

// numbered gives a packet the next identification.
func (p *play) numbered(data []byte) []byte {
	p.id++
	binary.BigEndian.PutUint16(data[4:], p.id)
	return data
}

// none are no options.
var none = trace.Options{WS: -1}

// conversation is a connection of two hosts with a loss, a retransmission, a long silence, a probe,
// and a packet of each other fate.
func conversation() *play {
	p := &play{Recording: record.Recording{Nodes: []string{"client", "server"}}}
	up := func(at time.Duration, fate tun.Fate, flags trace.Flags, seq, ack uint32, size int, o trace.Options) {
		p.hop(at, at+20*ms, "client", "server", fate, p.numbered(tcp(client, server, flags, seq, ack, size, o)))
	}
	down := func(at time.Duration, fate tun.Fate, flags trace.Flags, seq, ack uint32, size int, o trace.Options) {
		p.hop(at, at+20*ms, "server", "client", fate, p.numbered(tcp(server, client, flags, seq, ack, size, o)))
	}
	syn := trace.Options{MSS: 1000, WS: -1, SACKOK: true}
	const x, y = 0xfffffff0, 500 // the numbers of the client go round
	up(0, 0, trace.SYN, x, 0, 0, syn)
	down(20*ms, 0, trace.SYN|trace.ACK, y, x+1, 0, syn)
	up(40*ms, 0, trace.ACK, x+1, y+1, 0, none)
	sent := uint32(1)
	for i := range 4 {
		up(40*ms, []tun.Fate{0, tun.Lost, tun.Duplicated, tun.Corrupted}[i], trace.ACK, x+sent, y+1, 1000, none)
		sent += 1000
	}
	down(60*ms, 0, trace.ACK, y+1, 985, 0, none) // x+1001
	hole := trace.Options{WS: -1, Blocks: 1}
	hole.SACK[0] = [2]uint32{1985, 2985}
	down(60*ms, 0, trace.ACK, y+1, 985, 0, hole)
	up(85*ms, 0, trace.ACK, 985, y+1, 1000, none)
	down(105*ms, tun.QueueFull, trace.ACK, y+1, 3985, 0, none)
	up(300*ms, 0, trace.ACK, 2985, y+1, 1000, none)
	down(320*ms, 0, trace.ACK, y+1, 3985, 0, none)
	up(time.Hour, 0, trace.ACK, 3984, y+1, 0, none)
	down(time.Hour+20*ms, tun.Reordered, trace.ACK, y+1, 3985, 0, none)
	up(time.Hour+50*ms, 0, trace.FIN|trace.ACK, 3985, y+1, 0, none)
	down(time.Hour+70*ms, 0, trace.RST|trace.ACK, y+1, 3986, 0, none)
	p.Connections = []record.Connection{{
		Host: "client", Local: client, Remote: server,
		Samples: []record.Sample{
			{At: 0, Event: record.Sent, State: "SYN-SENT", RTO: time.Second},
			{At: 40 * ms, Event: record.Received, State: "ESTABLISHED", CongestionWindow: 4000, SmoothedRTT: 40 * ms, RTO: 300 * ms},
			{At: 40 * ms, Event: record.Sent, State: "ESTABLISHED", CongestionWindow: 4000, InFlight: 4000, SmoothedRTT: 40 * ms, RTO: 300 * ms},
			{At: 50 * ms, Event: record.Option, State: "ESTABLISHED", CongestionWindow: 4000, InFlight: 4000, Option: "=TCP_NODELAY true"},
			{At: 85 * ms, Event: record.Timer, State: "ESTABLISHED", CongestionWindow: 2000, SlowStartThreshold: 2000, InFlight: 3000, Retransmissions: 1, SmoothedRTT: 42 * ms, RTO: 600 * ms},
			{At: 340 * ms, Event: record.Received, State: "ESTABLISHED", CongestionWindow: 3000, SlowStartThreshold: 2000, Retransmissions: 2, SmoothedRTT: 41 * ms, RTO: 300 * ms},
		},
	}}
	return p
}

// routed is a network of two hosts with two routers between them: a segment that is lost on the
// last hop, its retransmission, and a datagram whose hops run out.
func routed() *play {
	p := &play{Recording: record.Recording{Nodes: []string{"a", "b", "r1", "r2"}}}
	way := []string{"a", "r1", "r2", "b"}
	send := func(at time.Duration, lostAt int, back bool, data []byte) {
		data = p.numbered(data)
		for i := range 3 {
			from, to := way[i], way[i+1]
			if back {
				from, to = way[3-i], way[2-i]
			}
			fate := tun.Fate(0)
			if i == lostAt {
				fate = tun.Lost
			}
			p.hop(at, at+5*ms, from, to, fate, data)
			if fate != 0 {
				return
			}
			data = append([]byte{}, data...)
			data[8]-- // the TTL
			at += 5 * ms
		}
	}
	send(0, 9, false, tcp(client, server, trace.SYN, 100, 0, 0, none))
	send(15*ms, 9, true, tcp(server, client, trace.SYN|trace.ACK, 900, 101, 0, none))
	send(30*ms, 2, false, tcp(client, server, trace.PSH|trace.ACK, 101, 901, 500, none))
	send(300*ms, 9, false, tcp(client, server, trace.PSH|trace.ACK, 101, 901, 500, none))
	send(315*ms, 9, true, tcp(server, client, trace.ACK, 901, 601, 0, none))
	datagram := p.numbered(udp(33434, 1))
	p.hop(400*ms, 405*ms, "a", "r1", 0, datagram)
	exceeded := append(make([]byte, 28), datagram...)
	exceeded[0], exceeded[3], exceeded[8], exceeded[9], exceeded[20] = 0x45, 56, 64, 1, 11
	copy(exceeded[12:], []byte{10, 0, 0, 254, 10, 0, 0, 1})
	p.hop(405*ms, 410*ms, "r1", "a", 0, exceeded)
	return p
}

// transfer is a connection with this many segments of data, of which one in 500 is lost.
func transfer(segments int) *play {
	p := &play{Recording: record.Recording{Nodes: []string{"client", "server"}}}
	at := time.Duration(0)
	p.hop(at, at+20*ms, "client", "server", 0, tcp(client, server, trace.SYN, 0, 0, 0, trace.Options{MSS: 1000, WS: 14}))
	p.hop(at+20*ms, at+40*ms, "server", "client", 0, tcp(server, client, trace.SYN|trace.ACK, 0, 1, 0, trace.Options{MSS: 1000, WS: 14}))
	for i := range segments {
		at += 100 * time.Microsecond
		fate := tun.Fate(0)
		if i%500 == 499 {
			fate = tun.Lost
		}
		p.hop(40*ms+at, 60*ms+at, "client", "server", fate, p.numbered(tcp(client, server, trace.ACK, uint32(1+1000*i), 1, 1000, none)))
	}
	return p
}
