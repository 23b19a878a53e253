package stack_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
)

// A nameServer of a test answers questions on a host, over UDP and TCP.
type nameServer struct {
	answer func(q dnsmessage.Question, tcp bool) reply
}

// A reply is what a nameServer says, and when.
type reply struct {
	after  time.Duration
	silent bool
	code   dnsmessage.RCode
	cut    bool // truncated
	cname  string
	addrs  []string // of the type that was asked for
	before []func(*dnsmessage.Message)
}

// message is the answer to a query; edit, if there is one, spoils it.
func (r reply) message(query []byte, edit func(*dnsmessage.Message)) []byte {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil {
		panic(err)
	}
	m.Header = dnsmessage.Header{ID: m.ID, Response: true, RCode: r.code, Truncated: r.cut, RecursionAvailable: true}
	m.Additionals = nil
	owner := m.Questions[0].Name
	if r.cname != "" {
		to := dnsmessage.MustNewName(r.cname)
		m.Answers = append(m.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: owner, Type: dnsmessage.TypeCNAME, Class: dnsmessage.ClassINET}, Body: &dnsmessage.CNAMEResource{CNAME: to},
		})
		owner = to
	}
	for _, text := range r.addrs {
		a := netip.MustParseAddr(text)
		res := dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: owner, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}
		if a.Is4() {
			res.Body = &dnsmessage.AResource{A: a.As4()}
		} else {
			res.Header.Type = dnsmessage.TypeAAAA
			res.Body = &dnsmessage.AAAAResource{AAAA: a.As16()}
		}
		m.Answers = append(m.Answers, res)
	}
	if edit != nil {
		edit(&m)
	}
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

func question(query []byte) dnsmessage.Question {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil {
		panic(err)
	}
	return m.Questions[0]
}

// serve answers on port 53 of a host.
func (s nameServer) serve(t *testing.T, n *simnet.Network, h *simnet.Host) {
	udp, err := h.ListenPacket("udp", ":53")
	require.NoError(t, err)
	n.Background("dns over udp", func() {
		b := make([]byte, 2048)
		for {
			k, from, err := udp.ReadFrom(b)
			if err != nil {
				return
			}
			query := append([]byte{}, b[:k]...)
			r := s.answer(question(query), false)
			if r.silent {
				continue
			}
			n.Background("answer", func() {
				n.Sleep(r.after)
				for _, edit := range r.before {
					udp.WriteTo(r.message(query, edit), from)
				}
				udp.WriteTo(r.message(query, nil), from)
			})
		}
	})
	tcp, err := h.Listen("tcp", ":53")
	require.NoError(t, err)
	n.Background("dns over tcp", func() {
		for {
			c, err := tcp.Accept()
			if err != nil {
				return
			}
			b := make([]byte, 2048)
			io.ReadFull(c, b[:2])
			query := b[2 : 2+binary.BigEndian.Uint16(b)]
			io.ReadFull(c, query)
			answer := s.answer(question(query), true).message(query, nil)
			c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
			c.Close()
		}
	})
}

// dnsClient is a client with name servers, and the host at .2 that answers
// where nameServer.serve makes it.
func dnsClient(t *testing.T, servers ...string) (*simnet.Network, *simnet.Host, *simnet.Host) {
	n := simnet.New(t)
	var list []netip.AddrPort
	for _, s := range servers {
		list = append(list, netip.MustParseAddrPort(s))
	}
	a := n.HostConfig("a", stack.Config{Addresses: prefixes("10.0.0.1/24", "fd00::1/64"), Nameservers: list})
	b := n.Host("b", "10.0.0.2/24", "fd00::2/64")
	n.Link(a, b, simnet.Delay(5*time.Millisecond))
	return n, a, b
}

// both says the same to both questions, of the family that fits.
func both(addrs ...string) func(dnsmessage.Question, bool) reply {
	return func(q dnsmessage.Question, _ bool) reply { return reply{addrs: ofType(q, addrs...)} }
}

func ofType(q dnsmessage.Question, addrs ...string) (out []string) {
	for _, a := range addrs {
		if netip.MustParseAddr(a).Is4() == (q.Type == dnsmessage.TypeA) {
			out = append(out, a)
		}
	}
	return out
}

// What a lookup makes of what name servers say, and when, on the stack's clock.
func TestNameservers(t *testing.T) {
	isA := func(q dnsmessage.Question) bool { return q.Type == dnsmessage.TypeA }
	for _, tt := range []struct {
		name    string
		servers []string // nil: the one that answers, by IPv4 and by IPv6
		answer  func(q dnsmessage.Question, tcp bool) reply
		lookup  string // "": www.example
		want    string
		err     string
		at      time.Duration
	}{
		{name: "both families", answer: both("10.9.9.9", "fd09::9", "10.9.9.8"), want: "fd09::9 10.9.9.9 10.9.9.8", at: 10 * time.Millisecond},
		{name: "IPv4 alone", answer: both("10.9.9.9"), want: "10.9.9.9", at: 10 * time.Millisecond},
		{name: "an alias", want: "10.9.9.9", at: 10 * time.Millisecond, answer: func(q dnsmessage.Question, _ bool) reply {
			return reply{cname: "real.example.", addrs: ofType(q, "10.9.9.9")}
		}},
		{name: "unspecified addresses", answer: both("0.0.0.0", "::"), err: "no such host", at: 10 * time.Millisecond},
		{name: "no such name", err: "no such host", at: 10 * time.Millisecond, answer: func(dnsmessage.Question, bool) reply {
			return reply{code: dnsmessage.RCodeNameError}
		}},
		{name: "no records", answer: both(), err: "no such host", at: 10 * time.Millisecond},
		{name: "not a name", answer: both("10.9.9.9"), lookup: "a..b", err: "no such host"},
		{name: "a label that is too long", answer: both("10.9.9.9"), lookup: strings.Repeat("a", 64), err: "no such host"},
		{name: "IPv6 is late", want: "10.9.9.9", at: 60 * time.Millisecond, answer: func(q dnsmessage.Question, _ bool) reply {
			return reply{silent: !isA(q), addrs: []string{"10.9.9.9"}}
		}},
		{name: "IPv6 is late, but in time", want: "fd09::9 10.9.9.9", at: 59 * time.Millisecond, answer: func(q dnsmessage.Question, _ bool) reply {
			if isA(q) {
				return reply{addrs: []string{"10.9.9.9"}}
			}
			return reply{after: 49 * time.Millisecond, addrs: []string{"fd09::9"}}
		}},
		{name: "IPv4 is late", want: "fd09::9 10.9.9.9", at: 1010 * time.Millisecond, answer: func(q dnsmessage.Question, _ bool) reply {
			if isA(q) {
				return reply{after: time.Second, addrs: []string{"10.9.9.9"}}
			}
			return reply{addrs: []string{"fd09::9"}}
		}},
		{name: "IPv4 never comes", want: "fd09::9", at: 5 * time.Second, answer: func(q dnsmessage.Question, _ bool) reply {
			return reply{silent: isA(q), addrs: []string{"fd09::9"}}
		}},
		{name: "truncated", want: "fd09::9 10.9.9.9", at: 30 * time.Millisecond, answer: func(q dnsmessage.Question, tcp bool) reply {
			return reply{cut: isA(q) && !tcp, addrs: ofType(q, "fd09::9", "10.9.9.9")}
		}},
		{name: "forged", want: "10.9.9.9", at: 10 * time.Millisecond, answer: func(q dnsmessage.Question, _ bool) reply {
			r := reply{addrs: ofType(q, "10.9.9.9")}
			lie := dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}, Body: &dnsmessage.AResource{A: [4]byte{6, 6, 6, 6}},
			}
			for _, spoil := range []func(*dnsmessage.Message){
				func(m *dnsmessage.Message) { m.ID++ },
				func(m *dnsmessage.Message) { m.Response = false },
				func(m *dnsmessage.Message) { m.Questions[0].Name = dnsmessage.MustNewName("other.example.") },
				func(m *dnsmessage.Message) { m.Questions[0].Type = dnsmessage.TypeMX },
				func(m *dnsmessage.Message) { m.Questions = nil },
			} {
				r.before = append(r.before, func(m *dnsmessage.Message) { m.Answers = append(m.Answers, lie); spoil(m) })
			}
			return r
		}},
		{name: "a server that fails, and one that answers", servers: []string{"10.0.0.2:53", "[fd00::2]:53"}, want: "10.9.9.9", at: 20 * time.Millisecond,
			answer: failFirst(both("10.9.9.9"))},
		{name: "a server that isn't there", servers: []string{"10.0.0.3:53", "[fd00::2]:53"}, answer: both("10.9.9.9"), want: "10.9.9.9", at: 5010 * time.Millisecond},
		{name: "a port that nobody has", servers: []string{"[fd00::2]:54", "10.0.0.2:53"}, answer: both("10.9.9.9"), want: "10.9.9.9", at: 20 * time.Millisecond},
		{name: "nobody", servers: []string{"10.0.0.3:53", "[fd00::3]:53"}, answer: both(), err: "i/o timeout", at: 20 * time.Second},
	} {
		servers := [][]string{tt.servers}
		if tt.servers == nil {
			servers = [][]string{{"10.0.0.2:53"}, {"[fd00::2]:53"}}
		}
		for _, list := range servers {
			t.Run(tt.name+" "+list[0], func(t *testing.T) {
				n, a, b := dnsClient(t, list...)
				nameServer{tt.answer}.serve(t, n, b)
				name := tt.lookup
				if name == "" {
					name = "www.example"
				}
				require.NoError(t, n.Do("lookup", func() {
					got, err := a.LookupHost(context.Background(), name)
					assert.Equal(t, tt.want, strings.Join(got, " "))
					if tt.err != "" {
						var dns *net.DNSError
						require.ErrorAs(t, err, &dns)
						assert.Contains(t, dns.Err, tt.err)
						assert.Equal(t, name, dns.Name)
					} else {
						assert.NoError(t, err)
					}
					assert.Equal(t, tt.at, n.Now().Truncate(time.Millisecond))
					n.Sleep(time.Second)
				}))
				assert.Empty(t, a.Sockets())
			})
		}
	}
}

// failFirst answers the first two questions with SERVFAIL.
func failFirst(then func(dnsmessage.Question, bool) reply) func(dnsmessage.Question, bool) reply {
	var asked int
	return func(q dnsmessage.Question, tcp bool) reply {
		if asked++; asked <= 2 {
			return reply{code: dnsmessage.RCodeServerFailure}
		}
		return then(q, tcp)
	}
}

// A lookup ends with its context, and leaves nothing behind.
func TestNameserversContext(t *testing.T) {
	n, a, _ := dnsClient(t, "10.0.0.3:53")
	require.NoError(t, n.Do("lookup", func() {
		ctx, cancel := n.WithTimeout(context.Background(), 300*time.Millisecond)
		defer cancel()
		_, err := a.DialContext(ctx, "tcp", "www.example:80")
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 300*time.Millisecond, n.Now())
		n.Sleep(time.Minute)
	}))
	assert.Empty(t, a.Sockets())
	assert.Zero(t, n.Timers())
}

// A name from a server over the stack to a connection, by the family that works.
func TestDialByName(t *testing.T) {
	n, a, b := dnsClient(t, "[fd00::2]:53")
	nameServer{both("10.0.0.2", "fd00::7")}.serve(t, n, b)
	l, err := b.Listen("tcp", ":80")
	require.NoError(t, err)
	require.NoError(t, n.Do("dial", func() {
		c, err := a.Dial("tcp", "www.example:80")
		require.NoError(t, err)
		assert.Equal(t, "10.0.0.2:80", c.RemoteAddr().String())
		_, err = l.Accept()
		require.NoError(t, err)
		_, err = b.Dial("tcp", "www.example:80")
		assert.ErrorContains(t, err, "Nameservers", "another stack")
	}))
}
