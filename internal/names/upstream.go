package names

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Times of questions to the machine's resolver. A program that asks waits for 5 s in most systems,
// and shall get an answer before.
const (
	wholeTimeout  = 4500 * time.Millisecond
	serverTimeout = 2 * time.Second // of each server but the last
)

// An Upstream is the resolver of the machine: the name servers of its resolv.conf, one after the
// other, systemd-resolved's among them. It is safe for concurrent use.
//
// It asks as this process, so it reaches servers on the machine's loopback. Each question is
// written anew and each goes out from a port of its own with a number of its own (RFC 5452), and
// what isn't the answer to it is ignored.
type Upstream struct {
	// Servers tells which name servers there are; nil means those of /etc/resolv.conf, which is
	// read again when it has changed.
	Servers func() []netip.AddrPort

	// Dial opens a connection to a server; nil means as package net does.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	file hostFile
}

var (
	errNoServer = errors.New("there is no name server to ask")
	errAnswer   = errors.New("the answer of the name server makes no sense")
)

// exchange asks the machine's name servers, and returns the answer as it is to be sent. Servers in
// skip aren't asked: they are this one.
func (u *Upstream) exchange(ctx context.Context, q *query, stream bool, skip func(netip.Addr) bool) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, wholeTimeout)
	defer cancel()
	var second []byte // what a server said that couldn't help
	err := errNoServer
	servers := u.servers(skip)
	for i, server := range servers {
		var reply []byte
		var code dnsmessage.RCode
		reply, code, err = u.ask(ctx, server, q, stream, i == len(servers)-1)
		switch {
		case ctx.Err() != nil && err != nil:
			return second, err
		case err != nil:
		case code == dnsmessage.RCodeSuccess, code == dnsmessage.RCodeNameError:
			return reply, nil
		default:
			second = reply
		}
	}
	if second != nil {
		err = nil
	}
	return second, err
}

func (u *Upstream) servers(skip func(netip.Addr) bool) (list []netip.AddrPort) {
	all := u.file.servers
	if u.Servers != nil {
		all = u.Servers
	}
	for _, s := range all() {
		if !skip(s.Addr().Unmap().WithZone("")) {
			list = append(list, s)
		}
	}
	return list
}

// ask asks one server.
func (u *Upstream) ask(ctx context.Context, server netip.AddrPort, q *query, stream, last bool) ([]byte, dnsmessage.RCode, error) {
	if !last {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, serverTimeout)
		defer cancel()
	}
	network := "udp"
	if stream {
		network = "tcp"
	}
	dial := u.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	c, err := dial(ctx, network, server.String())
	if err != nil {
		return nil, 0, fmt.Errorf("ask %v: %w", server, err)
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) }) // the past
	defer stop()
	id := uint16(rand.Uint32())
	message, err := q.anew(id)
	if err != nil {
		return nil, 0, err
	}
	talk := talkPacket
	if stream {
		talk = talkStream
	}
	reply, code, err := talk(c, message, q, id)
	if err != nil {
		return nil, 0, fmt.Errorf("ask %v: %w", server, err)
	}
	return reply, code, nil
}

// talkPacket asks by UDP, and goes on reading until the answer has come.
func talkPacket(c net.Conn, message []byte, q *query, id uint16) ([]byte, dnsmessage.RCode, error) {
	if _, err := c.Write(message); err != nil {
		return nil, 0, err
	}
	buf := make([]byte, maxSize+1)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return nil, 0, err
		}
		if reply, code, ok := q.accept(buf[:n], id); ok {
			return reply, code, nil
		}
	}
}

// talkStream asks by TCP.
func talkStream(c net.Conn, message []byte, q *query, id uint16) ([]byte, dnsmessage.RCode, error) {
	if _, err := c.Write(withLength(message)); err != nil {
		return nil, 0, err
	}
	var length [2]byte
	if _, err := io.ReadFull(c, length[:]); err != nil {
		return nil, 0, err
	}
	buf := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(c, buf); err != nil {
		return nil, 0, err
	}
	reply, code, ok := q.accept(buf, id)
	if !ok {
		return nil, 0, errAnswer
	}
	return reply, code, nil
}

// withLength is a message as TCP carries it (RFC 1035 §4.2.2).
func withLength(message []byte) []byte {
	out := make([]byte, 0, 2+len(message))
	return append(binary.BigEndian.AppendUint16(out, uint16(len(message))), message...)
}

// anew writes the question for another server. Nothing of the message that brought it is passed on
// but the question itself and three bits. There is an OPT record where there was one, so that an
// answer fits whoever asks in both its size and its form.
func (q *query) anew(id uint16) ([]byte, error) {
	m := dnsmessage.Message{
		Header: dnsmessage.Header{
			ID: id, RecursionDesired: true,
			AuthenticData: q.header.AuthenticData, CheckingDisabled: q.header.CheckingDisabled,
		},
		Questions: []dnsmessage.Question{q.question},
	}
	if q.edns {
		var h dnsmessage.ResourceHeader
		if err := h.SetEDNS0(min(q.size, maxSize), dnsmessage.RCodeSuccess, q.dnssec); err != nil {
			return nil, err
		}
		m.Additionals = []dnsmessage.Resource{{Header: h, Body: &dnsmessage.OPTResource{}}}
	}
	return m.Pack()
}

// accept makes the answer of a name server ours. Ok is false where it is none to this question, or
// can't be read to its end.
func (q *query) accept(message []byte, id uint16) (reply []byte, code dnsmessage.RCode, ok bool) {
	var p dnsmessage.Parser
	h, err := p.Start(message)
	if err != nil || h.ID != id || !h.Response || h.OpCode != 0 {
		return nil, 0, false
	}
	question, err := p.Question()
	if err != nil || !q.same(question) || p.SkipAllQuestions() != nil {
		return nil, 0, false
	}
	whole := p.SkipAllAnswers() == nil && p.SkipAllAuthorities() == nil && p.SkipAllAdditionals() == nil
	cut := h.Truncated || q.size != streamSize && len(message) > maxSize // it didn't fit into the buffer
	if !whole && !cut {
		return nil, 0, false
	}
	if !whole || len(message) > q.size {
		return q.truncated(), h.RCode, true
	}
	reply = append([]byte(nil), message...)
	binary.BigEndian.PutUint16(reply, q.header.ID)
	// The name in capital and small letters as it was asked for, which some compare. It stands
	// behind the header in both messages, and is as long in the one as in the other.
	copy(reply[12:], packName(q.question.Name))
	reply[2] = reply[2]&^0x01 | recursionDesired(q.header)
	return reply, h.RCode, true
}

func (q *query) same(other dnsmessage.Question) bool {
	return other.Type == q.question.Type && other.Class == q.question.Class &&
		strings.EqualFold(other.Name.String(), q.question.Name.String())
}

func recursionDesired(h dnsmessage.Header) byte {
	if h.RecursionDesired {
		return 1
	}
	return 0
}

// packName is a name as a message without compression has it.
func packName(name dnsmessage.Name) []byte {
	m := dnsmessage.Message{Questions: []dnsmessage.Question{{Name: name, Type: 1, Class: 1}}}
	packed, err := m.Pack()
	if err != nil {
		return nil
	}
	return packed[12 : len(packed)-4]
}
