package conform

import (
	"fmt"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// leastMSS: a client, and a server.
func leastMSS(e *Env, floor uint16, want int) {
	e.Config = func(c *stack.Config) { c.MinMSS = floor }
	e.playedAs("mss 20", nil, func(s handle, _ *simnet.Peer) {
		s.send(2 * want)
		Equal(e, "segments of a client", e.lengths("a", 0), fmt.Sprint(want, " ", want))
		e.Net.Sleep(time.Millisecond)
		p, start := e.wire.Connect(e.Addr(1, 80).String()), e.Start()
		l := e.listener(e.P, 80)
		p.Send("[S] <mss 20>")
		_, err := p.Expect("[S.]")
		e.Check(err == nil, "%v", err)
		p.Send("[.] ack 1")
		c := l.accept()
		c.send(2 * want)
		Equal(e, "segments of a server", e.lengths("a", start), fmt.Sprint(want, " ", want))
		c.maxSeg(want)
		e.resetAll(c, s)
	})
	e.Notef("segments of %d bytes to a peer whose SYN said 20", want)
}

// maxSeg checks TCP_MAXSEG, which Legacy hasn't (C-17).
func (h handle) maxSeg(want int) {
	if h.e.Profile != options.Legacy {
		h.reads(wsa.IPPROTO_TCP, wsa.TCP_MAXSEG, uint32(want))
	}
}

// resetAll closes sockets of A hard.
func (e *Env) resetAll(sockets ...handle) {
	for _, s := range sockets {
		s.linger(0)
		s.close()
	}
}

// tenWrites is the vector NG-4: ten one-byte writes, 1 ms apart, over a round
// trip of 100 ms.
func tenWrites(e *Env, nodelay uint32) []simnet.Line {
	e.plainPeer()
	e.Pair(simnet.Delay(50 * time.Millisecond))
	var start time.Duration
	e.Do(func() {
		c, _ := e.connection()
		c.set(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, nodelay)
		e.Net.Sleep(time.Second)
		start = e.Start()
		for range 10 {
			c.send(1)
			e.Net.Sleep(time.Millisecond)
		}
		e.Net.Sleep(time.Second)
	})
	var lines []simnet.Line
	for _, l := range e.Segments("a") {
		if data(l) {
			l.At -= start
			lines = append(lines, l)
		}
	}
	return lines
}

// nagleScenarios are NG-1 to NG-8: when a small segment waits.
var nagleScenarios = []Scenario{
	{ID: "NG-1", Title: "a new socket has Nagle on", Source: "W-TCP", Run: func(e *Env) {
		e.plainPeer()
		e.Pair()
		Equal(e, "TCP_NODELAY", e.stream().get(wsa.IPPROTO_TCP, wsa.TCP_NODELAY), 0)
		e.Do(func() {
			c, _ := e.connection()
			for range 2 {
				c.say("x")
			}
			e.Net.Sleep(Delay)
			Equal(e, "segments in flight", e.Count("a", data), 1)
			e.Net.Sleep(5 * Delay)
		})
		Equal(e, "segments in all", e.Count("a", data), 2)
		e.Notef("reads 0; the second byte waits for the first one's ACK")
	}},
	{ID: "NG-2", Title: "a peer's MSS below the floor", Source: "design, RFC 9293 3.7.1", Run: func(e *Env) { leastMSS(e, 0, 48) }},
	{ID: "NG-2", Title: "a peer's MSS below another floor", Source: "design, RFC 9293 3.7.1", Run: func(e *Env) { leastMSS(e, 200, 200) }},
	{ID: "NG-2", Title: "a path MTU below the floor", Source: "design, RFC 1191", Once: true, Run: leastPathMTU},
	{ID: "NG-2", Title: "a partial segment waits", Source: "RFC 896, RFC 1122 4.2.3.4", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			s.send(1) // F = 0: at once
			for _, n := range []int{600, 300} {
				s.send(n)
			}
			Equal(e, "with 900 bytes held", e.lengths("a", 0), "1")
			s.send(2150) // (a) Q = 3050: three full segments, the rest is held
			Equal(e, "with three segments' worth", e.lengths("a", 0), "1 1000 1000 1000")
			e.arrive(p, "[.] ack 3002") // (b) everything outstanding is acknowledged
			Equal(e, "after the ACK", e.lengths("a", 0), "1 1000 1000 1000 50")
			s.send(7)
			s.shutdown(wsa.SD_SEND) // (d)
			Equal(e, "with a FIN behind it", e.lengths("a", 0), "1 1000 1000 1000 50 7")
			p.Send("[.] ack 3060")
			p.Send("[F.] ack 3060")
		})
		e.Notef("segments of 1, 1000, 1000, 1000, then 50 on the ACK, 7 with the FIN")
	}},
	{ID: "NG-2", Title: "a partial ACK releases nothing", Source: "RFC 896", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			s.send(2000)
			s.send(10)
			e.arrive(p, "[.] ack 1001")
			Equal(e, "with one of two segments acknowledged", e.lengths("a", 0), "1000 1000")
			e.arrive(p, "[.] ack 2001")
			Equal(e, "with both acknowledged", e.lengths("a", 0), "1000 1000 10")
		})
		e.Notef("10 bytes wait until both segments are acknowledged")
	}},
	{ID: "NG-2", Title: "a path MTU that no link has", Source: "RFC 791, RFC 8201 4", Run: impossibleMSS},
	{ID: "NG-2", Title: "a path MTU that shrinks", Source: "RFC 1191, RFC 8201", Run: func(e *Env) {
		e.playedAs("mss 1400", nil, func(s handle, p *simnet.Peer) {
			s.send(2800)
			first, err := p.Expect("[.] seq 1:1401 ack 1")
			e.Check(err == nil, "%v", err)
			quote := first.Packet[:100] // an error quotes less than a packet
			forged := append([]byte(nil), quote...)
			forged[len(first.Packet)-1400-16] ^= 0x55 // a sequence number that isn't in flight
			e.inject(e.wire, e.tooBig(600), forged)
			e.Net.Sleep(time.Millisecond)
			s.as("TCP_MAXSEG after a forged error").maxSeg(1400)
			e.inject(e.wire, e.tooBig(1300), quote)
			e.Net.Sleep(time.Millisecond)
			mss := 1300 - 1500 + e.ownMSS()
			s.maxSeg(mss)
			e.arrive(p, "[.] ack 2801")
			start := e.Start()
			s.send(1)
			s.send(mss - 1) // one byte less than a segment of the new size
			Equal(e, "with data in flight", e.lengths("a", start), "1")
			s.send(1)
			Equal(e, "with a segment of the new size", e.lengths("a", start), fmt.Sprint("1 ", mss))
		})
		e.Notef("a full segment is one that fits the path; an error that quotes nothing in flight changes nothing")
	}},
	{ID: "NG-2", Title: "a path MTU during the handshake", Source: "RFC 1191, RFC 5927 7", Run: func(e *Env) {
		w := e.Wire()
		p := w.Connect(e.Addr(1, 80).String())
		e.Do(func() {
			l := e.listener(e.P, 80)
			p.Send("[S] <mss 1400>")
			answer, err := p.Expect("[S.]")
			e.Check(err == nil, "%v", err)
			e.inject(w, e.tooBig(1300), answer.Packet)
			p.Send("[.] ack 1")
			s := l.accept()
			s.as("TCP_MAXSEG after an error for the SYN-ACK").maxSeg(1400)
			s.send(1400)
			first, err := p.Expect("[P.] seq 1:1401 ack 1")
			e.Check(err == nil, "%v", err)
			e.Net.Sleep(time.Millisecond)
			start, mss := e.Start(), 1300-1500+e.ownMSS()
			e.inject(w, e.tooBig(1300), first.Packet[:100])
			s.maxSeg(mss)
			Equal(e, "sent again", e.lengths("a", start), fmt.Sprint(mss, " ", 1400-mss))
			s.linger(0)
			s.close()
		})
		e.Notef("an error for a SYN, which fits every path, changes nothing; one for the first segment afterwards does")
	}},
	{ID: "NG-2", Title: "urgent data releases what is held", Source: "RFC 1122 4.2.3.4", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			s.send(1)
			s.send(5)
			Equal(e, "before", e.lengths("a", 0), "1")
			now := e.Net.Now()
			s.oob("!") // (e)
			Equal(e, "after, without an ACK", e.lengths("a", 0), "1 6")
			Equal(e, "time", e.Net.Now(), now)
			s.send(3)
			Equal(e, "ordinary data behind it", e.lengths("a", 0), "1 6")
			e.arrive(p, "[.] ack 8")
			Equal(e, "after the ACK", e.lengths("a", 0), "1 6 3")
			Equal(e, "urgent segments", e.urgents("a"), "2+6^6")
		})
		e.Notef("5 held bytes leave with the urgent one, at once; 3 behind it wait")
	}},
	{ID: "NG-3", Title: "the first small write leaves at once", Source: "RFC 896", Run: func(e *Env) {
		e.connected(func(c, _ handle) {
			e.Net.Sleep(time.Second)
			start := e.Start()
			c.say("x")
			for _, l := range e.Segments("a") {
				if data(l) {
					Equal(e, "time of the segment", l.At, start)
				}
			}
		})
		Equal(e, "segments", e.Count("a", data), 1)
		e.Notef("1 byte, no delay")
	}},
	{ID: "NG-4", Title: "ten small writes", Source: "RFC 896", Run: func(e *Env) {
		lines := tenWrites(e, 0)
		Equal(e, "segments", len(lines), 2)
		Equal(e, "first", fmt.Sprint(lines[0].Segment.Len, lines[0].At.Round(time.Millisecond)), "1 0s")
		Equal(e, "second", fmt.Sprint(lines[1].Segment.Len, lines[1].At.Round(time.Millisecond)), "9 100ms")
		e.Notef("1 byte at 0, 9 bytes at %s", seconds(lines[1].At))
	}},
	{ID: "NG-4", Title: "ten small writes with TCP_NODELAY", Source: "W-TCP", Run: func(e *Env) {
		lines := tenWrites(e, 1)
		Equal(e, "segments", len(lines), 10)
		for i, l := range lines {
			Equal(e, "time", l.At.Round(time.Millisecond), time.Duration(i)*time.Millisecond)
		}
		e.Notef("ten segments, 1 ms apart")
	}},
	{ID: "NG-5", Title: "TCP_NODELAY sends each write", Source: "W-TCP", Run: func(e *Env) {
		e.connected(func(c, _ handle) {
			c.set(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1)
			for range 10 {
				c.say("x")
			}
			c.as("Send of nothing").sendSome(nil, 0)
			Equal(e, "segments at once", e.Count("a", data), 10)
		})
		e.Notef("ten writes, ten segments; an empty write sends nothing")
	}},
	{ID: "NG-6", Title: "TCP_NODELAY flushes what is held", Source: "W-TCP", Run: func(e *Env) {
		e.played(func(s handle, _ *simnet.Peer) {
			s.send(1)
			s.send(5)
			Equal(e, "before", e.lengths("a", 0), "1")
			now := e.Net.Now()
			s.set(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1)
			Equal(e, "after, without an ACK", e.lengths("a", 0), "1 5")
			Equal(e, "time", e.Net.Now(), now)
		})
		e.Notef("5 bytes leave in the set call")
	}},
	{ID: "NG-7", Title: "TRUE to FALSE", Source: "W-TCP", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			s.set(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1)
			s.send(1)
			s.send(2)
			s.set(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 0)
			s.send(3)
			Equal(e, "segments", e.lengths("a", 0), "1 2")
			e.arrive(p, "[.] ack 4")
			Equal(e, "after the ACK", e.lengths("a", 0), "1 2 3")
		})
		e.Notef("the next small write is held")
	}},
	{ID: "NG-8", Title: "a large send and its rest", Source: "RFC 896, C-45", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			s.send(3400)
			Equal(e, "at once", e.lengths("a", 0), "1000 1000 1000")
			e.arrive(p, "[.] ack 3001")
			Equal(e, "after the ACK", e.lengths("a", 0), "1000 1000 1000 400")
		})
		e.Notef("three full segments, 400 bytes on their ACK")
	}},
}

// leastPathMTU: a connection goes no lower, and lets routers cut its packets up.
func leastPathMTU(e *Env) {
	e.playedAs("mss 1400", nil, func(s handle, p *simnet.Peer) {
		s.send(1400)
		first, err := p.Expect("[P.] seq 1:1401 ack 1")
		e.Check(err == nil, "%v", err)
		e.Check(header.IPv4(first.Packet).Flags() == header.IPv4FlagDontFragment, "no DF before")
		e.Net.Sleep(time.Millisecond)
		start := e.Start()
		e.inject(e.wire, e.tooBig(300), first.Packet[:100])
		s.maxSeg(552 - 40)
		Equal(e, "sent again", e.lengths("a", start), "512 512 376")
		ids := map[uint16]bool{}
		for range 3 {
			packet, err := e.wire.Receive(time.Second)
			e.Check(err == nil, "%v", err)
			ip := header.IPv4(packet.Data)
			e.Check(ip.Flags()&header.IPv4FlagDontFragment == 0 && ip.IsChecksumValid(), "DF, or a wrong checksum")
			ids[ip.ID()] = true
		}
		e.Check(len(ids) == 3 && !ids[0], "IDs %v", ids)
	})
	e.Notef("512 bytes a segment after an error with an MTU of 300, without DF and with an ID each")
}

// impossibleMSS is NG-2: a path MTU that no link has.
func impossibleMSS(e *Env) {
	e.playedAs("mss 1400", nil, func(s handle, p *simnet.Peer) {
		for _, no := range e.noMTU() {
			start := e.Start()
			s.send(1400)
			first, err := p.Expect("[P.]")
			e.Check(err == nil, "%v", err)
			before := e.A.Stats().Dropped
			e.inject(e.wire, e.tooBig(no), first.Packet[:100])
			Equal(e, "dropped", e.A.Stats().Dropped-before, 1)
			s.as(fmt.Sprintf("TCP_MAXSEG after an error with %d", no)).maxSeg(1400)
			e.arrive(p, fmt.Sprintf("[.] ack %d", first.Segment.Seq+1400))
			Equal(e, "segments", e.lengths("a", start), "1400")
		}
		gone := e.tooBig(1300) // nothing is in flight
		before := e.A.Stats().Dropped
		e.inject(e.wire, gone, simnet.EncodeIP(e.Addr(1, 0).Addr(), e.Addr(9, 0).Addr(), 6, make([]byte, 20)))
		Equal(e, "an error for a connection that isn't there, dropped", e.A.Stats().Dropped-before, 1)
		start := e.Start()
		s.send(1400)
		Equal(e, "segments", e.lengths("a", start), "1400")
	})
	e.Notef("MTUs %v change nothing, and are dropped and counted", e.noMTU())
}
