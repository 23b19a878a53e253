package stack

import (
	"errors"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	// dnsPayload is the size of an answer by UDP that we take (EDNS0, RFC 6891
	// §6.2.5).
	dnsPayload = 1232

	// dnsAddresses bounds the addresses that are taken from one answer.
	dnsAddresses = 32
)

var (
	errDNSAnswer = errors.New("the answer makes no sense")
	errDNSServer = errors.New("server misbehaving")
)

// dnsName is a name in DNS form, from the root: there is no search list.
func dnsName(name string) (dnsmessage.Name, error) {
	if !strings.HasSuffix(name, ".") {
		name += "."
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		if label == "" || len(label) > 63 {
			return dnsmessage.Name{}, errDNSAnswer
		}
	}
	return dnsmessage.NewName(name)
}

// A dnsQuestion is a question and what is known of its answer. It has no clock
// and no connection.
type dnsQuestion struct {
	id        uint16
	question  dnsmessage.Question
	query     []byte // the message that asks it
	answered  bool
	truncated bool // the answer doesn't fit
	code      dnsmessage.RCode
	addrs     []netip.Addr
}

func newDNSQuestion(id uint16, name dnsmessage.Name, t dnsmessage.Type) dnsQuestion {
	q := dnsQuestion{id: id, question: dnsmessage.Question{Name: name, Type: t, Class: dnsmessage.ClassINET}}
	var opt dnsmessage.ResourceHeader
	opt.SetEDNS0(dnsPayload, dnsmessage.RCodeSuccess, false)
	m := dnsmessage.Message{
		Header:      dnsmessage.Header{ID: id, RecursionDesired: true},
		Questions:   []dnsmessage.Question{q.question},
		Additionals: []dnsmessage.Resource{{Header: opt, Body: &dnsmessage.OPTResource{}}},
	}
	var err error
	if q.query, err = m.Pack(); err != nil {
		panic("stack: a DNS name that was checked: " + err.Error())
	}
	return q
}

// take reads a message, if it is the answer: of this ID, to this question, and
// no record of it broken.
func (q *dnsQuestion) take(b []byte) bool {
	var p dnsmessage.Parser
	h, err := p.Start(b)
	if err != nil || q.answered || !h.Response || h.ID != q.id {
		return false
	}
	asked, err := p.Question()
	if err != nil || asked.Type != q.question.Type || asked.Class != q.question.Class ||
		!strings.EqualFold(asked.Name.String(), q.question.Name.String()) {
		return false
	}
	if p.SkipAllQuestions() != nil {
		return false
	}
	var addrs []netip.Addr
	for !h.Truncated {
		r, err := p.AnswerHeader()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			break
		}
		if err != nil {
			return false
		}
		a, err := q.address(&p, r)
		if err != nil {
			return false
		}
		if isHost(a) && len(addrs) < dnsAddresses {
			addrs = append(addrs, a)
		}
	}
	q.answered, q.truncated, q.code, q.addrs = true, h.Truncated, h.RCode, addrs
	return true
}

// address is that of a record; not valid where the record has none of the kind
// that was asked for: CNAMEs lead to those that do.
func (q *dnsQuestion) address(p *dnsmessage.Parser, r dnsmessage.ResourceHeader) (netip.Addr, error) {
	switch {
	case r.Type != q.question.Type || r.Class != dnsmessage.ClassINET:
		return netip.Addr{}, p.SkipAnswer()
	case r.Type == dnsmessage.TypeA:
		a, err := p.AResource()
		return netip.AddrFrom4(a.A), err
	}
	a, err := p.AAAAResource()
	return netip.AddrFrom16(a.AAAA).Unmap(), err
}

// failure says why an answer is none; a name that doesn't exist is one.
func (q *dnsQuestion) failure() error {
	if !q.answered || q.code == dnsmessage.RCodeSuccess || q.code == dnsmessage.RCodeNameError {
		return nil
	}
	return errDNSServer
}
