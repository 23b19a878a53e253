// Two hosts behind a switch and a router that translates addresses, and a server
// behind a slow link: what happened there is written as a page.
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/wsstack/wsstack/simnet"
)

func main() {
	n := simnet.New(nil) // virtual time; the same in each run
	defer n.Close()
	phone, laptop := n.Host("phone", "192.168.0.2/24"), n.Host("laptop", "192.168.0.3/24")
	server := n.Host("server", "203.0.113.1/24")
	lan, home := n.Switch("lan"), n.Router("home")
	n.Link(phone, lan, simnet.Delay(2*time.Millisecond), simnet.Jitter(time.Millisecond))
	n.Link(laptop, lan)
	n.Link(lan, home, simnet.Addresses(home, "192.168.0.1/24"))
	n.Link(home, server, simnet.Addresses(home, "203.0.113.2/24"),
		simnet.NAT(home, simnet.NATConfig{}),
		simnet.Delay(20*time.Millisecond),
		simnet.From(home, simnet.Rate(10_000_000, 0), simnet.CoDel(0, 0)))

	recording := n.Record()
	n.Background("server", func() {
		l, err := server.Listen("tcp", ":80")
		if err != nil {
			log.Fatal(err)
		}
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n.Background("connection", func() {
				size, err := io.Copy(io.Discard, c)
				fmt.Println("from", c.RemoteAddr(), "came", size, "bytes", err)
			})
		}
	})
	for _, h := range []*simnet.Host{phone, laptop} {
		n.Go(h.Name(), func() {
			c, err := h.Dial("tcp", "203.0.113.1:80")
			if err != nil {
				log.Fatal(err)
			}
			c.Write(make([]byte, 200_000))
			c.Close()
		})
	}
	if err := n.Run(); err != nil {
		log.Fatal(err)
	}
	n.Advance(10 * time.Second) // what is on its way arrives
	fmt.Println("at the end it was", n.Now())

	page, err := os.Create("topology.html")
	if err != nil {
		log.Fatal(err)
	}
	defer page.Close()
	if err := recording.WriteHTML(page); err != nil {
		log.Fatal(err)
	}
	fmt.Println("topology.html has the segments and diagrams")
}
