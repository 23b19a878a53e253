package stack

import (
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// Whatever comes from port 53 of a name server is an answer as a whole, or
// changes nothing.
func FuzzDNSAnswer(f *testing.F) {
	name := dnsmessage.MustNewName("www.example.")
	for _, t := range []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA} {
		q := newDNSQuestion(7, name, t)
		var m dnsmessage.Message
		if err := m.Unpack(q.query); err != nil {
			f.Fatal(err)
		}
		m.Response = true
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}, Body: &dnsmessage.AResource{A: [4]byte{10, 0, 0, 1}},
		}}
		b, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)-1])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		q := newDNSQuestion(7, name, dnsmessage.TypeA)
		took := q.take(b)
		switch {
		case took != q.answered:
			t.Fatalf("take = %v, answered = %v", took, q.answered)
		case !took && (q.truncated || q.code != 0 || q.addrs != nil):
			t.Fatalf("refused, and yet %+v", q)
		case len(q.addrs) > dnsAddresses:
			t.Fatalf("%d addresses", len(q.addrs))
		}
		for _, a := range q.addrs {
			if !a.Is4() || a.IsUnspecified() {
				t.Fatalf("the address %v", a)
			}
		}
	})
}
