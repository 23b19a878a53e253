package names

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

// zone is the Zone of these tests.
func zone(t testing.TB, hosts ...string) *Zone {
	t.Helper()
	var list []Host
	for _, text := range hosts {
		h, err := ParseHost(text)
		require.NoError(t, err)
		list = append(list, h)
	}
	z, err := NewZone(list, []netip.Prefix{netip.MustParsePrefix("10.77.0.0/24"), netip.MustParsePrefix("fd77::/64")})
	require.NoError(t, err)
	return z
}

// pack writes a question; change may make something else of it.
func pack(t testing.TB, name string, typ dnsmessage.Type, change ...func(*dnsmessage.Message)) []byte {
	t.Helper()
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 77, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: typ, Class: dnsmessage.ClassINET}},
	}
	for _, f := range change {
		f(&m)
	}
	text, err := m.Pack()
	require.NoError(t, err)
	return text
}

// edns adds an OPT record.
func edns(size int, ttl uint32) func(*dnsmessage.Message) {
	return func(m *dnsmessage.Message) {
		m.Additionals = append(m.Additionals, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName("."), Type: dnsmessage.TypeOPT, Class: dnsmessage.Class(size), TTL: ttl},
			Body:   &dnsmessage.OPTResource{Options: []dnsmessage.Option{{Code: 10, Data: make([]byte, 8)}}},
		})
	}
}

// answerOf is what a Server without an Upstream answers.
func answerOf(z *Zone, message []byte, stream bool) []byte {
	s := Server{cfg: Config{Zone: z}}
	q, reply := s.local(message, stream)
	if q != nil {
		panic("there is nobody else to ask")
	}
	return reply
}

// describe is an answer in one line.
func describe(t testing.TB, reply []byte) string {
	t.Helper()
	if reply == nil {
		return "nothing"
	}
	var m dnsmessage.Message
	require.NoError(t, m.Unpack(reply))
	require.True(t, m.Response)
	require.EqualValues(t, 77, m.ID)
	words := []string{strings.TrimPrefix(m.RCode.String(), "RCode")}
	for flag, set := range map[string]bool{"TC": m.Truncated} {
		if set {
			words = append(words, flag)
		}
	}
	for _, a := range m.Answers {
		require.Equal(t, m.Questions[0].Name, a.Header.Name)
		switch body := a.Body.(type) {
		case *dnsmessage.AResource:
			words = append(words, netip.AddrFrom4(body.A).String())
		case *dnsmessage.AAAAResource:
			words = append(words, netip.AddrFrom16(body.AAAA).String())
		case *dnsmessage.PTRResource:
			words = append(words, body.PTR.String())
		default:
			words = append(words, fmt.Sprintf("%T", body))
		}
	}
	for _, a := range m.Additionals {
		words = append(words, fmt.Sprintf("OPT/%d/%#x", a.Header.Class, a.Header.TTL))
	}
	return strings.Join(words, " ")
}

func TestAnswers(t *testing.T) {
	z := zone(t, "web.test=10.77.0.1,fd77::1", "v4=10.77.0.2", "*.wild=10.77.0.3", "x.wild=10.77.0.4", "also.test=10.77.0.1", "many="+manyAddresses(32), "some="+manyAddresses(12))
	six := "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.7.7.d.f.ip6.arpa."
	for _, tt := range []struct {
		name, want string
		message    []byte
	}{
		{"A", "Success 10.77.0.1", pack(t, "web.test.", dnsmessage.TypeA)},
		{"capital letters", "Success fd77::1", pack(t, "WEB.tEST.", dnsmessage.TypeAAAA)},
		{"no address of the family", "Success", pack(t, "v4.", dnsmessage.TypeAAAA)},
		{"another type", "Success", pack(t, "v4.", dnsmessage.TypeHTTPS)},
		{"what names end in", "Success", pack(t, "test.", dnsmessage.TypeA)},
		{"no such name", "NameError", pack(t, "web.", dnsmessage.TypeA)},
		{"the root", "NameError", pack(t, ".", dnsmessage.TypeNS)},
		{"a wildcard", "Success 10.77.0.3", pack(t, "a.b.wild.", dnsmessage.TypeA)},
		{"beside a wildcard", "Success 10.77.0.4", pack(t, "x.wild.", dnsmessage.TypeA)},
		{"below a wildcard", "Success", pack(t, "wild.", dnsmessage.TypeA)},
		{"localhost", "Success 127.0.0.1", pack(t, "a.localhost.", dnsmessage.TypeA)},
		{"onion", "NameError", pack(t, "a.onion.", dnsmessage.TypeA)},
		{"PTR", "Success web.test. also.test.", pack(t, "1.0.77.10.in-addr.arpa.", dnsmessage.TypePTR)},
		{"PTR of IPv6", "Success web.test.", pack(t, six, dnsmessage.TypePTR)},
		{"PTR of an address without a name", "NameError", pack(t, "9.0.77.10.in-addr.arpa.", dnsmessage.TypePTR)},
		{"PTR of the loopback", "Success localhost.", pack(t, "9.0.0.127.in-addr.arpa.", dnsmessage.TypePTR)},
		{"PTR of others", "NameError", pack(t, "8.8.8.8.in-addr.arpa.", dnsmessage.TypePTR)},
		{"another type of an address", "Success", pack(t, six, dnsmessage.TypeTXT)},
		{"ANY", "Success TC", pack(t, "web.test.", dnsmessage.TypeALL)},
		{"AXFR", "Refused", pack(t, "web.test.", dnsmessage.TypeAXFR)},
		{"class CHAOS", "Refused", pack(t, "version.bind.", dnsmessage.TypeTXT, func(m *dnsmessage.Message) { m.Questions[0].Class = dnsmessage.ClassCHAOS })},
		{"opcode", "NotImplemented", pack(t, "web.test.", dnsmessage.TypeA, func(m *dnsmessage.Message) { m.OpCode = 5 })},
		{"no question", "FormatError", pack(t, "web.test.", dnsmessage.TypeA, func(m *dnsmessage.Message) { m.Questions = nil })},
		{"two questions", "FormatError", pack(t, "web.test.", dnsmessage.TypeA, func(m *dnsmessage.Message) { m.Questions = append(m.Questions, m.Questions[0]) })},
		{"an answer", "nothing", pack(t, "web.test.", dnsmessage.TypeA, func(m *dnsmessage.Message) { m.Response = true })},
		{"half a header", "nothing", make([]byte, 11)},
		{"half a question", "FormatError", pack(t, "web.test.", dnsmessage.TypeA)[:15]},
		{"half an OPT record", "FormatError", pack(t, "web.test.", dnsmessage.TypeA, edns(1232, 0))[:40]},
		{"EDNS", "Success 10.77.0.1 OPT/1232/0x0", pack(t, "web.test.", dnsmessage.TypeA, edns(4096, 0))},
		{"EDNS, DO", "Success 10.77.0.1 OPT/1232/0x8000", pack(t, "web.test.", dnsmessage.TypeA, edns(1232, 0x8000))},
		{"EDNS, a later version", "Success OPT/1232/0x1000000", pack(t, "web.test.", dnsmessage.TypeA, edns(1232, 0x10000))},
		{"EDNS twice", "FormatError OPT/1232/0x0", pack(t, "web.test.", dnsmessage.TypeA, edns(1232, 0), edns(1232, 0))},
		{"too long", "Success TC", pack(t, "many.", dnsmessage.TypeAAAA)},
		{"too long with a small EDNS", "Success TC OPT/1232/0x0", pack(t, "many.", dnsmessage.TypeAAAA, edns(100, 0))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, describe(t, answerOf(z, tt.message, false)))
		})
	}
	require.Equal(t, "Success 10.77.0.1 fd77::1", describe(t, answerOf(z, pack(t, "web.test.", dnsmessage.TypeALL), true)), "ANY by TCP")
	require.Contains(t, describe(t, answerOf(z, pack(t, "some.", dnsmessage.TypeAAAA, edns(100, 0)), false)), "fd00::c", "512 bytes always fit")
	var long []string
	for i := range 32 {
		long = append(long, fmt.Sprintf("%s%d.test=10.77.0.1", strings.Repeat("a", 50), i))
	}
	require.Equal(t, "Success TC OPT/1232/0x0", describe(t, answerOf(zone(t, long...), pack(t, "1.0.77.10.in-addr.arpa.", dnsmessage.TypePTR, edns(4096, 0)), false)))
	for _, long := range [][]byte{
		answerOf(z, pack(t, "many.", dnsmessage.TypeAAAA), true), answerOf(z, pack(t, "many.", dnsmessage.TypeAAAA, edns(1232, 0)), false),
	} {
		require.Contains(t, describe(t, long), "Success fd00::1 fd00::2")
	}
	require.Equal(t, "NameError", describe(t, answerOf(nil, pack(t, "web.test.", dnsmessage.TypeA), false)), "without a Zone")
}

// What is passed on is the question and nothing else of the message.
func TestAnew(t *testing.T) {
	message := pack(t, "Web.test.", dnsmessage.TypeMX, edns(4000, 0x8000), func(m *dnsmessage.Message) {
		m.RecursionDesired, m.CheckingDisabled, m.Authoritative = false, true, true
	})
	q, code, ok := parseQuery(message, false)
	require.True(t, ok && code == 0)
	text, err := q.anew(5)
	require.NoError(t, err)
	var m dnsmessage.Message
	require.NoError(t, m.Unpack(text))
	require.Equal(t, dnsmessage.Header{ID: 5, RecursionDesired: true, CheckingDisabled: true}, m.Header)
	require.Equal(t, q.question, m.Questions[0])
	require.Len(t, m.Additionals, 1)
	require.EqualValues(t, maxSize, m.Additionals[0].Header.Class)
	require.Empty(t, m.Additionals[0].Body.(*dnsmessage.OPTResource).Options)
}

func TestAccept(t *testing.T) {
	q, _, ok := parseQuery(pack(t, "Web.test.", dnsmessage.TypeA, func(m *dnsmessage.Message) { m.RecursionDesired = false }), false)
	require.True(t, ok)
	respond := func(change func(*dnsmessage.Message)) []byte {
		return pack(t, "wEB.test.", dnsmessage.TypeA, func(m *dnsmessage.Message) {
			m.ID, m.Response, m.RecursionAvailable = 5, true, true
			m.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET, TTL: 9},
				Body:   &dnsmessage.AResource{A: [4]byte{10, 1, 2, 3}},
			}}
		}, change)
	}
	reply, code, ok := q.accept(respond(func(*dnsmessage.Message) {}), 5)
	require.True(t, ok && code == 0)
	require.Equal(t, "Success 10.1.2.3", describe(t, reply))
	var m dnsmessage.Message
	require.NoError(t, m.Unpack(reply))
	require.Equal(t, "Web.test.", m.Questions[0].Name.String(), "as it was asked for")
	require.False(t, m.RecursionDesired)

	whole := respond(func(*dnsmessage.Message) {})
	for name, bad := range map[string][]byte{
		"another number":   respond(func(m *dnsmessage.Message) { m.ID++ }),
		"a question":       respond(func(m *dnsmessage.Message) { m.Response = false }),
		"another opcode":   respond(func(m *dnsmessage.Message) { m.OpCode = 4 }),
		"another name":     respond(func(m *dnsmessage.Message) { m.Questions[0].Name = dnsmessage.MustNewName("xeb.test.") }),
		"another type":     respond(func(m *dnsmessage.Message) { m.Questions[0].Type = dnsmessage.TypeAAAA }),
		"no question":      respond(func(m *dnsmessage.Message) { m.Questions, m.Answers = nil, nil }),
		"half an answer":   whole[:len(whole)-2],
		"half a header":    whole[:5],
		"an empty message": nil,
	} {
		_, _, ok := q.accept(bad, 5)
		require.False(t, ok, name)
	}
	long := respond(func(m *dnsmessage.Message) {
		for range 60 {
			m.Answers = append(m.Answers, m.Answers[0])
		}
	})
	reply, _, ok = q.accept(long, 5)
	require.True(t, ok)
	require.Equal(t, "Success TC", describe(t, reply))
}

// No message makes the server panic, send more than may be sent, or answer an answer.
func FuzzMessage(f *testing.F) {
	z := zone(f, "web.test=10.77.0.1,fd77::1", "*.wild=10.77.0.3", "many="+manyAddresses(32))
	for _, name := range []string{"web.test.", "many.", ".", "a.wild.", "1.0.77.10.in-addr.arpa."} {
		for _, typ := range []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA, dnsmessage.TypeALL, dnsmessage.TypePTR} {
			f.Add(pack(f, name, typ), false)
			f.Add(pack(f, name, typ, edns(1000, 0)), true)
		}
	}
	f.Fuzz(func(t *testing.T, message []byte, stream bool) {
		reply := answerOf(z, message, stream)
		if reply == nil {
			return
		}
		size := maxSize
		if q, _, ok := parseQuery(message, stream); stream || !ok {
			size = streamSize
		} else if !q.edns {
			size = plainSize
		}
		require.LessOrEqual(t, len(reply), size)
		var m dnsmessage.Message
		require.NoError(t, m.Unpack(reply))
		require.Equal(t, message[:2], reply[:2], "the number")
		require.Nil(t, answerOf(z, reply, stream), "an answer to an answer")
	})
}

// No answer of another server makes this one panic, or pass on more than may be sent.
func FuzzAccept(f *testing.F) {
	question := pack(f, "web.test.", dnsmessage.TypeA)
	answer := answerOf(zone(f, "web.test=10.77.0.1"), question, false)
	f.Add(question, answer, false)
	f.Add(pack(f, "web.test.", dnsmessage.TypeA, edns(600, 0)), answer, true)
	f.Fuzz(func(t *testing.T, question, answer []byte, stream bool) {
		q, code, ok := parseQuery(question, stream)
		if !ok || code != 0 {
			return
		}
		text, err := q.anew(77)
		require.NoError(t, err)
		require.LessOrEqual(t, len(text), 12+255+4+11, "nothing but a question and an OPT record")
		reply, _, ok := q.accept(answer, 77)
		if !ok {
			return
		}
		require.LessOrEqual(t, len(reply), q.size)
		require.Equal(t, question[:2], reply[:2], "the number")
		var p dnsmessage.Parser
		_, err = p.Start(reply)
		require.NoError(t, err)
		name, err := p.Question()
		require.NoError(t, err)
		require.Equal(t, q.question, name)
	})
}
