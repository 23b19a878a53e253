// Package metrics exports what stacks and links have counted to Prometheus.
//
// [New] makes a collector for a stack, and [NewLink] one for a link with impairments. What they
// cost is what a scrape costs: nothing is counted for them. Programs that don't import this package
// have nothing of Prometheus in them.
//
// The number of time series of a stack is bounded, whatever its peers do: no label has an address,
// a port or the number of a socket. Where a program has several stacks, a label of each one tells
// them apart:
//
//	prometheus.WrapCollectorWith(prometheus.Labels{"host": "a"}, metrics.New(a))
package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// desc is the description of a metric whose name begins with wsstack_.
func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("wsstack_"+name, help, labels, nil)
}

// The metrics of a stack.
var (
	packets     = desc("ip_packets_total", "IP packets of the stack, those over its loopback among them.", "direction")
	segments    = desc("tcp_segments_total", "TCP segments that came and were valid, or were sent.", "direction")
	retransmits = desc("tcp_retransmitted_segments_total", "TCP segments that were sent again.")
	resets      = desc("tcp_resets_total", "TCP segments with RST.", "direction")
	datagrams   = desc("udp_datagrams_total", "UDP datagrams that came for a socket, or were sent.", "direction")
	malformed   = desc("malformed_packets_total", "Packets, segments and datagrams whose headers make no sense.")
	checksums   = desc("checksum_errors_total", "Segments and datagrams with a wrong checksum.")
	dropped     = desc("dropped_packets_total", "Packets that the stack has dropped: full queues, impossible addresses, not for this host.")
	forwarded   = desc("forwarded_packets_total", "Packets between other hosts that the stack has sent on.")

	sockets     = desc("sockets", "Open sockets.", "network", "state")
	bindings    = desc("port_bindings", "Local addresses with a port that sockets have.")
	timeWait    = desc("tcp_time_wait_connections", "Connections in TIME-WAIT, which are no sockets any more.")
	memory      = desc("tcp_memory_bytes", "Bytes that the buffers of all TCP connections hold.")
	memoryBound = desc("tcp_memory_bound_bytes", "Bytes that they may hold: Config.Memory of the stack.")
	recvQueue   = desc("receive_queue_bytes", "Bytes that sockets have received and nobody has read.")
	sendQueue   = desc("send_queue_bytes", "Bytes that sockets were given and no peer has acknowledged.")
	connections = desc("tcp_measured_connections", "Open connections whose round trip was measured.")
	roundTrips  = desc("tcp_round_trip_seconds", "Sum of the smoothed round trips of the open connections whose round trip was measured.")

	ifPackets = desc("interface_packets_total", "Packets at an interface as a wire would carry them.", "interface", "direction")
	ifBytes   = desc("interface_bytes_total", "Bytes of the packets at an interface, IP headers included.", "interface", "direction")
	ifDropped = desc("interface_dropped_packets_total", "Packets of an interface that were dropped before IP: a full queue, no IP packet.", "interface")
)

// The metrics of a link.
var (
	linkPackets = desc("link_packets_total", "Packets that came to a link.", "link", "direction")
	linkBytes   = desc("link_bytes_total", "Bytes of the packets that came to a link.", "link", "direction")
	linkFates   = desc("link_impaired_packets_total", "Packets to which a link has done something, by what that is.", "link", "direction", "fate")
	linkFlight  = desc("link_in_flight_packets", "Packets that are on their way on a link.", "link")
)

// Directions as a stack sees them.
const (
	in  = "in"
	out = "out"
)

// New returns a collector for a stack and its interfaces. It may be scraped by several at a time.
// A stack that is closed has the counters that it had.
func New(s *stack.Stack) prometheus.Collector { return stackCollector{s} }

type stackCollector struct{ stack *stack.Stack }

// Describe implements prometheus.Collector.
func (stackCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		packets, segments, retransmits, resets, datagrams, malformed, checksums, dropped, forwarded,
		sockets, bindings, timeWait, memory, memoryBound, recvQueue, sendQueue, connections, roundTrips, ifPackets, ifBytes, ifDropped,
	} {
		ch <- d
	}
}

// A sender makes metrics of numbers.
type sender chan<- prometheus.Metric

func (ch sender) counter(d *prometheus.Desc, n uint64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
}

func (ch sender) gauge(d *prometheus.Desc, v float64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

// Collect implements prometheus.Collector.
func (c stackCollector) Collect(metrics chan<- prometheus.Metric) {
	ch, st := sender(metrics), c.stack.Stats()
	ch.counter(packets, st.PacketsIn, in)
	ch.counter(packets, st.PacketsOut, out)
	ch.counter(segments, st.SegmentsIn, in)
	ch.counter(segments, st.SegmentsOut, out)
	ch.counter(retransmits, st.Retransmits)
	ch.counter(resets, st.ResetsIn, in)
	ch.counter(resets, st.ResetsOut, out)
	ch.counter(datagrams, st.DatagramsIn, in)
	ch.counter(datagrams, st.DatagramsOut, out)
	ch.counter(malformed, st.Malformed)
	ch.counter(checksums, st.ChecksumErrors)
	ch.counter(dropped, st.Dropped)
	ch.counter(forwarded, st.Forwarded)
	ch.gauge(bindings, float64(st.Bindings))
	ch.gauge(timeWait, float64(st.TimeWait))
	ch.gauge(memory, float64(st.Memory))
	ch.gauge(memoryBound, float64(st.MemoryBound))
	for _, i := range c.stack.InterfaceStats() {
		ch.counter(ifPackets, i.PacketsIn, i.Name, in)
		ch.counter(ifPackets, i.PacketsOut, i.Name, out)
		ch.counter(ifBytes, i.BytesIn, i.Name, in)
		ch.counter(ifBytes, i.BytesOut, i.Name, out)
		ch.counter(ifDropped, i.Dropped, i.Name)
	}
	ch.sockets(c.stack.Sockets())
}

// sockets sends what there is to say of all sockets together.
func (ch sender) sockets(list []endpoint.Info) {
	type kind struct{ network, state string }
	var counts = map[kind]int{}
	var received, sent, measured int
	var seconds float64
	for _, s := range list {
		counts[kind{s.Network, s.State}]++
		received += s.RecvQueue
		sent += s.SendQueue
		if s.TCP != nil && s.TCP.SRTT > 0 {
			measured++
			seconds += s.TCP.SRTT.Seconds()
		}
	}
	for k, n := range counts {
		ch.gauge(sockets, float64(n), k.network, k.state)
	}
	ch.gauge(recvQueue, float64(received))
	ch.gauge(sendQueue, float64(sent))
	ch.gauge(connections, float64(measured))
	ch.gauge(roundTrips, seconds)
}

// NewLink returns a collector for a link with impairments. The label "link" of its metrics is name;
// the direction is out for what is sent into d, and in for what d receives. It may be scraped by
// several at a time.
func NewLink(name string, d *tun.Impaired) prometheus.Collector { return linkCollector{name, d} }

type linkCollector struct {
	name   string
	device *tun.Impaired
}

// Describe implements prometheus.Collector.
func (linkCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{linkPackets, linkBytes, linkFates, linkFlight} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c linkCollector) Collect(metrics chan<- prometheus.Metric) {
	ch := sender(metrics)
	sent, received := c.device.Stats()
	for _, d := range []struct {
		direction string
		stats     tun.ImpairStats
	}{{out, sent}, {in, received}} {
		ch.counter(linkPackets, d.stats.Packets, c.name, d.direction)
		ch.counter(linkBytes, d.stats.Bytes, c.name, d.direction)
		for _, f := range fates(d.stats) {
			ch.counter(linkFates, f.packets, c.name, d.direction, f.name)
		}
	}
	ch.gauge(linkFlight, float64(c.device.InFlight()), c.name)
}

// A fate is what was done to a number of packets.
type fate struct {
	name    string
	packets uint64
}

// fates lists what was done to packets, in the order of tun.ImpairStats.
func fates(s tun.ImpairStats) []fate {
	return []fate{
		{"partitioned", s.Partitioned},
		{"filtered", s.Filtered},
		{"too_big", s.TooBig},
		{"lost", s.Lost},
		{"queue_full", s.QueueFull},
		{"duplicated", s.Duplicated},
		{"corrupted", s.Corrupted},
		{"reordered", s.Reordered},
		{"queue_dropped", s.QueueDropped},
		{"marked", s.Marked},
	}
}
