package conform

import (
	"fmt"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

func init() {
	ngScenarios = append(ngScenarios,
		Scenario{ID: "NG-2", Title: "a peer's MSS below the floor", Source: "design, RFC 9293 3.7.1", Run: func(e *Env) { leastMSS(e, 0, 48) }},
		Scenario{ID: "NG-2", Title: "a peer's MSS below another floor", Source: "design, RFC 9293 3.7.1", Run: func(e *Env) { leastMSS(e, 200, 200) }},
		Scenario{ID: "NG-2", Title: "a path MTU below the floor", Source: "design, RFC 1191", Once: true, Run: leastPathMTU})
}

// leastMSS: a client, and a server.
func leastMSS(e *Env, floor uint16, want int) {
	e.Config = func(c *stack.Config) { c.MinMSS = floor }
	e.playedAs("mss 20", nil, func(s wsa.SOCKET, _ *simnet.Peer) {
		e.send(s, 2*want)
		Equal(e, "segments of a client", e.lengths("a", 0), fmt.Sprint(want, " ", want))
		e.Net.Sleep(time.Millisecond)
		p, start := e.wire.Connect(e.Addr(1, 80).String()), e.Start()
		l := e.Listener(e.P, 80)
		p.Send("[S] <mss 20>")
		_, err := p.Expect("[S.]")
		e.Check(err == nil, "%v", err)
		p.Send("[.] ack 1")
		c, _, err := e.P.Accept(l)
		e.Code("Accept", err, 0)
		e.send(c, 2*want)
		Equal(e, "segments of a server", e.lengths("a", start), fmt.Sprint(want, " ", want))
		Equal(e, "TCP_MAXSEG", e.Get(e.P, c, wsa.IPPROTO_TCP, wsa.TCP_MAXSEG), uint32(want))
		e.resetAll(c, s)
	})
	e.Notef("segments of %d bytes to a peer whose SYN said 20", want)
}

// resetAll closes sockets of A hard.
func (e *Env) resetAll(sockets ...wsa.SOCKET) {
	for _, s := range sockets {
		e.Linger(e.P, s, 0)
		e.Code("CloseSocket", e.P.CloseSocket(s), 0)
	}
}

// leastPathMTU: a connection goes no lower, and lets routers cut its packets up.
func leastPathMTU(e *Env) {
	e.playedAs("mss 1400", nil, func(s wsa.SOCKET, p *simnet.Peer) {
		e.send(s, 1400)
		first, err := p.Expect("[P.] seq 1:1401 ack 1")
		e.Check(err == nil, "%v", err)
		e.Check(header.IPv4(first.Packet).Flags() == header.IPv4FlagDontFragment, "no DF before")
		e.Net.Sleep(time.Millisecond)
		start := e.Start()
		e.inject(e.wire, e.tooBig(300), first.Packet[:100])
		Equal(e, "TCP_MAXSEG", e.Get(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_MAXSEG), 552-40)
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
