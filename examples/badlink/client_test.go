// Package badlink tests a client on a link that is slow, loses every tenth packet,
// and is cut in the end.
package badlink

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

func TestClient(t *testing.T) {
	n := simnet.New(t, simnet.Seed(1)) // virtual time: hours pass in milliseconds, every run is the same
	a := n.Host("a", "10.0.0.1/24")
	b := n.Host("b", "10.0.0.2/24")
	link := n.Link(a, b, simnet.Delay(50*time.Millisecond), simnet.Loss(0.1))

	n.Background("server", func() { // sends back what it gets
		l, err := b.Listen("tcp", ":7")
		if err != nil {
			t.Fatal(err)
		}
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(c, c)
	})
	err := n.Do("client", func() {
		c, err := a.Dial("tcp", "10.0.0.2:7")
		if err != nil {
			t.Fatal(err)
		}
		n.Go("writer", func() { c.Write(make([]byte, 100_000)) })
		if _, err := io.ReadFull(c, make([]byte, 100_000)); err != nil {
			t.Error(err)
		}
		link.Partition() // the cable is cut
		c.Write([]byte("is anybody there?"))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, wsa.WSAECONNABORTED) {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(n.TraceText()) // one line per segment
}
