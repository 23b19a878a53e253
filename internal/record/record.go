// Package record is the model of what happened in a network: the packets that its nodes have sent,
// and samples of its connections. Package simnet fills a Recording from its stacks, and the command
// line fills one from a capture file. Package picture draws it.
//
// The values are plain: whoever holds a Recording may read it as long as nobody writes to it.
package record

import (
	"net/netip"
	"time"

	"github.com/wsstack/wsstack/tun"
)

// A Recording is what happened in a network, in the order of time. All times count from one moment,
// the same for all of them: the birth of the network, or the first packet of a capture.
type Recording struct {
	Nodes       []string     // names of hosts, routers and others, in the order of their columns
	Packets     []Packet     // what was sent, by At; a packet that is forwarded is there once for each hop
	Connections []Connection // the ends of connections, by Opened

	// Left says how many packets and samples aren't there because a bound of the recorder was
	// reached.
	Left Left
}

// A Left is how much a Recording leaves out.
type Left struct {
	Packets uint64
	Samples uint64
}

// Never is the time of what never happened, or of what nobody knows.
const Never time.Duration = -1

// A Packet is one packet on its way from one node to the next.
type Packet struct {
	At      time.Duration // when the node gave it to the link
	Arrived time.Duration // when it (of duplicates: the first) reached the next node, or Never
	From    string        // name of the node that has sent it
	To      string        // name of the node at the other end of the link; "" stands for: unknown
	Fate    tun.Fate      // what became of it, the later verdict of a queue included; 0: nothing
	Comment string        // a remark of the recorder or of the capture file; may hold any bytes
	Size    int           // bytes of the whole IP packet
	Data    []byte        // the IP packet from its first byte, cut off behind the headers
}

// A Connection is one END of a TCP connection: what the host knows of it.
type Connection struct {
	Host    string         // name of the node
	Local   netip.AddrPort // address of this end
	Remote  netip.AddrPort // address of the other end
	Opened  time.Duration  // when this end was made: at its SYN, or at that of the peer
	Samples []Sample       // what was seen, by At
}

// An Event says what a Sample was taken after.
type Event uint8

// The events.
const (
	Sent     Event = iota + 1 // one or more segments were sent
	Received                  // a segment was received
	Timer                     // a timer has fired
	State                     // the state has changed
	Option                    // an option of the socket has changed
)

// eventNames has the names of events, by number.
var eventNames = [...]string{Sent: "sent", Received: "received", Timer: "timer", State: "state", Option: "option"}

// String is the name of the event, as tables have it.
func (e Event) String() string {
	if int(e) < len(eventNames) && eventNames[e] != "" {
		return eventNames[e]
	}
	return "unknown"
}

// A Sample is the state of one end of a connection right after an event. Sequence numbers are
// relative: the SYN of each side has 0, and they don't go round. The names are those of RFC 9293
// §3.3.1, RFC 5681 §2 and RFC 6298 §2. A value that isn't known is 0.
type Sample struct {
	At    time.Duration
	Event Event
	State string // name of the TCP state, such as "ESTABLISHED"

	SndUna uint64 // oldest sequence number that isn't acknowledged
	SndNxt uint64 // next sequence number to be sent
	RcvNxt uint64 // next sequence number that is expected

	SendWindow    int // bytes that the peer's last segment permits
	ReceiveWindow int // bytes that our last segment permits
	InFlight      int // bytes of data that were sent and aren't acknowledged

	CongestionWindow   int // in bytes
	SlowStartThreshold int // in bytes; 0: arbitrarily high

	SmoothedRTT time.Duration // 0: no round trip was measured
	RTTVariance time.Duration
	RTO         time.Duration // the retransmission time-out

	Retransmissions uint64 // segments that were sent again so far: SYNs, data and FINs

	Option string // name and new value of the option; only of Option events
}
