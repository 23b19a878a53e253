package vocabulary

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/wsa"
)

// Info is what is known of a connection, by name: the fields of Linux's struct tcp_info with
// "tcpi_" in front, in its units, and those of SIO_TCP_INFO by their names in the SDK, such as Cwnd
// and RttUs.
type Info interface {
	// Field returns the value of a field. The error is an *Error without a place when there is no
	// such field, or when nothing is known of it; see FieldUnknown.
	Field(name string) (int64, error)
}

// StackInfo is what this stack knows of a connection: the snapshot of package endpoint, and the
// output of SIO_TCP_INFO, version 2. Of struct tcp_info it has the fields with a counterpart in the
// snapshot; tcpi_options says nothing of the window scale.
type StackInfo struct {
	Socket  endpoint.Info
	Winsock wsa.TCPInfo
}

// infiniteThreshold is what Linux has as slow start threshold before there is one.
const infiniteThreshold = 0x7fffffff

// Field implements Info.
func (i StackInfo) Field(name string) (int64, error) {
	if f := reflect.ValueOf(i.Winsock).FieldByName(name); f.IsValid() {
		return int64(f.Uint()), nil
	}
	get := linuxFields[name].get
	if get == nil {
		return 0, unknownField(Winsock, name)
	}
	t := endpoint.TCPInfo{}
	if i.Socket.TCP != nil {
		t = *i.Socket.TCP
	}
	return get(i.Socket, t), nil
}

// A linuxField is a field of struct tcp_info.
type linuxField struct {
	get  func(endpoint.Info, endpoint.TCPInfo) int64 // nil: this stack doesn't know it
	kind Kind
}

// of is a field that the snapshot has.
func of(get func(endpoint.TCPInfo) int64) linuxField {
	return linuxField{get: func(_ endpoint.Info, t endpoint.TCPInfo) int64 { return get(t) }}
}

// micros is a time in the unit of struct tcp_info.
func micros(d time.Duration) int64 { return int64(d / time.Microsecond) }

// segments is how many segments hold so many bytes; a rest counts as a segment where up is set.
func segments(bytes int, t endpoint.TCPInfo, up bool) int64 {
	switch {
	case t.MSS == 0:
		return 0
	case up:
		return int64((bytes + t.MSS - 1) / t.MSS)
	}
	return int64(bytes / t.MSS)
}

// linuxFields are the fields of struct tcp_info.
var linuxFields = map[string]linuxField{
	"tcpi_state":        {func(i endpoint.Info, _ endpoint.TCPInfo) int64 { return linuxState(i.State) }, TCPState},
	"tcpi_ca_state":     {func(_ endpoint.Info, t endpoint.TCPInfo) int64 { return congestionState(t.Phase) }, CongestionState},
	"tcpi_options":      {func(_ endpoint.Info, t endpoint.TCPInfo) int64 { return infoFlags(t) }, InfoFlags},
	"tcpi_snd_ssthresh": {func(_ endpoint.Info, t endpoint.TCPInfo) int64 { return threshold(t) }, Threshold},

	"tcpi_rto":            of(func(t endpoint.TCPInfo) int64 { return micros(t.RTO) }),
	"tcpi_rtt":            of(func(t endpoint.TCPInfo) int64 { return micros(t.SRTT) }),
	"tcpi_rttvar":         of(func(t endpoint.TCPInfo) int64 { return micros(t.RTTVar) }),
	"tcpi_min_rtt":        of(func(t endpoint.TCPInfo) int64 { return micros(t.MinRTT) }),
	"tcpi_snd_mss":        of(func(t endpoint.TCPInfo) int64 { return int64(t.MSS) }),
	"tcpi_snd_cwnd":       of(func(t endpoint.TCPInfo) int64 { return segments(t.Cwnd, t, false) }),
	"tcpi_unacked":        of(func(t endpoint.TCPInfo) int64 { return segments(t.InFlight, t, true) }),
	"tcpi_snd_wnd":        of(func(t endpoint.TCPInfo) int64 { return int64(t.SndWnd) }),
	"tcpi_rcv_wnd":        of(func(t endpoint.TCPInfo) int64 { return int64(t.RcvWnd) }),
	"tcpi_bytes_acked":    of(func(t endpoint.TCPInfo) int64 { return int64(t.BytesAcked) }),
	"tcpi_bytes_received": of(func(t endpoint.TCPInfo) int64 { return int64(t.BytesIn) }),
	"tcpi_bytes_sent":     of(func(t endpoint.TCPInfo) int64 { return int64(t.BytesOut + t.BytesResent) }),
	"tcpi_bytes_retrans":  of(func(t endpoint.TCPInfo) int64 { return int64(t.BytesResent) }),
	"tcpi_total_retrans":  of(func(t endpoint.TCPInfo) int64 { return int64(t.Resent) }),
	"tcpi_total_rto":      of(func(t endpoint.TCPInfo) int64 { return int64(t.Timeouts) }),
	"tcpi_rcv_ooopack":    of(func(t endpoint.TCPInfo) int64 { return int64(t.EarlySegments) }),
	"tcpi_notsent_bytes": {get: func(i endpoint.Info, t endpoint.TCPInfo) int64 {
		return int64(max(0, i.SendQueue-t.InFlight))
	}},

	"tcpi_retransmits": {}, "tcpi_probes": {}, "tcpi_backoff": {}, "tcpi_snd_wscale": {}, "tcpi_rcv_wscale": {},
	"tcpi_delivery_rate_app_limited": {}, "tcpi_fastopen_client_fail": {}, "tcpi_ato": {}, "tcpi_rcv_mss": {},
	"tcpi_sacked": {}, "tcpi_lost": {}, "tcpi_retrans": {}, "tcpi_fackets": {}, "tcpi_last_data_sent": {},
	"tcpi_last_ack_sent": {}, "tcpi_last_data_recv": {}, "tcpi_last_ack_recv": {}, "tcpi_pmtu": {},
	"tcpi_rcv_ssthresh": {}, "tcpi_advmss": {}, "tcpi_reordering": {}, "tcpi_rcv_rtt": {}, "tcpi_rcv_space": {},
	"tcpi_pacing_rate": {}, "tcpi_max_pacing_rate": {}, "tcpi_segs_out": {}, "tcpi_segs_in": {},
	"tcpi_data_segs_in": {}, "tcpi_data_segs_out": {}, "tcpi_delivery_rate": {}, "tcpi_busy_time": {},
	"tcpi_rwnd_limited": {}, "tcpi_sndbuf_limited": {}, "tcpi_delivered": {}, "tcpi_delivered_ce": {},
	"tcpi_dsack_dups": {}, "tcpi_reord_seen": {}, "tcpi_rehash": {}, "tcpi_total_rto_recoveries": {},
	"tcpi_total_rto_time": {},
}

// linuxStates are the states of TCP in the spelling of RFC 9293, with Linux's numbers.
var linuxStates = map[string]int64{
	"ESTABLISHED": 1, "SYN-SENT": 2, "SYN-RECEIVED": 3, "FIN-WAIT-1": 4, "FIN-WAIT-2": 5, "TIME-WAIT": 6,
	"CLOSED": linuxClosed, "CLOSE-WAIT": 8, "LAST-ACK": 9, "LISTEN": 10, "CLOSING": 11,
}

const linuxClosed = 7

// linuxState is the state of a socket; one without a connection is closed.
func linuxState(name string) int64 {
	if n, ok := linuxStates[name]; ok {
		return n
	}
	return linuxClosed
}

// congestionState is the phase of the congestion window. Linux's states TCP_CA_Disorder and
// TCP_CA_CWR aren't phases of this stack.
func congestionState(phase string) int64 {
	switch phase {
	case "recovery":
		return 3
	case "loss":
		return 4
	}
	return 0
}

func infoFlags(t endpoint.TCPInfo) (n int64) {
	if t.Timestamps {
		n |= 1
	}
	if t.SACK {
		n |= 2
	}
	return n
}

func threshold(t endpoint.TCPInfo) int64 {
	if t.SSThresh == 0 {
		return infiniteThreshold
	}
	return segments(t.SSThresh, t, false)
}

// KnownField reports whether a name is one of a field that a connection has on one of the systems.
func KnownField(name string) bool {
	_, linux := linuxFields[name]
	return linux || isWinsockField(name)
}

func isWinsockField(name string) bool {
	_, ok := reflect.TypeFor[wsa.TCPInfo]().FieldByName(name)
	return ok
}

// fieldText is how a message writes the value of a field.
func fieldText(name string, n int64) string {
	s, kind := Linux, linuxFields[name].kind
	if name == "State" {
		s, kind = Winsock, TCPState
	}
	t := s.Text(kind, n)
	if t == fmt.Sprint(n) {
		return t
	}
	return fmt.Sprintf("%s (%d)", t, n)
}

// FieldUnknown is the error of a kernel's Info that knows nothing of a field: that there is none of
// that name, or that Linux has no value for it.
func FieldUnknown(name string) error { return unknownField(Linux, name) }

// unknownField is the error of a field that a system knows nothing of.
func unknownField(s System, name string) error {
	switch {
	case !KnownField(name):
		return &Error{Problem: name + " isn't the name of a field", Advice: nearestField(name)}
	case s == Linux && isWinsockField(name):
		return &Error{Problem: "Linux has no " + name, Advice: "write a field of struct tcp_info, such as tcpi_snd_cwnd"}
	case s == Linux:
		return &Error{Problem: "this kernel doesn't say " + name, Advice: "write another field"}
	}
	return &Error{Problem: "this stack doesn't know " + name, Advice: "fields that it knows: " + strings.Join(knownFields(), ", ")}
}

// knownFields are the fields of struct tcp_info that this stack has, in order.
func knownFields() []string {
	var list []string
	for name, f := range linuxFields {
		if f.get != nil {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// nearestField is a hint for a name that no field has.
func nearestField(name string) string {
	all := knownFields()
	for i := range reflect.TypeFor[wsa.TCPInfo]().NumField() {
		all = append(all, reflect.TypeFor[wsa.TCPInfo]().Field(i).Name)
	}
	return meant(name, "fields: tcpi_snd_cwnd, tcpi_rto, Cwnd, RttUs, …", all)
}
