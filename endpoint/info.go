package endpoint

import (
	"net/netip"
	"time"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/options"
)

// Info describes a socket at one moment, for Stack.Sockets and the status page.
type Info struct {
	ID        uint64         // the number of the socket on its stack
	Network   string         // "tcp4", "tcp6", "udp4", "udp6", "ip4" or "ip6"
	State     string         // the TCP state as RFC 9293 spells it; "bound" and the like without one
	Local     netip.AddrPort // the local address; not valid before the socket is bound
	Remote    netip.AddrPort // the peer's address; not valid when there is no peer
	RecvQueue int            // how many bytes were received and not read; 0 for a listener
	SendQueue int            // how many bytes were accepted and not acknowledged
	Created   time.Time      // when the socket was made, on the stack's clock
	Connected time.Duration  // how long the connection is established; 0 without one
	Options   options.Values // what the options are set to
	TCP       *TCPInfo       // the connection; nil for a listener, a datagram socket, and before a connect
}

// TCPInfo describes a TCP connection at one moment. Sizes are in bytes. A connection that waits for
// the answer to its SYN has a TCPInfo, too, most of which is 0. SIO_TCP_INFO tells programs the
// part of it that Winsock has. There is no rate of pacing, because the connections of a stack don't
// pace.
type TCPInfo struct {
	MSS        int    // the payload of a full segment
	Timestamps bool   // both SYNs have timestamps (RFC 7323)
	SACK       bool   // both SYNs permit selective acknowledgements (RFC 2018)
	Congestion string // the congestion control: "CUBIC" or "NewReno"
	Phase      string // "slow start", "avoidance", "recovery" or "loss"; "" before there is a Cwnd
	Cwnd       int    // the congestion window; 0 until the handshake is complete
	SSThresh   int    // the slow start threshold; 0: there is none yet
	InFlight   int    // the data that was sent and isn't acknowledged
	SndWnd     int    // the peer's window as its last segment says it
	RcvWnd     int    // our window as our last segment says it

	SRTT   time.Duration // the smoothed round trip (RFC 6298); 0: none was measured
	RTTVar time.Duration // the variation of the round trip
	MinRTT time.Duration // the least round trip of the connection
	RTO    time.Duration // the retransmission time-out, with its back-off

	BytesIn       uint64 // the bytes that came in order
	BytesOut      uint64 // the bytes that were sent for the first time
	BytesAcked    uint64 // the bytes of BytesOut that are acknowledged
	BytesResent   uint64 // the bytes that were sent again
	Resent        uint64 // the segments that were sent again: SYNs, data and FINs
	Fast          uint64 // the recoveries that no time-out began
	Timeouts      uint64 // the retransmission time-outs of data
	SynResent     uint8  // how often our SYN, or SYN-ACK, was sent again
	DupAcksIn     uint64 // the duplicate acknowledgements that came (RFC 5681 §2)
	EarlySegments uint64 // the segments that came ahead of missing ones
	EarlyBytes    uint64 // the bytes in them
}

// InfoOf returns a snapshot of a socket. It is for package stack.
func InfoOf(s *socket.Socket) Info {
	c, i := &conn{sock: s}, s.Info()
	info := Info{
		ID: i.ID, Network: i.Network, State: i.State,
		Local: c.named(i.Local), Remote: c.named(i.Remote),
		RecvQueue: i.RecvQueue, SendQueue: i.SendQueue,
		Created: i.Created, Connected: i.Connected, Options: i.Options,
	}
	if t := i.TCP; t != nil {
		info.TCP = &TCPInfo{
			MSS: t.MSS, Timestamps: t.Timestamps, SACK: t.SACK,
			Congestion: t.Congestion, Phase: t.Phase, Cwnd: t.Cwnd, SSThresh: t.SSThresh,
			InFlight: t.InFlight, SndWnd: t.SndWnd, RcvWnd: t.RcvWnd,
			SRTT: t.SRTT, RTTVar: t.RTTVar, MinRTT: t.MinRTT, RTO: t.RTO,
			BytesIn: t.BytesIn, BytesOut: t.BytesOut, BytesAcked: t.BytesAcked,
			BytesResent: t.BytesResent, Resent: t.Resent,
			Fast: t.Fast, Timeouts: t.Timeouts, SynResent: t.SynResent, DupAcksIn: t.DupAcksIn,
			EarlySegments: t.EarlySegments, EarlyBytes: t.EarlyBytes,
		}
	}
	return info
}
