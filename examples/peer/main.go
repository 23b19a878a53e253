// A TCP peer played by hand: it closes its window in front of a client, and resets
// the connection when the client asks whether the window is open again.
package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/faketime"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// The flags of a TCP header.
const (
	syn = 2
	rst = 4
	ack = 16
)

var (
	clientAddr = netip.MustParseAddr("10.0.0.1")
	peerAddr   = netip.MustParseAddr("10.0.0.2")
)

// A peer is the other end of one connection of the stack behind device.
type peer struct {
	device  *tun.Func
	packets chan []byte
	seq     uint32 // its next sequence number
	port    uint16 // the client's
	iss     uint32 // the client's first sequence number
	next    uint32 // the client's next sequence number
}

func main() {
	p := &peer{packets: make(chan []byte, 100), seq: 5000}
	p.device = tun.NewFunc(1500, func(packet []byte) { p.packets <- packet })
	clock := faketime.NewManualClock() // nothing is sent again before the program says so
	s, err := stack.New(stack.Config{
		Device: p.device, Addresses: []netip.Prefix{netip.PrefixFrom(clientAddr, 24)}, Clock: clock,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	done := make(chan error)
	go func() { done <- client(s) }()

	p.receive()        // SYN
	p.send(syn|ack, 5) // with a window of five bytes, without options
	p.receive()        // ACK: the handshake is complete
	p.receive()        // five bytes, and no more
	p.send(ack, 0)
	s.Settle()                 // the stack has seen the closed window
	clock.Advance(time.Minute) // it asks after a while
	p.receive()                // a probe of the window
	p.send(rst|ack, 0)
	fmt.Println("client: WSAECONNRESET is", errors.Is(<-done, wsa.WSAECONNRESET))
}

// client sends a greeting and waits for the answer.
func client(s *stack.Stack) error {
	c, err := s.Dial("tcp", netip.AddrPortFrom(peerAddr, 80).String())
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write([]byte("hello, peer")); err != nil {
		return err
	}
	_, err = c.Read(make([]byte, 1))
	return err
}

// receive waits for the client's next segment and prints it with sequence numbers that
// start at 0.
func (p *peer) receive() {
	segment := (<-p.packets)[20:] // behind an IPv4 header
	flags, seq := segment[13], binary.BigEndian.Uint32(segment[4:])
	data := segment[segment[12]>>4*4:]
	if flags&syn != 0 {
		p.port, p.iss, p.next = binary.BigEndian.Uint16(segment), seq, seq+1
	}
	if end := seq + uint32(len(data)); int32(end-p.next) > 0 { // numbers wrap around
		p.next = end
	}
	fmt.Printf("client: %s seq %d %q\n", names(flags), seq-p.iss, data)
}

// send sends a segment without data.
func (p *peer) send(flags byte, window uint16) {
	fmt.Printf("peer:   %s ack %d window %d\n", names(flags), p.next-p.iss, window)
	segment := make([]byte, 20)
	binary.BigEndian.PutUint16(segment, 80)
	binary.BigEndian.PutUint16(segment[2:], p.port)
	binary.BigEndian.PutUint32(segment[4:], p.seq)
	binary.BigEndian.PutUint32(segment[8:], p.next)
	segment[12], segment[13] = 5<<4, flags
	binary.BigEndian.PutUint16(segment[14:], window)
	if flags&syn != 0 {
		p.seq++
	}
	p.device.Inject(simnet.EncodeIP(peerAddr, clientAddr, 6, segment)) // with the checksums
}

// names are the letters of flags, from FIN to URG.
func names(flags byte) (s string) {
	for i, letter := range "FSRPAU" {
		if flags>>i&1 != 0 {
			s += string(letter)
		}
	}
	return s
}
