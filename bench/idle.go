package bench

import (
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/tun"
)

// idleServer is the address that the clients of Idle connect to.
var idleServer = netip.MustParsePrefix("10.0.0.1/8")

const idlePort = 80

// idleClient is the address of client i: 10.1.0.1:1024 and so on, 60,000 ports
// each.
func idleClient(i int) netip.AddrPort {
	const ports = 60_000
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i / ports), 1}), uint16(1024+i%ports))
}

// segment is a packet from a client to idleServer.
func segment(from netip.AddrPort, flags header.TCPFlags, seq, ack uint32) []byte {
	const size = header.IPv4MinimumSize + header.TCPMinimumSize
	b := make([]byte, size)
	src, dst := tcpip.AddrFrom4(from.Addr().As4()), tcpip.AddrFrom4(idleServer.Addr().As4())
	ip := header.IPv4(b)
	ip.Encode(&header.IPv4Fields{TotalLength: size, TTL: 64, Protocol: uint8(header.TCPProtocolNumber), SrcAddr: src, DstAddr: dst})
	ip.SetChecksum(^ip.CalculateChecksum())
	t := header.TCP(b[header.IPv4MinimumSize:])
	t.Encode(&header.TCPFields{
		SrcPort: from.Port(), DstPort: idlePort, SeqNum: seq, AckNum: ack,
		DataOffset: header.TCPMinimumSize, Flags: flags, WindowSize: 65535,
	})
	sum := header.PseudoHeaderChecksum(header.TCPProtocolNumber, src, dst, header.TCPMinimumSize)
	t.SetChecksum(^t.CalculateChecksum(checksum.Combine(sum, 0)))
	return b
}

// A reply is what a client looks at in a packet of the server.
type reply struct {
	to    netip.AddrPort
	flags header.TCPFlags
	seq   uint32
	ack   uint32
	size  int // of the payload
}

func parseReply(packet []byte) (r reply, ok bool) {
	ip := header.IPv4(packet)
	if !ip.IsValid(len(packet)) || ip.TransportProtocol() != header.TCPProtocolNumber {
		return r, false
	}
	t := header.TCP(ip.Payload())
	return reply{
		to:    netip.AddrPortFrom(netip.AddrFrom4(ip.DestinationAddress().As4()), t.DestinationPort()),
		flags: t.Flags(), seq: t.SequenceNumber(), ack: t.AckNumber(), size: len(t.Payload()),
	}, true
}

// idleBytes is what an idle connection may take, in bytes: one of netstack's takes
// 5,900.
const idleBytes = 4500

// An IdleCost is what many idle connections cost.
type IdleCost struct {
	Bytes, Goroutines float64       // of each
	AcceptRate        float64       // connections a second, of all
	Close             time.Duration // until Close of each has returned; none waits for its peer
}

// String implements fmt.Stringer.
func (c IdleCost) String() string {
	return fmt.Sprintf("%.0f bytes and %.3f goroutines each, %.0f accepted a second, all closed in %v", c.Bytes, c.Goroutines, c.AcceptRate, c.Close.Round(time.Millisecond))
}

// Idle accepts count connections on a side and prepares each of them, keeps
// them idle, and closes them. The clients are no stack: their side costs
// nothing, and they don't answer a FIN.
func Idle(maker Maker, count int, prepare func(net.Conn) error) (cost IdleCost, err error) {
	var d *tun.Func
	d = tun.NewFunc(1500, func(packet []byte) {
		if r, ok := parseReply(packet); ok && r.flags.Contains(header.TCPFlagSyn) {
			d.Inject(segment(r.to, header.TCPFlagAck, r.ack, r.seq+1))
		}
	})
	side, err := maker(d, idleServer)
	if err != nil {
		return cost, err
	}
	defer side.Close()
	l, err := side.Listen(idlePort)
	if err != nil {
		return cost, err
	}
	defer l.Close()
	connections := make([]net.Conn, 0, count)
	accept := func(from, to int) error {
		for i := from; i < to; i++ {
			d.Inject(segment(idleClient(i), header.TCPFlagSyn, 1000, 0))
			c, err := l.Accept()
			if err != nil {
				return err
			}
			if err := prepare(c); err != nil {
				return fmt.Errorf("connection %d: %w", i, err)
			}
			connections = append(connections, c)
		}
		return nil
	}
	const warm = 100 // pools and tables have their first size
	if err := accept(0, warm); err != nil {
		return cost, err
	}
	before, running := footprint(), runtime.NumGoroutine()
	began := time.Now()
	if err := accept(warm, warm+count); err != nil {
		return cost, err
	}
	cost.AcceptRate = float64(count) / time.Since(began).Seconds()
	cost.Bytes = float64(footprint()-before) / float64(count)
	cost.Goroutines = float64(runtime.NumGoroutine()-running) / float64(count)
	began = time.Now()
	for _, c := range connections {
		if err := c.Close(); err != nil {
			return cost, err
		}
	}
	cost.Close = time.Since(began)
	return cost, nil
}

// footprint is the memory in use, stacks of goroutines included.
func footprint() int64 {
	runtime.GC()
	runtime.GC() // the first one moves pools to their victims
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
