package gateway_test

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/gateway"
	"github.com/wsstack/wsstack/internal/sockettest"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// A wirePeer is a client that makes its packets by hand, behind a gateway.
type wirePeer struct {
	device  *tun.Func
	packets chan []byte
	said    *sockettest.Text
}

func newWirePeer(t *testing.T, via string) *wirePeer {
	w := &wirePeer{packets: make(chan []byte, 100), said: &sockettest.Text{}}
	w.device = tun.NewFunc(1500, func(packet []byte) { w.packets <- append([]byte(nil), packet...) })
	s, err := stack.New(stack.Config{Device: w.device, Addresses: []netip.Prefix{netip.MustParsePrefix("10.77.0.1/24")}})
	require.NoError(t, err)
	cfg, err := gateway.Parse(gateway.Words{Via: via, Deny: []string{"203.0.113.0/24"}})
	require.NoError(t, err)
	cfg.Log = slog.New(slog.NewTextHandler(w.said, nil))
	g, err := gateway.Start(s, cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, g.Close())
		require.NoError(t, s.Close())
	})
	return w
}

// knock sends a SYN, and returns what answers it.
func (w *wirePeer) knock(t *testing.T, to string) string {
	at := netip.MustParseAddrPort(to)
	return w.send(t, 6, at, syn(at.Port()))
}

// ask sends a datagram, and returns what answers it.
func (w *wirePeer) ask(t *testing.T, to string) string {
	at := netip.MustParseAddrPort(to)
	return w.send(t, 17, at, question(at.Port(), "who?"))
}

func (w *wirePeer) send(t *testing.T, protocol uint8, at netip.AddrPort, b []byte) string {
	w.device.Inject(simnet.EncodeIP(netip.MustParseAddr("10.77.0.2"), at.Addr(), protocol, b))
	p := <-w.packets
	const icmp, tcp, unreachable = 1, 6, 3
	switch {
	case p[9] == tcp && p[33]&0x04 != 0:
		return "RST"
	case p[9] == tcp:
		return "SYN-ACK"
	}
	require.EqualValues(t, [2]byte{icmp, unreachable}, [2]byte{p[9], p[20]})
	require.Equal(t, at.Port(), binary.BigEndian.Uint16(p[50:]), "it quotes the packet")
	meaning, ok := map[byte]string{0: "network", 1: "host", 13: "prohibited"}[p[21]]
	if !ok {
		meaning = fmt.Sprint("code ", p[21])
	}
	return meaning
}
