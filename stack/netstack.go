package stack

import (
	"encoding/binary"
	"io"
	"math"
	"math/rand"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	netstack "gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
)

// The sizes of netstack's TCP buffers in bytes. They are not the quotas that
// applications see; they bound what those may grow to (BF-21).
const (
	minTCPBuffer     = 4 << 10
	defaultTCPBuffer = 1 << 20
	maxTCPBuffer     = 4 << 20
)

// defaultTTL is that of Windows (OPTIONS.md, IP_TTL).
const defaultTTL = 128

// newNetstack makes the gVisor stack, with the hooks in place.
func newNetstack(s *Stack) *netstack.Stack {
	opts := netstack.Options{
		NetworkProtocols: []netstack.NetworkProtocolFactory{
			ipv4.NewProtocolWithOptions(ipv4.Options{IGMP: ipv4.IGMPOptions{Enabled: s.cfg.IGMP}}),
			// No duplicate address detection: addresses are usable at once and
			// a fresh stack is silent.
			ipv6.NewProtocolWithOptions(ipv6.Options{MLD: ipv6.MLDOptions{Enabled: s.cfg.IGMP}}),
		},
		TransportProtocols: append(s.hooks.rawProtocols(), s.hooks.newTCP, udp.NewProtocol, icmp.NewProtocol4, icmp.NewProtocol6),
		Clock:              s.clock,
		NFTables:           &s.hooks,
		// Own addresses are reached through the loopback interface and its
		// queue. netstack's local delivery would run on the sender's goroutine,
		// with the sender's endpoint locked.
		HandleLocal: false,
	}
	if s.cfg.Rand != nil {
		opts.SecureRNG = s.cfg.Rand
		opts.RandSource = readerSource{s.cfg.Rand}
	}
	ns := netstack.New(opts)
	ns.SetNFTablesConfigured(true)
	setTransport(ns)
	return ns
}

// setTransport sets what differs from netstack's defaults.
func setTransport(ns *netstack.Stack) {
	sack := tcpip.TCPSACKEnabled(true)
	moderate := tcpip.TCPModerateReceiveBufferOption(true)
	receive := tcpip.TCPReceiveBufferSizeRangeOption{Min: minTCPBuffer, Default: defaultTCPBuffer, Max: maxTCPBuffer}
	send := tcpip.TCPSendBufferSizeRangeOption{Min: minTCPBuffer, Default: defaultTCPBuffer, Max: maxTCPBuffer}
	// No RACK: after a retransmission time-out, the first acknowledgement makes
	// netstack's RACK enter fast recovery with everything counted as in flight,
	// so that two segments leave per time-out. A window lost to an outage or to
	// a smaller path MTU took minutes to repair (observed: Linux, integration).
	recovery := tcpip.TCPRecovery(0)
	// Whether a connection is given up is the socket's to decide (TCP_MAXRT), so
	// netstack never does. Its time-out backs off to 60 s, as TCP_MAXRT has it.
	retries := tcpip.TCPMaxRetriesOption(math.MaxUint32)
	maxRTO := tcpip.TCPMaxRTOOption(time.Minute)
	for _, o := range []tcpip.SettableTransportProtocolOption{&sack, &moderate, &receive, &send, &recovery, &retries, &maxRTO} {
		must(ns.SetTransportProtocolOption(tcp.ProtocolNumber, o))
	}
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
