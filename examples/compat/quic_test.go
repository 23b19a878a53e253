package compat

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/stack"
)

// patient is a configuration without the time-outs of a few seconds.
var patient = &quic.Config{HandshakeIdleTimeout: patience, MaxIdleTimeout: patience}

// A client whose port is gone draws ICMP port unreachable messages; the
// transport, which serves all clients from one socket, stays.
func TestQUIC_TransportStaysAfterPortUnreachable(t *testing.T) {
	server, client := newNetwork(t)
	transport := &quic.Transport{Conn: packetConn(t, server, ":443")}
	l, err := transport.Listen(certificate(t, "echo"), patient)
	require.NoError(t, err)
	t.Cleanup(func() { transport.Close() })

	// The first client goes without a word while the server owes it data.
	abandoned := packetConn(t, client, ":0")
	clientTransport := &quic.Transport{Conn: abandoned}
	t.Cleanup(func() { clientTransport.Close() })
	_, err = clientTransport.Dial(soon(t), serverAddr(443), trusting("echo"), patient)
	require.NoError(t, err)
	served, err := l.Accept(soon(t))
	require.NoError(t, err)
	require.NoError(t, abandoned.Close())
	s, err := served.OpenUniStream()
	require.NoError(t, err)
	_, err = s.Write([]byte("is anybody there?"))
	require.NoError(t, err)
	awaitUnreachable(t, server)

	// The second one gets an echo of a megabyte.
	go func() {
		conn, err := l.Accept(t.Context())
		if err != nil {
			return
		}
		s, err := conn.AcceptStream(t.Context())
		if err != nil {
			return
		}
		io.Copy(s, s)
		s.Close()
	}()
	second := &quic.Transport{Conn: packetConn(t, client, ":0")}
	t.Cleanup(func() { second.Close() })
	conn, err := second.Dial(soon(t), serverAddr(443), trusting("echo"), patient)
	require.NoError(t, err)
	echo, err := conn.OpenStreamSync(soon(t))
	require.NoError(t, err)
	sent := strings.Repeat("0123456789abcdef", 1<<16)
	go func() {
		io.WriteString(echo, sent)
		echo.Close()
	}()
	got, err := io.ReadAll(echo)
	require.NoError(t, err)
	require.True(t, sent == string(got), "the echo differs")
}

func TestHTTP3(t *testing.T) {
	server, client := newNetwork(t)
	h := &http3.Server{
		TLSConfig: certificate(t),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n, _ := io.Copy(io.Discard, r.Body)
			fmt.Fprintf(w, "%s %d", r.Proto, n)
		}),
	}
	ended := make(chan error, 1)
	pc := packetConn(t, server, ":443")
	go func() { ended <- h.Serve(pc) }()
	t.Cleanup(func() {
		h.Close()
		require.ErrorIs(t, <-ended, http.ErrServerClosed)
	})

	qt := &quic.Transport{Conn: packetConn(t, client, ":0")}
	defer qt.Close()
	rt := &http3.Transport{TLSClientConfig: trusting(), QUICConfig: patient, Dial: dialQUIC(qt)}
	defer rt.Close()
	for i := range 50 {
		body := strings.Repeat("x", i*1000)
		resp, err := (&http.Client{Transport: rt, Timeout: patience}).Post("https://"+serverIP+"/", "text/plain", strings.NewReader(body))
		require.NoError(t, err)
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("HTTP/3.0 %d", len(body)), string(got))
	}
}

// packetConn opens a datagram socket that ends with the test.
func packetConn(t *testing.T, s *stack.Stack, address string) net.PacketConn {
	t.Helper()
	pc, err := s.ListenPacket("udp4", address)
	require.NoError(t, err)
	t.Cleanup(func() { pc.Close() })
	return pc
}

func serverAddr(port int) *net.UDPAddr { return &net.UDPAddr{IP: net.ParseIP(serverIP), Port: port} }

// trusting is the TLS configuration of a client that takes any certificate.
func trusting(protocols ...string) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, NextProtos: protocols}
}
