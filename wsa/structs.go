package wsa

import (
	"encoding/binary"
	"net/netip"
)

// The sizes of the option values, in bytes.
const (
	SizeofLinger                  = 4
	SizeofTCPKeepalive            = 12
	SizeofTCPInitialRTOParameters = 4
	SizeofICMPErrorInfo           = 36
	SizeofCompatibilityMode       = 8
)

// Linger is struct linger, the value of SO_LINGER. The 4 bytes are l_onoff at 0 and l_linger at 2.
type Linger struct {
	OnOff  uint16 // whether a close lingers: 0 stands for no, any other value for yes
	Linger uint16 // the time for which a close lingers, in seconds
}

// Append appends the structure to b.
func (l Linger) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, l.OnOff)
	return binary.LittleEndian.AppendUint16(b, l.Linger)
}

// ParseLinger reads a struct linger; it fails with WSAEFAULT when b is short.
func ParseLinger(b []byte) (Linger, Errno) {
	if len(b) < SizeofLinger {
		return Linger{}, WSAEFAULT
	}
	return Linger{OnOff: binary.LittleEndian.Uint16(b), Linger: binary.LittleEndian.Uint16(b[2:])}, NO_ERROR
}

// TCPKeepalive is struct tcp_keepalive (mstcpip.h), the input of
// SIO_KEEPALIVE_VALS, 12 bytes: three u32 in this order.
type TCPKeepalive struct {
	OnOff             uint32 // 0: keep-alive is off, and the times are ignored
	KeepAliveTime     uint32 // the idle time before the first probe in milliseconds
	KeepAliveInterval uint32 // the time between two probes in milliseconds
}

// Append appends the structure to b.
func (k TCPKeepalive) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, k.OnOff)
	b = binary.LittleEndian.AppendUint32(b, k.KeepAliveTime)
	return binary.LittleEndian.AppendUint32(b, k.KeepAliveInterval)
}

// ParseTCPKeepalive reads a struct tcp_keepalive; it fails with WSAEFAULT when
// b is short.
func ParseTCPKeepalive(b []byte) (TCPKeepalive, Errno) {
	if len(b) < SizeofTCPKeepalive {
		return TCPKeepalive{}, WSAEFAULT
	}
	return TCPKeepalive{
		OnOff:             binary.LittleEndian.Uint32(b),
		KeepAliveTime:     binary.LittleEndian.Uint32(b[4:]),
		KeepAliveInterval: binary.LittleEndian.Uint32(b[8:]),
	}, NO_ERROR
}

// TCPInitialRTOParameters is TCP_INITIAL_RTO_PARAMETERS (mstcpip.h), the input
// of SIO_TCP_INITIAL_RTO, 4 bytes: Rtt at 0, MaxSynRetransmissions at 2, one
// byte of padding.
type TCPInitialRTOParameters struct {
	Rtt                   uint16 // the first time-out in ms, or TCP_INITIAL_RTO_…_RTT
	MaxSynRetransmissions uint8  // a number, or a constant TCP_INITIAL_RTO_…_SYN_RETRANSMISSIONS
}

// Append appends the structure to b.
func (p TCPInitialRTOParameters) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, p.Rtt)
	return append(b, p.MaxSynRetransmissions, 0)
}

// ParseTCPInitialRTOParameters reads a TCP_INITIAL_RTO_PARAMETERS; it fails
// with WSAEFAULT when b is short.
func ParseTCPInitialRTOParameters(b []byte) (TCPInitialRTOParameters, Errno) {
	if len(b) < SizeofTCPInitialRTOParameters {
		return TCPInitialRTOParameters{}, WSAEFAULT
	}
	return TCPInitialRTOParameters{Rtt: binary.LittleEndian.Uint16(b), MaxSynRetransmissions: b[2]}, NO_ERROR
}

// ICMPErrorInfo is ICMP_ERROR_INFO, the value of TCP_ICMP_ERROR_INFO, 36 bytes:
// srcaddress (SOCKADDR_INET, 28 bytes) at 0, protocol at 28, type at 32, code at
// 33, two bytes of padding.
type ICMPErrorInfo struct {
	Source   netip.AddrPort // the sender of the ICMP message; the port is normally 0
	Protocol int32          // IPPROTO_ICMP or IPPROTO_ICMPV6
	Type     uint8          // the type of the ICMP message
	Code     uint8          // the code of the ICMP message
}

// Append appends the structure to b.
func (i ICMPErrorInfo) Append(b []byte) []byte {
	end := len(b) + SizeofSockaddrInet
	b = appendZeros(AppendSockaddr(b, i.Source), end)
	b = binary.LittleEndian.AppendUint32(b, uint32(i.Protocol))
	return append(b, i.Type, i.Code, 0, 0)
}

// ParseICMPErrorInfo reads an ICMP_ERROR_INFO; it fails with WSAEFAULT when b is short. Source is
// the zero address when the family is neither AF_INET nor AF_INET6.
func ParseICMPErrorInfo(b []byte) (ICMPErrorInfo, Errno) {
	if len(b) < SizeofICMPErrorInfo {
		return ICMPErrorInfo{}, WSAEFAULT
	}
	source, _ := ParseSockaddr(b[:SizeofSockaddrInet])
	return ICMPErrorInfo{
		Source:   source,
		Protocol: int32(binary.LittleEndian.Uint32(b[28:])),
		Type:     b[32],
		Code:     b[33],
	}, NO_ERROR
}

// CompatibilityMode is WSA_COMPATIBILITY_MODE, the input of
// SIO_SET_COMPATIBILITY_MODE, 8 bytes: two u32 in this order.
type CompatibilityMode struct {
	BehaviorID      uint32 // one of the WsaBehavior constants
	TargetOsVersion uint32 // the version of Windows that is meant; 0x0600 is Vista
}

// Append appends the structure to b.
func (m CompatibilityMode) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, m.BehaviorID)
	return binary.LittleEndian.AppendUint32(b, m.TargetOsVersion)
}

// ParseCompatibilityMode reads a WSA_COMPATIBILITY_MODE; it fails with
// WSAEFAULT when b is short.
func ParseCompatibilityMode(b []byte) (CompatibilityMode, Errno) {
	if len(b) < SizeofCompatibilityMode {
		return CompatibilityMode{}, WSAEFAULT
	}
	return CompatibilityMode{
		BehaviorID:      binary.LittleEndian.Uint32(b),
		TargetOsVersion: binary.LittleEndian.Uint32(b[4:]),
	}, NO_ERROR
}
