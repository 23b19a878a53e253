// Package badlink tests a client on a link that is slow, loses every tenth packet,
// and is cut in the end.
package badlink

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

func TestClient(t *testing.T) {
	trace := run(t)
	t.Log(trace) // one line per segment
	if run(t) != trace {
		t.Error("the second run had other segments than the first")
	}
}

// run has a client get back what it sends, until the cable is cut, and returns the trace.
func run(t *testing.T) string {
	n := simnet.New(t, simnet.Seed(1)) // virtual time: hours pass in milliseconds
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
	n.Do("client", func() {
		c, err := a.Dial("tcp", "10.0.0.2:7")
		if err != nil {
			t.Fatal(err)
		}
		sent, got := bytes.Repeat([]byte("wsstack "), 10_000), make([]byte, 80_000)
		n.Go("writer", func() { c.Write(sent) })
		if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(sent, got) {
			t.Errorf("the echo differs, or has ended: %v", err)
		}
		if link.Stats(a).Lost == 0 {
			t.Error("the link has lost nothing")
		}
		link.Partition() // the cable is cut
		c.Write([]byte("is anybody there?"))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, wsa.WSAECONNABORTED) {
			t.Error(err)
		}
	})
	return n.TraceText()
}
