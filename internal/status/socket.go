package status

import (
	"net/netip"
	"strings"
	"time"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/internal/changes"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// A Socket is one socket of a Report.
type Socket struct {
	ID        uint64           `json:"id"`            // number of the socket in the stack
	Network   string           `json:"network"`       // network as package net names it, such as "tcp4"
	State     string           `json:"state"`         // TCP state, or the state of a socket for datagrams
	Local     string           `json:"local"`         // local address; "": none
	Remote    string           `json:"remote"`        // address of the peer; "": no peer
	RecvQueue int              `json:"recv_queue"`    // bytes that are received and not read
	SendQueue int              `json:"send_queue"`    // bytes that are sent and not acknowledged
	Connected string           `json:"connected"`     // time since the connect; "": not connected
	Options   []changes.Option `json:"options"`       // options whose values differ from their defaults
	TCP       *TCP             `json:"tcp,omitempty"` // the connection; nil: the socket has none
}

// A TCP is the connection of a Socket. Sizes are in bytes and times in microseconds; what the
// fields mean is said in endpoint.TCPInfo.
type TCP struct {
	Congestion string `json:"congestion"`
	Phase      string `json:"phase"`
	MSS        int    `json:"mss"`
	Timestamps bool   `json:"timestamps"`
	SACK       bool   `json:"sack"`
	Cwnd       int    `json:"cwnd"`
	SSThresh   int    `json:"ssthresh"`
	InFlight   int    `json:"in_flight"`
	SndWnd     int    `json:"snd_wnd"`
	RcvWnd     int    `json:"rcv_wnd"`

	RTT    int64 `json:"rtt_us"` // the smoothed round trip; 0: none was measured
	RTTVar int64 `json:"rttvar_us"`
	MinRTT int64 `json:"min_rtt_us"`
	RTO    int64 `json:"rto_us"`

	BytesIn       uint64 `json:"bytes_in"`
	BytesOut      uint64 `json:"bytes_out"`
	BytesAcked    uint64 `json:"bytes_acked"`
	BytesResent   uint64 `json:"bytes_resent"`
	Resent        uint64 `json:"resent"`
	Fast          uint64 `json:"fast"`
	Timeouts      uint64 `json:"timeouts"`
	SynResent     uint8  `json:"syn_resent"`
	DupAcksIn     uint64 `json:"dup_acks_in"`
	EarlySegments uint64 `json:"early_segments"`
	EarlyBytes    uint64 `json:"early_bytes"`
}

// NewSocket describes a socket of a stack that follows a profile.
func NewSocket(info endpoint.Info, p options.Profile) Socket {
	family, kind := int32(wsa.AF_INET), options.Stream
	if strings.HasSuffix(info.Network, "6") {
		family = wsa.AF_INET6
	}
	if strings.HasPrefix(info.Network, "udp") {
		kind = options.Datagram
	}
	def, network := options.Defaults(p, family, kind), networkText(info)
	if network != info.Network {
		def.V6Only = info.Options.V6Only // the name of the network says it
	}
	s := Socket{
		ID: info.ID, Network: network, State: info.State,
		Local: addressText(info.Local), Remote: addressText(info.Remote),
		RecvQueue: info.RecvQueue, SendQueue: info.SendQueue,
		Options: changes.Of(&info.Options, &def), TCP: newTCP(info.TCP),
	}
	if info.Connected > 0 {
		s.Connected = info.Connected.Round(time.Millisecond).String()
	}
	return s
}

func newTCP(i *endpoint.TCPInfo) *TCP {
	if i == nil {
		return nil
	}
	return &TCP{
		Congestion: i.Congestion, Phase: i.Phase, MSS: i.MSS, Timestamps: i.Timestamps, SACK: i.SACK,
		Cwnd: i.Cwnd, SSThresh: i.SSThresh, InFlight: i.InFlight, SndWnd: i.SndWnd, RcvWnd: i.RcvWnd,
		RTT: i.SRTT.Microseconds(), RTTVar: i.RTTVar.Microseconds(), MinRTT: i.MinRTT.Microseconds(), RTO: i.RTO.Microseconds(),
		BytesIn: i.BytesIn, BytesOut: i.BytesOut, BytesAcked: i.BytesAcked, BytesResent: i.BytesResent,
		Resent: i.Resent, Fast: i.Fast, Timeouts: i.Timeouts, SynResent: i.SynResent, DupAcksIn: i.DupAcksIn,
		EarlySegments: i.EarlySegments, EarlyBytes: i.EarlyBytes,
	}
}

// networkText returns the network as package net names it. The network of an AF_INET6 socket with
// an IPv4 peer is "tcp4", and that of an AF_INET6 socket for both families "tcp".
func networkText(info endpoint.Info) string {
	protocol, is6 := strings.CutSuffix(info.Network, "6")
	switch {
	case is6 && info.Local.Addr().Is4In6():
		return protocol + "4"
	case is6 && !info.Options.V6Only && info.Local.Addr().IsUnspecified():
		return protocol
	}
	return info.Network
}

// addressText returns the address as package net prints it: a mapped address is an IPv4 address.
func addressText(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()).String()
}
