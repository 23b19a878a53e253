package compat

import (
	"context"
	"crypto/sha256"
	"io"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/simnet"
)

// joinQUIC joins client and server with a connection of QUIC.
func joinQUIC(t *testing.T, w *world, cfg *quic.Config) (server, client *quic.Conn) {
	at := &quic.Transport{Conn: packetConn(t, w.server.Stack, ":443")}
	t.Cleanup(func() { at.Close() })
	l, err := at.Listen(certificate(t, "test"), cfg)
	require.NoError(t, err)
	from := &quic.Transport{Conn: packetConn(t, w.client.Stack, ":0")}
	t.Cleanup(func() { from.Close() })
	client, err = from.Dial(t.Context(), serverAddr(443), trusting("test"), cfg)
	require.NoError(t, err)
	server, err = l.Accept(t.Context())
	require.NoError(t, err)
	return server, client
}

// A stream arrives whole over a link that loses, reorders and duplicates datagrams.
func TestBubble_QUICOnBadLink(t *testing.T) {
	inWorld(t, 3, func(t *testing.T, w *world) {
		server, client := joinQUIC(t, w, nil)
		sent := make([]byte, 1<<20)
		for i := range sent {
			sent[i] = byte(i * i >> 8)
		}
		go func() {
			s, err := client.OpenUniStream()
			if err == nil {
				s.Write(sent)
				s.Close()
			}
		}()
		tookBetween(t, rtt, time.Minute, func() {
			s, err := server.AcceptUniStream(t.Context())
			require.NoError(t, err)
			got, err := io.ReadAll(s)
			require.NoError(t, err)
			require.Equal(t, sha256.Sum256(sent), sha256.Sum256(got))
		})
		stats := w.link.Stats(w.client)
		require.NotZero(t, stats.Lost)
		require.NotZero(t, stats.Duplicated)
		require.NotZero(t, stats.Reordered)
	}, simnet.Loss(0.02), simnet.Duplicate(0.01), simnet.Reorder(0.05, 20*time.Millisecond))
}

// A connection on which nothing arrives any more ends at its time, and not a nanosecond earlier.
func TestBubble_QUICIdleTimeout(t *testing.T) {
	const idle = 20 * time.Second
	inWorld(t, 2, func(t *testing.T, w *world) {
		server, client := joinQUIC(t, w, &quic.Config{MaxIdleTimeout: idle})
		time.Sleep(time.Second) // everything has been acknowledged
		sent := time.Now()
		out, err := server.OpenUniStream()
		require.NoError(t, err)
		_, err = out.Write([]byte("the last word"))
		require.NoError(t, err)
		in, err := client.AcceptUniStream(t.Context())
		require.NoError(t, err)
		require.Equal(t, delay.String(), time.Since(sent).String())
		_, err = in.Read(make([]byte, 13))
		require.NoError(t, err)
		w.link.Partition()

		// The time counts from what was received last, and from the first packet after that which was
		// sent and wants an acknowledgement (RFC 9000, section 10.1). Probes don't lengthen it.
		var timeout *quic.IdleTimeoutError
		<-server.Context().Done()
		require.Equal(t, idle.String(), time.Since(sent).String())
		require.ErrorAs(t, context.Cause(server.Context()), &timeout)
		<-client.Context().Done()
		require.Equal(t, (delay + idle).String(), time.Since(sent).String())
		require.ErrorAs(t, context.Cause(client.Context()), &timeout)
	})
}
