package transport

import (
	"bytes"
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	engine "github.com/wsstack/wsstack/internal/tcp"
)

type duplex interface {
	io.Reader
	io.Writer
}

// both sends n bytes each way and compares their hashes.
func both(t *testing.T, a, b duplex, n int) {
	t.Helper()
	send := func(w io.Writer, seed uint64) [32]byte {
		data := make([]byte, n)
		r := rand.NewChaCha8([32]byte{byte(seed)})
		r.Read(data)
		for rest := data; len(rest) > 0; {
			m := min(len(rest), 10_000)
			if _, err := w.Write(rest[:m]); err != nil {
				return [32]byte{}
			}
			rest = rest[m:]
		}
		return sha256.Sum256(data)
	}
	receive := func(r io.Reader) [32]byte {
		data, _ := io.ReadAll(io.LimitReader(r, int64(n)))
		return sha256.Sum256(data)
	}
	sums := make([]chan [32]byte, 4)
	for i := range sums {
		sums[i] = make(chan [32]byte, 1)
	}
	go func() { sums[0] <- send(a, 1) }()
	go func() { sums[1] <- receive(b) }()
	go func() { sums[2] <- send(b, 2) }()
	go func() { sums[3] <- receive(a) }()
	require.Equal(t, <-sums[0], <-sums[1], "a to b")
	require.Equal(t, <-sums[2], <-sums[3], "b to a")
}

func toStd(a tcpip.Address, port uint16) tcpip.FullAddress {
	return tcpip.FullAddress{Addr: a, Port: port}
}

// The engine and netstack's TCP understand each other, in both roles, over a
// link that is good and one that isn't.
func TestNetstack(t *testing.T) {
	for name, part := range map[string]float64{"clean": 0, "lossy": 0.01} {
		t.Run(name, func(t *testing.T) {
			families(t, func(t *testing.T, n tcpip.NetworkProtocolNumber) {
				size := 2 << 20
				if part > 0 {
					size = 256 << 10
				}
				a, b := twoHosts(t, part, tcp.NewProtocol, tcpip.NewStdClock())
				t.Run("active", func(t *testing.T) {
					l, err := gonet.ListenTCP(b, toStd(hostB[n], 80), n)
					require.NoError(t, err)
					defer l.Close()
					accepted := make(chan net.Conn, 1)
					go func() { c, _ := l.Accept(); accepted <- c }()
					c := dial(t, a, n, hostA, hostB, 1000, 80)
					require.True(t, c.connected())
					peer := <-accepted
					both(t, c, peer, size)
					c.Shutdown()
					_, e := peer.Read(make([]byte, 1))
					require.Equal(t, io.EOF, e)
					peer.Close()
					_, e = c.Read(make([]byte, 1))
					require.Equal(t, io.EOF, e)
				})
				t.Run("passive", func(t *testing.T) {
					l := listen(t, a, n, 81)
					defer l.Close()
					peer, err := gonet.DialTCP(b, toStd(hostA[n], 81), n)
					require.NoError(t, err)
					c := l.accept()
					both(t, c, peer, size)
					peer.Close()
					_, e := c.Read(make([]byte, 1))
					require.Equal(t, io.EOF, e)
					c.Close()
				})
			})
		})
	}
}

// Two engines face each other, in virtual time: deterministic.
func TestEngines(t *testing.T) {
	families(t, func(t *testing.T, n tcpip.NetworkProtocolNumber) {
		clock := faketime.NewManualClock()
		a, b := twoHosts(t, 0, New, clock)
		c, p := meet(t, a, b, n)
		data := make([]byte, 1<<20)
		rand.NewChaCha8([32]byte{}).Read(data)
		var got []byte
		buf := make([]byte, 1<<16)
		for sent := 0; len(got) < len(data); {
			m, ok := c.Send(data[sent:])
			require.True(t, ok)
			sent += m
			k, ended := p.Recv(buf)
			require.False(t, ended)
			got = append(got, buf[:k]...)
			if m+k == 0 {
				clock.Advance(1e6)
			}
		}
		require.True(t, bytes.Equal(data, got))
		c.Shutdown()
		_, ended := p.Recv(buf)
		require.True(t, ended)
		p.Close()
		require.Equal(t, []any{engine.TimeWait, engine.None}, c.status())
		require.Equal(t, []any{engine.Closed, engine.None}, p.status())
		require.True(t, Of(a).parts[0].waits.has(c.ID()))
		require.Empty(t, Of(a).table.all())
		clock.Advance(2 * MSL)
		require.False(t, Of(a).parts[0].waits.has(c.ID()))
	})
}

// A SYN to a port that nobody has is refused.
func TestRefused(t *testing.T) {
	families(t, func(t *testing.T, n tcpip.NetworkProtocolNumber) {
		a, _ := twoHosts(t, 0, New, faketime.NewManualClock())
		c := dial(t, a, n, hostA, hostB, 1000, 80)
		require.Equal(t, []any{engine.Closed, engine.Refused}, c.status())
	})
}
