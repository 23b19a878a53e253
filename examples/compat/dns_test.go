package compat

import (
	"net"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// A client that has gone draws an ICMP port unreachable by the answer. The
// server goes on: its next ReadFrom isn't an error.
func TestDNS_ServerGoesOnAfterAClientHasGone(t *testing.T) {
	server, client := newNetwork(t)
	pc, err := server.ListenPacket("udp", ":53")
	require.NoError(t, err)

	asked, gone := make(chan struct{}), make(chan struct{})
	serveDNS(t, &dns.Server{PacketConn: pc, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		if q.Question[0].Name == "gone." {
			close(asked)
			<-gone
		}
		w.WriteMsg(answer(q))
	})})

	c, err := client.DialContext(soon(t), "udp", serverIP+":53")
	require.NoError(t, err)
	require.NoError(t, (&dns.Conn{Conn: c}).WriteMsg(new(dns.Msg).SetQuestion("gone.", dns.TypeA)))
	<-asked
	require.NoError(t, c.Close())
	close(gone)
	awaitUnreachable(t, server)

	for range 10 {
		c, err := client.DialContext(soon(t), "udp", serverIP+":53")
		require.NoError(t, err)
		ask(t, &dns.Conn{Conn: c})
	}
}

func TestDNS_TCP(t *testing.T) {
	server, client := newNetwork(t)
	serveDNS(t, &dns.Server{Listener: listen(t, server, ":53"), Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		w.WriteMsg(answer(q))
	})})
	c, err := client.DialContext(soon(t), "tcp", serverIP+":53")
	require.NoError(t, err)
	ask(t, &dns.Conn{Conn: c})
}

// serveDNS runs s until the test ends, and has the test see why it ended.
func serveDNS(t *testing.T, s *dns.Server) {
	started, ended := make(chan struct{}), make(chan error, 1)
	s.NotifyStartedFunc = func() { close(started) }
	go func() { ended <- s.ActivateAndServe() }()
	select {
	case <-started:
	case err := <-ended:
		require.NoError(t, err)
	}
	t.Cleanup(func() {
		require.NoError(t, s.Shutdown())
		require.NoError(t, <-ended)
	})
}

// ask sends a question over c, checks the answer and closes c.
func ask(t *testing.T, c *dns.Conn) {
	t.Helper()
	defer c.Close()
	r, _, err := (&dns.Client{Timeout: patience}).ExchangeWithConn(new(dns.Msg).SetQuestion("host.", dns.TypeA), c)
	require.NoError(t, err)
	require.Len(t, r.Answer, 1)
	require.Equal(t, "192.0.2.7", r.Answer[0].(*dns.A).A.String())
}

func answer(q *dns.Msg) *dns.Msg {
	m := new(dns.Msg).SetReply(q)
	m.Answer = []dns.RR{&dns.A{
		Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60},
		A:   net.IPv4(192, 0, 2, 7),
	}}
	return m
}
