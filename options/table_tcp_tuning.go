package options

import (
	"time"

	"github.com/wsstack/wsstack/wsa"
)

// untilConnect are the states before a connect has started.
const untilConnect = Fresh | Bound | Listening

// tcpTuningRows are the options of IPPROTO_TCP about the handshake,
// retransmission and congestion.
func tcpTuningRows() []compiler {
	fastOpen := tcpSwitch(wsa.TCP_FASTOPEN, "TCP_FASTOPEN", "W-TCP", Fresh|Bound,
		"TCP Fast Open, set before connect and listen. The handshake is an ordinary one, a permitted outcome.",
		func(v *TCPValues) *bool { return &v.FastOpen })
	fastOpen.alt = []alternative[bool]{{
		in: measuredProfiles, conflict: "C-20", text: "WSAEINVAL for a byte other than 0 and 1",
		change: func(r *row[bool]) { r.codec = zeroOrOne },
	}}
	return []compiler{
		maxRetransmitRow(wsa.TCP_MAXRT, "TCP_MAXRT", "W-TCP", time.Second,
			"Seconds without an answer to unacknowledged data, or to a SYN, before the connection is dropped; 0: the limits of the system, -1: none."),
		maxRetransmitRow(wsa.TCP_MAXRTMS, "TCP_MAXRTMS", "HDR", time.Millisecond,
			"TCP_MAXRT in milliseconds; the two options share one value."),
		tcpSwitch(wsa.TCP_NOSYNRETRIES, "TCP_NOSYNRETRIES", "HDR", untilConnect,
			"The SYN is sent once only; set before connect.",
			func(v *TCPValues) *bool { return &v.NoSynRetries }),
		tcpSwitch(wsa.TCP_TIMESTAMPS, "TCP_TIMESTAMPS", "W-TCP", AnyState,
			"The connection offers timestamps (RFC 7323). The value counts at connect, that of a listener at each SYN.",
			func(v *TCPValues) *bool { return &v.Timestamps }),
		tcpSwitch(wsa.TCP_DELAY_FIN_ACK, "TCP_DELAY_FIN_ACK", "HDR", AnyState,
			"The acknowledgement of a FIN may be delayed. This stack never delays it, which is permitted.",
			func(v *TCPValues) *bool { return &v.DelayFinAck }),
		fastOpen,
		tcpSwitch(wsa.TCP_FAIL_CONNECT_ON_ICMP_ERROR, "TCP_FAIL_CONNECT_ON_ICMP_ERROR", "W-TCP", untilConnect,
			"An ICMP error for the SYN fails the connect at once; set before connect.",
			func(v *TCPValues) *bool { return &v.FailOnICMP }),
		row[uint32]{
			level: wsa.IPPROTO_TCP, name: wsa.TCP_OFFLOAD_PREFERENCE, symbol: "TCP_OFFLOAD_PREFERENCE", tier: 'B',
			doc: "HDR", evidence: byAssumed,
			text:   "Offload to hardware: 0 none, 1 not preferred, 2 preferred. There is no hardware.",
			access: getAndSet, codec: dwordUpTo("DWORD", wsa.TCP_OFFLOAD_PREFERRED), lengths: classD, kinds: Stream,
			field: func(v *Values) *uint32 { return &v.TCP.OffloadPreference },
		},
		row[Congestion]{
			level: wsa.IPPROTO_TCP, name: wsa.TCP_CONGESTION_ALGORITHM, symbol: "TCP_CONGESTION_ALGORITHM", tier: 'B',
			doc: "HDR", evidence: byAssumed, // no page gives values (C-38)
			text:   "Congestion control: 0 default, 1 Reno, 2 Cubic, which is the default.",
			access: getAndSet, codec: congestionID, lengths: classD, kinds: Stream,
			field: func(v *Values) *Congestion { return &v.TCP.Congestion },
		},
		row[wsa.ICMPErrorInfo]{
			level: wsa.IPPROTO_TCP, name: wsa.TCP_ICMP_ERROR_INFO, symbol: "TCP_ICMP_ERROR_INFO", tier: 'B',
			doc:    "W-TCP",
			text:   "The ICMP error that failed the last connect, 0 bytes when none was received; WSAEINVAL without TCP_FAIL_CONNECT_ON_ICMP_ERROR.",
			access: getAccess, codec: icmpError, lengths: classD, kinds: Stream, defText: "none",
			live: func(v *Values, ep Endpoint) (wsa.ICMPErrorInfo, wsa.Errno) {
				if !v.TCP.FailOnICMP { // the page is silent; recommended
					return wsa.ICMPErrorInfo{}, wsa.WSAEINVAL
				}
				return ep.ConnectICMPError(), 0
			},
		},
	}
}

func tcpSwitch(name int32, symbol, doc string, setIn State, text string, field func(*TCPValues) *bool) row[bool] {
	r := row[bool]{
		level: wsa.IPPROTO_TCP, name: name, symbol: symbol, tier: 'B',
		doc: doc, text: text,
		access: getAndSet, codec: boolean, lengths: classF, kinds: Stream,
		field: func(v *Values) *bool { return field(&v.TCP) },
		setIn: setIn,
	}
	if doc == "HDR" {
		r.evidence = byAssumed
	}
	return r
}

// maxRetransmitRow is one of two names of a limit; the last writer wins. The
// default and the meaning of 0 are not documented (C-37).
func maxRetransmitRow(name int32, symbol, doc string, unit time.Duration, text string) row[time.Duration] {
	return row[time.Duration]{
		level: wsa.IPPROTO_TCP, name: name, symbol: symbol, tier: 'B',
		doc: doc, text: text,
		access: getAndSet, codec: retransmission(unit), lengths: classD, kinds: Stream,
		field: func(v *Values) *time.Duration { return &v.TCP.MaxRetransmit },
	}
}
