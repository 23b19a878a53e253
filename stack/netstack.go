package stack

import (
	"encoding/binary"
	"io"
	"math/rand"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	netstack "gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
)

// defaultTTL is that of Windows (OPTIONS.md, IP_TTL).
const defaultTTL = 128

// newNetstack makes the gVisor stack, with the hooks and our TCP in place.
func newNetstack(s *Stack) *netstack.Stack {
	opts := netstack.Options{
		NetworkProtocols: []netstack.NetworkProtocolFactory{
			ipv4.NewProtocolWithOptions(ipv4.Options{IGMP: ipv4.IGMPOptions{Enabled: s.cfg.IGMP}}),
			// No duplicate address detection: addresses are usable at once and
			// a fresh stack is silent.
			ipv6.NewProtocolWithOptions(ipv6.Options{MLD: ipv6.MLDOptions{Enabled: s.cfg.IGMP}}),
		},
		TransportProtocols: append(s.hooks.rawProtocols(), s.newTCP, udp.NewProtocol, icmp.NewProtocol4, icmp.NewProtocol6),
		Clock:              s.clock,
		NFTables:           &s.hooks,
		// Own addresses are reached through the loopback interface and its
		// queue. netstack's local delivery would run on the sender's goroutine,
		// with the sender's endpoint or connection locked.
		HandleLocal: false,
	}
	if s.cfg.Rand != nil {
		opts.SecureRNG = s.cfg.Rand
		opts.RandSource = readerSource{s.cfg.Rand}
	}
	ns := netstack.New(opts)
	ns.SetNFTablesConfigured(true)
	setTTL(ns)
	return ns
}

// setTTL sets what differs from netstack's defaults.
func setTTL(ns *netstack.Stack) {
	ttl := tcpip.DefaultTTLOption(defaultTTL)
	must(ns.SetNetworkProtocolOption(ipv4.ProtocolNumber, &ttl))
	must(ns.SetNetworkProtocolOption(ipv6.ProtocolNumber, &ttl))
}

// must is for options with constant values: an error is our own bug.
func must(err tcpip.Error) {
	if err != nil {
		panic("stack: netstack refuses an option: " + err.String())
	}
}

// readerSource is a rand.Source that reads its numbers.
type readerSource struct{ io.Reader }

// Int63 implements rand.Source. A reader that fails leaves no way to go on.
func (r readerSource) Int63() int64 {
	var b [8]byte
	if _, err := io.ReadFull(r.Reader, b[:]); err != nil {
		panic("stack: Config.Rand: " + err.Error())
	}
	return int64(binary.LittleEndian.Uint64(b[:]) >> 1)
}

// Seed implements rand.Source; the reader has its own.
func (readerSource) Seed(int64) {}

var _ rand.Source = readerSource{}
