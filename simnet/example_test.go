package simnet_test

import (
	"fmt"
	"io"
	"net"
	"time"

	"github.com/wsstack/wsstack/simnet"
)

// Two hosts on a link that loses every tenth packet: the data arrive all the
// same, and the run is the same each time.
func Example_loss() {
	n := simnet.New(nil, simnet.Seed(1)) // in a test: simnet.New(t, …)
	defer n.Close()
	a := n.Host("a", "10.0.0.1/24")
	b := n.Host("b", "10.0.0.2/24")
	l := n.Link(a, b, simnet.Delay(50*time.Millisecond), simnet.Loss(0.1))

	n.Background("echo", func() {
		ln, err := b.Listen("tcp", ":7")
		if err != nil {
			panic(err)
		}
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			n.Background("connection", func() {
				io.Copy(c, c)
				c.Close()
			})
		}
	})
	err := n.Do("client", func() {
		c, err := a.Dial("tcp", "10.0.0.2:7")
		if err != nil {
			panic(err)
		}
		defer c.Close()
		n.Go("writer", func() { c.Write(make([]byte, 100_000)) })
		k, err := io.ReadFull(c, make([]byte, 100_000))
		fmt.Println(k, "bytes came back,", err)
	})
	fmt.Println("run:", err)
	fmt.Println("packets were lost:", l.Stats(a).Lost > 0)
	// Output:
	// 100000 bytes came back, <nil>
	// run: <nil>
	// packets were lost: true
}

// A connection says nothing for two hours, until its keep-alive finds that the
// link is cut. It takes milliseconds.
func Example_silence() {
	n := simnet.New(nil)
	defer n.Close()
	a := n.Host("a", "10.0.0.1/24")
	b := n.Host("b", "10.0.0.2/24")
	l := n.Link(a, b, simnet.Delay(10*time.Millisecond))
	n.Background("server", func() {
		ln, err := b.Listen("tcp", ":80")
		if err == nil {
			ln.Accept()
		}
	})
	var c net.Conn
	n.Do("client", func() {
		c, _ = a.Dial("tcp", "10.0.0.2:80")
		c.(interface{ SetKeepAlive(bool) error }).SetKeepAlive(true)
	})
	before, _ := n.Digest()
	n.Advance(2*time.Hour - time.Minute)
	after, _ := n.Digest()
	fmt.Println("packets in two hours:", after-before)
	l.Partition()
	n.Do("reader", func() {
		_, err := c.Read(make([]byte, 1))
		fmt.Println("read fails:", err != nil)
	})
	fmt.Println("after two hours:", n.Now() > 2*time.Hour)
	// Output:
	// packets in two hours: 0
	// read fails: true
	// after two hours: true
}

// A peer that is played by hand, segment by segment.
func ExampleWire() {
	n := simnet.New(nil)
	defer n.Close()
	a := n.Host("a", "10.0.0.1/24")
	w := n.Wire(a, "peer", "10.0.0.9")
	n.Background("client", func() {
		c, err := a.Dial("tcp", "10.0.0.9:80")
		if err == nil {
			c.Write([]byte("hello"))
			c.Read(make([]byte, 1))
		}
	})
	p := w.Listen(80)
	p.Accept("mss 1460")
	segment, err := p.Expect("[P.] seq 1:6 ack 1")
	fmt.Printf("%q %v\n", segment.Payload, err)
	p.Expect("0.200s [P.] seq 1:6 ack 1") // the same again, because nobody has acknowledged it
	p.Send("[.]")
	fmt.Println(p.ExpectSilence(time.Hour))
	for _, l := range n.Trace() {
		fmt.Println(l.At, l.From, "to", l.To, l.Segment.Flags, l.Segment.Len)
	}
	// Output:
	// "hello" <nil>
	// <nil>
	// 0s a to peer S 0
	// 0s peer to a S. 0
	// 0s a to peer . 0
	// 0s a to peer P. 5
	// 200ms a to peer P. 5
	// 200ms peer to a . 0
}
