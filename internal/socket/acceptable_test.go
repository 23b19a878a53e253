package socket_test

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/simnet"
)

// wants is Expect with its error.
func wants(t *testing.T, p *simnet.Peer, segment string) {
	t.Helper()
	_, err := p.Expect(segment)
	require.NoError(t, err)
}

// A segment that acknowledges what was never sent is dropped, data and FIN
// included, and acknowledged (RFC 9293 §3.10.7.4), ten times a second at most (RFC 5961
// §7).
func TestUnsentAcknowledged(t *testing.T) {
	var got []byte
	n, p := played(t, func(_ *simnet.Network, c *endpoint.Conn) {
		c.Write([]byte("hello"))
		got, _ = io.ReadAll(c)
	})
	require.NoError(t, p.Handshake("mss 1000"))
	wants(t, p, "[P.] seq 1:6 ack 1")
	p.Send("[P.] seq 1 ack 7", []byte("forged")...)
	wants(t, p, "[.] seq 6 ack 1")
	p.Send("[FP.] seq 1 ack 1000", []byte("forged")...)
	wants(t, p, "[.] seq 6 ack 1")
	p.Send("[F.] seq 1 ack 2000000000")
	wants(t, p, "[.] seq 6 ack 1")
	require.NoError(t, p.ExpectSilence(100*time.Millisecond))
	wants(t, p, "0.200s [P.] seq 1:6 ack 1") // the retransmission of hello
	p.Send("[P.] seq 1 ack 6", []byte("true")...)
	wants(t, p, "[.] seq 6 ack 5")
	p.Send("[F.] seq 5 ack 6")
	wants(t, p, "[.] seq 6 ack 6")
	require.NoError(t, n.Advance(time.Second))
	require.Equal(t, "true", string(got))
}

// A FIN on a retransmission of old data counts.
func TestFINOnOldData(t *testing.T) {
	ended := false
	n, p := played(t, func(_ *simnet.Network, c *endpoint.Conn) {
		b, err := io.ReadAll(c)
		assert.NoError(t, err)
		assert.Equal(t, "0123456789", string(b))
		ended = true
		c.Close()
	})
	require.NoError(t, p.Handshake("mss 1000"))
	p.Send("[P.] seq 1 ack 1", []byte("0123456789")...)
	wants(t, p, "[.] seq 1 ack 11")
	p.Send("[F.] seq 1 ack 1", []byte("0123456789")...) // joined by the peer
	wants(t, p, "[.] seq 1 ack 12")
	wants(t, p, "[F.] seq 1 ack 12")
	p.Send("[.] seq 12 ack 2")
	require.NoError(t, n.Advance(time.Second))
	require.True(t, ended)
}

// The same in two parts, of which one is old: that much netstack does itself.
func TestFINOnPartlyOldData(t *testing.T) {
	n, p := played(t, func(_ *simnet.Network, c *endpoint.Conn) {
		b, err := io.ReadAll(c)
		assert.NoError(t, err)
		assert.Equal(t, "0123456789", string(b))
		c.Close()
	})
	require.NoError(t, p.Handshake("mss 1000"))
	p.Send("[P.] seq 1 ack 1", []byte("01234")...)
	wants(t, p, "[.] seq 1 ack 6")
	p.Send("[F.] seq 1 ack 1", []byte("0123456789")...)
	wants(t, p, "[.] seq 1 ack 12")
	require.NoError(t, n.Advance(time.Second))
}
