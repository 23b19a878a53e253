package simnet_test

import (
	"fmt"
	"io"
	"time"

	"github.com/wsstack/wsstack/simnet"
)

// A recording has the course of each connection, and where its packets went.
func ExampleNetwork_Record() {
	n := simnet.New(nil)
	defer n.Close()
	a, b := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24")
	n.Link(a, b, simnet.Delay(50*time.Millisecond), simnet.From(a, simnet.LossPackets(20)))

	r := n.Record()
	n.Background("server", func() {
		l, _ := b.Listen("tcp", ":80")
		c, _ := l.Accept()
		io.Copy(io.Discard, c)
		c.Close()
	})
	n.Do("client", func() {
		c, _ := a.Dial("tcp", "10.0.0.2:80")
		c.Write(make([]byte, 100_000))
		c.Close()
	})
	n.Advance(2 * time.Minute)

	client := r.Connections()[0]
	state := ""
	for _, s := range client.Samples {
		if s.State != state {
			state = s.State
			fmt.Printf("%v %s: window %d, round trip %v\n", s.At, s.State, s.CongestionWindow, s.SmoothedRTT)
		}
	}
	fmt.Println("sent again:", client.Samples[len(client.Samples)-1].Retransmissions)
	for _, p := range r.Packets() {
		if p.Arrived == simnet.Never {
			fmt.Printf("%v %s to %s, %d bytes: %v\n", p.At, p.From, p.To, p.Size, p.Fate)
		}
	}
	// Output:
	// 0s SYN-SENT: window 0, round trip 0s
	// 100ms ESTABLISHED: window 14600, round trip 100ms
	// 100ms FIN-WAIT-1: window 14600, round trip 100ms
	// 500ms FIN-WAIT-2: window 27594, round trip 100ms
	// 500ms TIME-WAIT: window 27594, round trip 100ms
	// 1m0.5s CLOSED: window 27594, round trip 100ms
	// sent again: 1
	// 200ms a to b, 1500 bytes: lost
}
