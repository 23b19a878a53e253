package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"github.com/wsstack/wsstack/internal/status"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// Ports of the services, from the RFC of each.
const (
	portEcho    = 7  // RFC 862
	portDiscard = 9  // RFC 863
	portChargen = 19 // RFC 864
	portStatus  = 80
)

// The bounds of a service: connections beyond maxConns wait in the accept queue, and a peer that
// neither sends nor reads for idleTimeout is dropped.
const (
	maxConns    = 128
	idleTimeout = 2 * time.Minute
)

// host is the part of a stack that the services need.
type host interface {
	Listen(network, address string) (net.Listener, error)
	ListenPacket(network, address string) (net.PacketConn, error)
	status.Stack
}

var _ host = (*stack.Stack)(nil)

// services are the servers on a stack.
type services struct {
	status *http.Server
	wg     sync.WaitGroup
}

// serve starts the services: over TCP on every address, over UDP on those
// given. A datagram socket per address answers from the address that was asked;
// one for all of them couldn't know it.
//
// The services end when their sockets are closed, by Stack.Close; wait then.
func serve(h host, addresses []netip.Addr) (*services, error) {
	s := &services{status: status.NewServer(pageOf(h))}
	streams := []struct {
		port  int
		serve func(net.Listener)
	}{
		{portEcho, s.accept(echo)},
		{portDiscard, s.accept(discard)},
		{portChargen, s.accept(chargen)},
		{portStatus, func(l net.Listener) { _ = s.status.Serve(l) }}, // always an error: closed
	}
	for _, t := range streams {
		l, err := h.Listen("tcp", fmt.Sprintf(":%d", t.port))
		if err != nil {
			return nil, err
		}
		s.wg.Go(func() { t.serve(netutil.LimitListener(l, maxConns)) }) // ends with the socket
	}
	datagrams := []struct {
		port  uint16
		reply func([]byte) []byte
	}{
		{portEcho, func(b []byte) []byte { return b }},
		{portDiscard, func([]byte) []byte { return nil }},
		{portChargen, func([]byte) []byte { return characters[:rand.IntN(maxChargenDatagram+1)] }},
	}
	for _, d := range datagrams {
		for _, a := range addresses {
			c, err := h.ListenPacket("udp", netip.AddrPortFrom(a, d.port).String())
			if err != nil {
				return nil, err
			}
			s.wg.Go(func() { answer(c, d.reply) }) // ends with the socket
		}
	}
	return s, nil
}

// wait returns when all services have ended.
func (s *services) wait() {
	_ = s.status.Close()
	s.wg.Wait()
}

// accept returns a loop that runs handle for each connection, and closes the
// connection after it.
func (s *services) accept(handle func(net.Conn)) func(net.Listener) {
	return func(l net.Listener) {
		for {
			c, err := l.Accept()
			if err != nil {
				if !goesOn(err) {
					return
				}
				continue
			}
			s.wg.Go(func() { // ends with the connection
				defer c.Close()
				handle(impatient{c})
			})
		}
	}
}

// goesOn reports whether a server goes on after an error, which it does unless its socket is
// closed. goesOn waits a little, so that an error that lasts doesn't make a busy loop.
func goesOn(err error) bool {
	if errors.Is(err, net.ErrClosed) || errors.Is(err, wsa.WSAENETDOWN) {
		return false
	}
	time.Sleep(5 * time.Millisecond)
	return true
}

// echo sends back what it gets (RFC 862).
func echo(c net.Conn) { _, _ = io.Copy(c, c) }

// discard reads and does nothing else (RFC 863).
func discard(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// chargen sends characters until the peer ends the connection, whatever the
// peer sends (RFC 864). A peer that has only shut down its own direction goes on
// reading.
func chargen(c net.Conn) {
	var reader sync.WaitGroup
	reader.Go(func() { discard(c) }) // ends when c is closed
	for {
		if _, err := c.Write(characters); err != nil {
			break
		}
	}
	_ = c.Close() // for the reader, if the writer timed out
	reader.Wait()
}

// maxChargenDatagram is the most characters in an answer: "a random number
// (between 0 and 512)".
const maxChargenDatagram = 512

// characters is one round of the pattern that RFC 864 proposes: lines of 72
// printable characters, each line starting one character later. After 95 lines
// it begins again.
var characters = func() []byte {
	const first, count, width = ' ', 95, 72
	var b []byte
	for line := range count {
		for column := range width {
			b = append(b, byte(first+(line+column)%count))
		}
		b = append(b, '\r', '\n')
	}
	return b
}()

// answer serves datagrams: one reply for each, none where reply gives nil.
func answer(c net.PacketConn, reply func([]byte) []byte) {
	defer c.Close()
	buf := make([]byte, 65535)
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			if !goesOn(err) {
				return
			}
			continue
		}
		out := reply(buf[:n])
		if out == nil || !mayAnswer(from) {
			continue
		}
		// The sender may be gone; that is no concern of ours.
		_, _ = c.WriteTo(out, from)
	}
}

// mayAnswer refuses senders on well-known ports. Such a sender may be a server that answers the
// answer, and two of those never stop (CERT CA-1996-01).
func mayAnswer(from net.Addr) bool {
	a, ok := from.(*net.UDPAddr)
	return ok && a.Port >= 1024
}

// impatient is a connection with the time-out idleTimeout for each read and each write.
type impatient struct{ net.Conn }

func (c impatient) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(idleTimeout)); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

func (c impatient) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(idleTimeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}
