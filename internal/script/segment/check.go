package segment

import (
	"math"

	"github.com/wsstack/wsstack/internal/mistake"
	"github.com/wsstack/wsstack/internal/script/syntax"
)

// Check finds the mistakes of a packet that can be found before the script is played: flags and
// words of ICMP that don't exist, options that have no room, payloads of another length than is
// said, what is said of the wrong direction. An error has a hint (package mistake).
func Check(packet *syntax.Packet, ipv6 bool) error {
	if err := checkIP(packet, ipv6); err != nil {
		return err
	}
	switch {
	case packet.TCP != nil:
		return checkTCP(packet.TCP, packet.Inbound, ipv6)
	case packet.UDP != nil:
		return checkSize(8, packet.UDP.Length, packet.UDP.Payload, ipv6)
	case packet.ICMP != nil:
		return checkICMP(packet.ICMP, ipv6)
	}
	return mistake.Errorf("a packet is of TCP, udp or icmp", "the packet has no protocol")
}

// checkIP checks what is said of the IP header.
func checkIP(packet *syntax.Packet, ipv6 bool) error {
	switch {
	case packet.Inbound && packet.IP.ECN == syntax.ECT01:
		return mistake.Errorf("write [ect0] or [ect1]", "an inbound packet has one code of ECN, not either of two")
	case packet.IP.FlowLabel != nil && !ipv6:
		return mistake.Errorf("leave it out, or begin the script with --ip_version=ipv6", "IPv4 has no flow label")
	case !packet.Inbound && packet.BadChecksum:
		return mistake.Errorf("leave bad checksum out", "the checksum of what the stack sends has to be right")
	}
	return nil
}

// checkTCP checks a segment.
func checkTCP(s *syntax.Segment, inbound, ipv6 bool) error {
	if _, err := parseFlags(s.Flags); err != nil {
		return err
	}
	if inbound && s.AnyOpts {
		return mistake.Errorf("write the options, or none", "an inbound segment can't have any options")
	}
	options, err := encodeOptions(s.Options)
	if err != nil {
		return err
	}
	if inbound && len(options)%4 != 0 {
		return mistake.Errorf("fill up with nop to a multiple of 4 bytes", "the length of the options is %d", len(options))
	}
	length := s.Length
	if !s.HasRange {
		length = len(s.Payload)
	}
	return checkSize(20+len(options), length, s.Payload, ipv6)
}

// checkSize checks a payload behind a header of so many bytes.
func checkSize(header, length int, payload []byte, ipv6 bool) error {
	if payload != nil && len(payload) != length {
		return mistake.Errorf("write the length of the text in quotes", "the length of the payload is %d, and not %d", len(payload), length)
	}
	room := math.MaxUint16 - header
	if !ipv6 {
		room -= 20
	}
	if length < 0 || length > room {
		return mistake.Errorf("cut it into several packets", "a payload of %d bytes doesn't fit in a packet", length)
	}
	return nil
}

// checkICMP checks a message.
func checkICMP(m *syntax.ICMP, ipv6 bool) error {
	kind, number, err := icmpNumbers(ipv6, m.Type, m.Code)
	if err != nil {
		return err
	}
	if m.MTU != nil {
		if err := checkMTU(m, kind, number, ipv6); err != nil {
			return err
		}
	}
	if m.EchoID != nil && !isEcho(ipv6, kind) {
		return mistake.Errorf("leave it out, or write echo_request", "only an echo request and its reply have an id")
	}
	if q := m.Quoted; q != nil {
		header := 0
		if raw := !q.TCP && !q.UDP; raw && q.Length < icmpHeader {
			return mistake.Errorf("write raw (8), or more", "a message of ICMP has 8 bytes at least")
		} else if !raw {
			header = 20
		}
		return checkSize(header, q.Length, nil, ipv6)
	}
	return nil
}

// checkMTU checks that the message is one with an MTU.
func checkMTU(m *syntax.ICMP, kind, number uint8, ipv6 bool) error {
	switch {
	case ipv6 && kind != tooBig:
		return mistake.Errorf("write packet_too_big, or leave the MTU out", "of ICMPv6, only packet_too_big has an MTU")
	case !ipv6 && (kind != unreachable4 || number != fragNeeded):
		return mistake.Errorf("write unreachable frag_needed, or leave the MTU out", "of ICMP, only unreachable frag_needed has an MTU")
	case !ipv6 && *m.MTU > math.MaxUint16:
		return mistake.Errorf("write at most 65535", "the MTU of frag_needed has 16 bits")
	}
	return nil
}
