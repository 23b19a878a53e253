package main

import (
	"fmt"
	"reflect"

	"github.com/wsstack/wsstack/options"
)

// optionValue is an option of a socket for the status page.
type optionValue struct {
	Symbol string `json:"symbol"` // name of the option in the SDK
	Value  string `json:"value"`  // value as Go prints it
}

// valueSymbols has the names of the options for the fields of options.Values. A word behind a name
// says which part of the option the field is. A test checks that every field is here or in
// hiddenValues.
var valueSymbols = map[string]string{
	"Debug":                "SO_DEBUG",
	"ReuseAddr":            "SO_REUSEADDR",
	"ExclusiveAddrUse":     "SO_EXCLUSIVEADDRUSE",
	"DontRoute":            "SO_DONTROUTE",
	"Broadcast":            "SO_BROADCAST",
	"OOBInline":            "SO_OOBINLINE",
	"ConditionalAccept":    "SO_CONDITIONAL_ACCEPT",
	"PortScalability":      "SO_PORT_SCALABILITY",
	"V6Only":               "IPV6_V6ONLY",
	"NoDelay":              "TCP_NODELAY",
	"KeepAlive.On":         "SO_KEEPALIVE",
	"KeepAlive.Idle":       "TCP_KEEPIDLE",
	"KeepAlive.Interval":   "TCP_KEEPINTVL",
	"KeepAlive.Count":      "TCP_KEEPCNT",
	"Linger.On":            "SO_LINGER",
	"Linger.Timeout":       "SO_LINGER seconds",
	"SendBuffer.Bytes":     "SO_SNDBUF",
	"RecvBuffer.Bytes":     "SO_RCVBUF",
	"SendTimeout":          "SO_SNDTIMEO",
	"RecvTimeout":          "SO_RCVTIMEO",
	"PauseAccept":          "SO_PAUSE_ACCEPT",
	"RandomizePort":        "SO_RANDOMIZE_PORT",
	"ReuseUnicastPort":     "SO_REUSE_UNICASTPORT",
	"ReuseMulticastPort":   "SO_REUSE_MULTICASTPORT",
	"CompartmentID":        "SO_COMPARTMENT_ID",
	"OpenType":             "SO_OPENTYPE",
	"CompatibleRecvBuffer": "SIO_SET_COMPATIBILITY_MODE",
	"FastLoopback":         "SIO_LOOPBACK_FAST_PATH",

	"TCP.Urgent.AtByte":         "TCP_EXPEDITED_1122",
	"TCP.NoUrgent":              "TCP_NOURG",
	"TCP.NoSynRetries":          "TCP_NOSYNRETRIES",
	"TCP.Timestamps":            "TCP_TIMESTAMPS",
	"TCP.DelayFinAck":           "TCP_DELAY_FIN_ACK",
	"TCP.FastOpen":              "TCP_FASTOPEN",
	"TCP.FailOnICMP":            "TCP_FAIL_CONNECT_ON_ICMP_ERROR",
	"TCP.OffloadPreference":     "TCP_OFFLOAD_PREFERENCE",
	"TCP.Congestion":            "TCP_CONGESTION_ALGORITHM",
	"TCP.MaxRetransmit":         "TCP_MAXRT",
	"TCP.InitialRTT":            "SIO_TCP_INITIAL_RTO milliseconds",
	"TCP.MaxSynRetransmissions": "SIO_TCP_INITIAL_RTO retransmissions",
	"TCP.AckFrequency":          "SIO_TCP_SET_ACK_FREQUENCY",
	"TCP.InitialWindow":         "SIO_TCP_SET_ICW",

	"UDP.NoChecksum":  "UDP_NOCHECKSUM",
	"UDP.SendSize":    "UDP_SEND_MSG_SIZE",
	"UDP.CoalesceMax": "UDP_RECV_MAX_COALESCED_SIZE",
	"UDP.ConnReset":   "SIO_UDP_CONNRESET",
	"UDP.NetReset":    "SIO_UDP_NETRESET",

	"IPv4.HeaderIncluded":           "IP_HDRINCL",
	"IPv4.TOS":                      "IP_TOS",
	"IPv4.TTL":                      "IP_TTL",
	"IPv4.MulticastTTL":             "IP_MULTICAST_TTL",
	"IPv4.MulticastLoop":            "IP_MULTICAST_LOOP",
	"IPv4.MulticastIf":              "IP_MULTICAST_IF",
	"IPv4.UnicastIf":                "IP_UNICAST_IF",
	"IPv4.DontFragment":             "IP_DONTFRAGMENT",
	"IPv4.MTUDiscover":              "IP_MTU_DISCOVER",
	"IPv4.UserMTU":                  "IP_USER_MTU",
	"IPv4.NRTInterface":             "IP_NRT_INTERFACE",
	"IPv4.ReceiveBroadcast":         "IP_RECEIVE_BROADCAST",
	"IPv4.ProtectionLevel":          "IP_PROTECTION_LEVEL",
	"IPv4.Interfaces.On":            "IP_IFLIST",
	"IPv4.Options":                  "IP_OPTIONS",
	"IPv4.Report.PacketInfo":        "IP_PKTINFO",
	"IPv4.Report.PacketInfoEx":      "IP_PKTINFO_EX",
	"IPv4.Report.HopLimit":          "IP_RECVTTL",
	"IPv4.Report.TrafficClass":      "IP_RECVTOS",
	"IPv4.Report.ECN":               "IP_RECVECN",
	"IPv4.Report.Interface":         "IP_RECVIF",
	"IPv4.Report.Destination":       "IP_RECVDSTADDR",
	"IPv4.Report.OriginalInterface": "IP_ORIGINAL_ARRIVAL_IF",
	"IPv4.Report.RoutingHeader":     "IP_RECVRTHDR",
	"IPv4.Report.Errors":            "IP_RECVERR",

	"IPv6.HeaderIncluded":           "IPV6_HDRINCL",
	"IPv6.TOS":                      "IPV6_TCLASS",
	"IPv6.TTL":                      "IPV6_UNICAST_HOPS",
	"IPv6.MulticastTTL":             "IPV6_MULTICAST_HOPS",
	"IPv6.MulticastLoop":            "IPV6_MULTICAST_LOOP",
	"IPv6.MulticastIf":              "IPV6_MULTICAST_IF",
	"IPv6.UnicastIf":                "IPV6_UNICAST_IF",
	"IPv6.DontFragment":             "IPV6_DONTFRAG",
	"IPv6.MTUDiscover":              "IPV6_MTU_DISCOVER",
	"IPv6.UserMTU":                  "IPV6_USER_MTU",
	"IPv6.NRTInterface":             "IPV6_NRT_INTERFACE",
	"IPv6.ProtectionLevel":          "IPV6_PROTECTION_LEVEL",
	"IPv6.Checksum":                 "IPV6_CHECKSUM",
	"IPv6.Interfaces.On":            "IPV6_IFLIST",
	"IPv6.Options":                  "IPV6_HOPOPTS",
	"IPv6.DestOptions":              "IPV6_DSTOPTS",
	"IPv6.RoutingHeader":            "IPV6_RTHDR",
	"IPv6.Report.PacketInfo":        "IPV6_PKTINFO",
	"IPv6.Report.PacketInfoEx":      "IPV6_PKTINFO_EX",
	"IPv6.Report.HopLimit":          "IPV6_HOPLIMIT",
	"IPv6.Report.TrafficClass":      "IPV6_RECVTCLASS",
	"IPv6.Report.ECN":               "IPV6_RECVECN",
	"IPv6.Report.Interface":         "IPV6_RECVIF",
	"IPv6.Report.Destination":       "IPV6_RECVDSTADDR",
	"IPv6.Report.OriginalInterface": "IP_ORIGINAL_ARRIVAL_IF at IPPROTO_IPV6",
	"IPv6.Report.RoutingHeader":     "IPV6_RECVRTHDR",
	"IPv6.Report.Errors":            "IPV6_RECVERR",

	"GroupID":       "SO_GROUP_ID",
	"GroupPriority": "SO_GROUP_PRIORITY",
	"StickyError":   "SO_ERROR",
}

// hiddenValues are the fields that no option of the socket sets, and those that say how an option
// was set.
var hiddenValues = map[string]bool{
	"BufferCap":             true,
	"Linger.Established":    true,
	"Linger.Fallback":       true,
	"SendBuffer.Set":        true,
	"RecvBuffer.Set":        true,
	"TCP.Urgent.Fixed":      true,
	"IPv4.Checksum":         true, // of the other family
	"IPv4.DestOptions":      true, // of the other family
	"IPv4.RoutingHeader":    true, // of the other family
	"IPv6.ReceiveBroadcast": true, // of the other family
}

// changedOptions lists the options whose values in v differ from the defaults in def. It walks over
// the fields by reflection, so a new option is listed without a change here.
func changedOptions(v, def options.Values) []optionValue {
	list := []optionValue{}
	walkValues("", reflect.ValueOf(v), reflect.ValueOf(def), func(path string, value any) {
		if hiddenValues[path] {
			return
		}
		symbol := valueSymbols[path]
		if symbol == "" {
			symbol = path
		}
		text := fmt.Sprint(value)
		if b, ok := value.(string); ok { // the bytes of a header
			text = fmt.Sprintf("% x", b)
		}
		list = append(list, optionValue{symbol, text})
	})
	return list
}

// walkValues calls yield for each field of v, nested ones included, that differs
// from the same field of def.
func walkValues(prefix string, v, def reflect.Value, yield func(path string, value any)) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if !field.IsExported() {
			continue
		}
		path, a, b := prefix+field.Name, v.Field(i), def.Field(i)
		_, whole := a.Interface().(fmt.Stringer) // such as netip.Addr
		switch {
		case a.Kind() == reflect.Struct && !whole:
			walkValues(path+".", a, b, yield)
		case !reflect.DeepEqual(a.Interface(), b.Interface()):
			yield(path, a.Interface())
		}
	}
}
