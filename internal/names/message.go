package names

import (
	"errors"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	// plainSize is the longest answer by UDP to who doesn't say more (RFC 1035 §4.2.1).
	plainSize = 512

	// maxSize is the longest answer by UDP at all: no packet of it is ever cut up, which also
	// bounds what a small question can make this server send (DNS flag day 2020).
	maxSize = 1232

	// streamSize is the longest message of TCP (RFC 7766 §8).
	streamSize = 65535

	// maxQuery is the longest question that is read. One with its options is far shorter.
	maxQuery = 4096

	// ttl is how long an answer about the network's own names may be kept, in seconds. The names
	// stay as long as the network does.
	ttl = 60

	badVersion = dnsmessage.RCode(16) // RFC 6891 §9
)

// A query is a question as it was read.
type query struct {
	header   dnsmessage.Header
	question dnsmessage.Question
	edns     bool // it has an OPT record (RFC 6891)
	size     int  // the longest answer that may be sent
	dnssec   bool // the bit DO (RFC 3225)
}

// name is what is asked for, as a Zone writes it.
func (q *query) name() string {
	return strings.ToLower(strings.TrimSuffix(q.question.Name.String(), "."))
}

// parseQuery reads a question. Ok is false where nothing may be answered: to an answer, lest two
// servers talk for ever, and to what hasn't even a header. A code other than success is the answer
// to a message that isn't a question which this server understands.
func parseQuery(message []byte, stream bool) (q query, code dnsmessage.RCode, ok bool) {
	var p dnsmessage.Parser
	var err error
	if q.header, err = p.Start(message); err != nil || q.header.Response {
		return query{}, 0, false
	}
	q.size = plainSize
	if stream {
		q.size = streamSize
	}
	if q.header.OpCode != 0 {
		return q, dnsmessage.RCodeNotImplemented, true
	}
	question, err := p.Question()
	if err != nil {
		return q, dnsmessage.RCodeFormatError, true
	}
	if _, err = p.Question(); !errors.Is(err, dnsmessage.ErrSectionDone) {
		return q, dnsmessage.RCodeFormatError, true // of one question at a time (RFC 9619)
	}
	q.question = question
	if p.SkipAllAnswers() != nil || p.SkipAllAuthorities() != nil {
		return q, dnsmessage.RCodeFormatError, true
	}
	return q, q.parseOptions(&p, stream), true
}

// parseOptions looks for the OPT record among the additional ones.
func (q *query) parseOptions(p *dnsmessage.Parser, stream bool) dnsmessage.RCode {
	for {
		h, err := p.AdditionalHeader()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			return dnsmessage.RCodeSuccess
		}
		if err != nil || p.SkipAdditional() != nil {
			return dnsmessage.RCodeFormatError
		}
		if h.Type != dnsmessage.TypeOPT {
			continue
		}
		if q.edns || h.Name.String() != "." { // RFC 6891 §6.1.1
			return dnsmessage.RCodeFormatError
		}
		q.edns, q.dnssec = true, h.DNSSECAllowed()
		if !stream {
			q.size = min(max(int(h.Class), plainSize), maxSize)
		}
		if h.TTL>>16&0xff != 0 {
			return badVersion
		}
	}
}

// A verdict is what a Zone has to say about a question.
type verdict int

const (
	known   verdict = iota // it has the answer, which may be that there is none
	unknown                // somebody else may have it
)

// answer returns the answer of a Zone to a question.
func (z *Zone) answer(q *query) (reply []byte, v verdict) {
	switch q.question.Class {
	case dnsmessage.ClassINET:
	default:
		return q.reply(dnsmessage.RCodeRefused, nil), known
	}
	name := q.name()
	switch q.question.Type {
	case dnsmessage.TypeAXFR, 251, dnsmessage.TypeOPT: // 251: IXFR
		return q.reply(dnsmessage.RCodeRefused, nil), known
	case dnsmessage.TypeALL:
		// Who asks by UDP may not be who the packet says, and has to ask by TCP (RFC 8482).
		if q.size != streamSize {
			return q.truncated(), known
		}
	}
	if address, ok := reversed(name); ok {
		return z.answerReverse(q, address)
	}
	addresses, found := z.lookup(name)
	switch {
	case found:
		return q.reply(dnsmessage.RCodeSuccess, q.resources(addresses)), known
	case isPrivate(name):
		return q.reply(dnsmessage.RCodeNameError, nil), known
	}
	return nil, unknown
}

func (z *Zone) answerReverse(q *query, address netip.Addr) ([]byte, verdict) {
	names, ours := z.reverse(address)
	if !ours {
		return nil, unknown
	}
	if len(names) == 0 {
		return q.reply(dnsmessage.RCodeNameError, nil), known
	}
	var list []dnsmessage.Resource
	if q.wants(dnsmessage.TypePTR) {
		for _, name := range names {
			if target, err := dnsmessage.NewName(name + "."); err == nil {
				list = append(list, q.resource(dnsmessage.TypePTR, &dnsmessage.PTRResource{PTR: target}))
			}
		}
	}
	return q.reply(dnsmessage.RCodeSuccess, list), known
}

// answerAlone is the answer to what a Zone doesn't know where there is nobody else to ask: the
// network is all that there is.
func (z *Zone) answerAlone(q *query) []byte {
	if z.exists(q.name()) {
		return q.reply(dnsmessage.RCodeSuccess, nil)
	}
	return q.reply(dnsmessage.RCodeNameError, nil)
}

func (q *query) wants(t dnsmessage.Type) bool {
	return q.question.Type == t || q.question.Type == dnsmessage.TypeALL
}

func (q *query) resources(addresses []netip.Addr) (list []dnsmessage.Resource) {
	for _, a := range addresses {
		switch {
		case a.Is4() && q.wants(dnsmessage.TypeA):
			list = append(list, q.resource(dnsmessage.TypeA, &dnsmessage.AResource{A: a.As4()}))
		case a.Is6() && q.wants(dnsmessage.TypeAAAA):
			list = append(list, q.resource(dnsmessage.TypeAAAA, &dnsmessage.AAAAResource{AAAA: a.As16()}))
		}
	}
	return list
}

func (q *query) resource(t dnsmessage.Type, body dnsmessage.ResourceBody) dnsmessage.Resource {
	return dnsmessage.Resource{
		Header: dnsmessage.ResourceHeader{Name: q.question.Name, Type: t, Class: dnsmessage.ClassINET, TTL: ttl},
		Body:   body,
	}
}

// reply writes an answer. One that is too long for who asks is left away, and marked so that it is
// asked for by TCP.
func (q *query) reply(code dnsmessage.RCode, answers []dnsmessage.Resource) []byte {
	m := dnsmessage.Message{
		Header: dnsmessage.Header{
			ID: q.header.ID, Response: true, OpCode: q.header.OpCode, RCode: code & 0xf,
			Authoritative:      code == dnsmessage.RCodeSuccess || code == dnsmessage.RCodeNameError,
			RecursionDesired:   q.header.RecursionDesired,
			RecursionAvailable: true, CheckingDisabled: q.header.CheckingDisabled,
		},
		Answers: answers,
	}
	if q.question.Name.Length != 0 {
		m.Questions = []dnsmessage.Question{q.question}
	}
	if q.edns {
		var h dnsmessage.ResourceHeader
		if h.SetEDNS0(maxSize, code, q.dnssec) == nil {
			m.Additionals = []dnsmessage.Resource{{Header: h, Body: &dnsmessage.OPTResource{}}}
		}
	}
	text, err := m.Pack()
	if err == nil && len(text) <= q.size {
		return text
	}
	m.Truncated, m.Answers = true, nil
	text, _ = m.Pack() // the question was packed before it came
	return text
}

// truncated is the answer that sends who asks to TCP.
func (q *query) truncated() []byte {
	text := q.reply(dnsmessage.RCodeSuccess, nil)
	text[2] = text[2]&^0x04 | 0x02 // TC, and nothing authoritative
	return text
}
