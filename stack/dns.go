package stack

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/wsstack/wsstack/internal/wait"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/wsa"
)

// How name servers are asked: what resolv.conf(5) has as defaults.
const (
	dnsTimeout  = 5 * time.Second // for each server, each time
	dnsAttempts = 2               // rounds through the servers

	// resolutionDelay is how long a lookup that has IPv4 addresses waits for
	// IPv6 ones, the Resolution Delay of RFC 8305 §3.
	resolutionDelay = 50 * time.Millisecond
)

// askServers asks Config.Nameservers in order, over the stack and on its clock:
// each for the AAAA and the A records at once, by UDP, and by TCP what comes
// truncated. A server that doesn't answer, or not with an answer, is followed by
// the next one.
//
// This isn't package net's Resolver: that has the time of the system, goroutines
// of its own, which virtual time doesn't know, and reads the system's hosts file
// and search list first.
func (s *Stack) askServers(ctx context.Context, name string) ([]netip.Addr, error) {
	fqdn, err := dnsName(name)
	if err != nil {
		return nil, noSuchHost(name, "")
	}
	var failure *net.DNSError
	for range dnsAttempts {
		for _, server := range s.cfg.Nameservers {
			l := &dnsLookup{stack: s, server: server, name: name}
			switch err := l.run(ctx, fqdn); {
			case ctx.Err() != nil:
				return nil, ctx.Err()
			case err != nil:
				failure = err
			case len(l.addrs) > 0:
				return l.addrs, nil
			default:
				return nil, noSuchHost(name, server.String())
			}
		}
	}
	return nil, failure
}

// A dnsLookup asks one server for one name.
type dnsLookup struct {
	stack     *Stack
	server    netip.AddrPort
	name      string
	questions [2]dnsQuestion // AAAA and A
	addrs     []netip.Addr   // IPv6 first
}

// run leaves the addresses in addrs: none are an answer, too.
func (l *dnsLookup) run(ctx context.Context, fqdn dnsmessage.Name) *net.DNSError {
	for i, t := range []dnsmessage.Type{dnsmessage.TypeAAAA, dnsmessage.TypeA} {
		l.questions[i] = newDNSQuestion(l.stack.dnsID(), fqdn, t)
	}
	c, err := l.stack.DialContext(ctx, "udp", l.server.String())
	if err != nil {
		return l.fail(err)
	}
	defer c.Close()
	udp := c.(*endpoint.PacketConn)
	// A server that isn't there is worth knowing at once.
	_, err = udp.Ioctl(wsa.SIO_UDP_CONNRESET, []byte{1, 0, 0, 0}, nil)
	if err != nil {
		return l.fail(err)
	}
	clock := l.stack.clock
	udp.SetReadDeadline(clock.Now().Add(dnsTimeout))
	defer wait.AfterDone(ctx, func() { udp.SetReadDeadline(clock.Now()) })()
	for i := range l.questions {
		if _, err := udp.Write(l.questions[i].query); err != nil {
			return l.fail(err)
		}
	}
	if err := l.receive(ctx, udp); err != nil {
		return l.fail(err)
	}
	for i := range l.questions {
		q := &l.questions[i]
		if q.truncated {
			if err := l.askTCP(ctx, q); err != nil {
				return l.fail(err)
			}
		}
		if err := q.failure(); err != nil && len(l.questions[0].addrs)+len(l.questions[1].addrs) == 0 {
			return l.fail(err)
		}
		l.addrs = append(l.addrs, q.addrs...)
	}
	return nil
}

// receive waits for the answers to both questions.
func (l *dnsLookup) receive(ctx context.Context, c *endpoint.PacketConn) error {
	b := make([]byte, 2*dnsPayload)
	aaaa, a := &l.questions[0], &l.questions[1]
	for !aaaa.answered || !a.answered {
		n, err := c.Read(b)
		switch {
		case errors.Is(err, wsa.WSAEMSGSIZE):
			continue // more than we said we take
		case errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil && len(aaaa.addrs)+len(a.addrs) > 0:
			return nil // one family is better than none (RFC 8305 §3)
		case err != nil:
			return err
		}
		taken := aaaa.take(b[:n]) || a.take(b[:n])
		if taken && a.answered && !aaaa.answered && len(a.addrs) > 0 && ctx.Err() == nil {
			c.SetReadDeadline(l.stack.clock.Now().Add(resolutionDelay))
		}
	}
	return nil
}

// askTCP asks a question again over TCP (RFC 7766): the answer was too long for
// a datagram.
func (l *dnsLookup) askTCP(ctx context.Context, q *dnsQuestion) error {
	q.answered, q.truncated = false, false
	c, err := l.stack.DialContext(ctx, "tcp", l.server.String())
	if err != nil {
		return err
	}
	defer c.Close()
	clock := l.stack.clock
	c.SetDeadline(clock.Now().Add(dnsTimeout))
	defer wait.AfterDone(ctx, func() { c.SetDeadline(clock.Now()) })()
	message := binary.BigEndian.AppendUint16(nil, uint16(len(q.query)))
	if _, err := c.Write(append(message, q.query...)); err != nil {
		return err
	}
	b := make([]byte, 2, 1<<16)
	if _, err := io.ReadFull(c, b); err != nil {
		return err
	}
	b = b[:binary.BigEndian.Uint16(b)]
	if _, err := io.ReadFull(c, b); err != nil {
		return err
	}
	if !q.take(b) || q.truncated {
		return errDNSAnswer
	}
	return nil
}

// fail is the error of a server that was of no use.
func (l *dnsLookup) fail(err error) *net.DNSError {
	e := &net.DNSError{UnwrapErr: err, Err: err.Error(), Name: l.name, Server: l.server.String(), IsTemporary: true}
	e.IsTimeout = errors.Is(err, os.ErrDeadlineExceeded)
	return e
}

// dnsID is an ID that nobody guesses.
func (s *Stack) dnsID() uint16 {
	rng := s.ns.SecureRNG()
	return rng.Uint16()
}
