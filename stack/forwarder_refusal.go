package stack

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"syscall"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// A Refusal is what the sender of a packet that a Forwarder has taken is told when the way on is
// closed. It is an error that the functions of ForwarderConfig may return, alone or wrapped.
type Refusal uint8

// The refusals, with the ICMP errors that tell them (RFC 792, RFC 1812 §5.2.7.1, RFC 4443 §3.1).
const (
	Refused            Refusal = iota + 1 // nobody listens: a RST to a SYN, else port unreachable
	NetworkUnreachable                    // network unreachable; over IPv6, no route to destination
	HostUnreachable                       // host unreachable; over IPv6, address unreachable
	Prohibited                            // communication administratively prohibited
	Ignored                               // nothing is sent: the packet counts as lost
)

// Error says what the refusal means.
func (r Refusal) Error() string {
	switch r {
	case Refused:
		return "refused: nobody listens there"
	case NetworkUnreachable:
		return "network unreachable"
	case HostUnreachable:
		return "host unreachable"
	case Prohibited:
		return "administratively prohibited"
	}
	return "ignored"
}

// RefusalOf is what an error tells the sender of a packet: a Refusal that it wraps; Refused for
// ECONNREFUSED; NetworkUnreachable for ENETUNREACH, and for EAFNOSUPPORT and EADDRNOTAVAIL, which
// hosts without IPv6 have; HostUnreachable for EHOSTUNREACH; Prohibited for fs.ErrPermission;
// Ignored for time-outs, contexts that have ended and net.ErrClosed. The codes of package wsa count
// as those of the system do. Of an *ICMPError, which the sender is told as it is, it is the
// nearest. It is HostUnreachable for other errors, and zero for nil.
func RefusalOf(err error) Refusal {
	var r Refusal
	var timeout net.Error
	if e := syscall.Errno(0); errors.As(err, &e) && e > firstWinsock && e < lastWinsock && !errors.As(err, &r) {
		err = wsa.Errno(e) // of the system's sockets on Windows, where package syscall's names have other numbers
	}
	switch {
	case err == nil:
		return 0
	case errors.As(err, &r):
		return r
	case isAny(err, syscall.ECONNREFUSED, wsa.WSAECONNREFUSED):
		return Refused
	case isAny(err, syscall.ENETUNREACH, wsa.WSAENETUNREACH, syscall.EAFNOSUPPORT, wsa.WSAEAFNOSUPPORT, syscall.EADDRNOTAVAIL, wsa.WSAEADDRNOTAVAIL):
		return NetworkUnreachable
	case isAny(err, syscall.EHOSTUNREACH, wsa.WSAEHOSTUNREACH):
		return HostUnreachable
	case errors.Is(err, fs.ErrPermission):
		return Prohibited
	case errors.As(err, &timeout) && timeout.Timeout(), isAny(err, context.Canceled, context.DeadlineExceeded, net.ErrClosed):
		return Ignored
	}
	return HostUnreachable
}

// Between these lie the numbers of Winsock (WSABASEERR).
const firstWinsock, lastWinsock syscall.Errno = 10000, 12000

// isAny reports an error that is one of several.
func isAny(err error, targets ...error) bool {
	for _, t := range targets {
		if errors.Is(err, t) {
			return true
		}
	}
	return false
}

// tell tells the sender of a packet, which came by an interface, that an error keeps it from going
// on, by a RST or an ICMP error. ip is its header, as plainHeader has it, and payload what is
// behind.
func (f *Forwarder) tell(in *nic, source, destination netip.Addr, ip, payload []byte, err error) {
	if f.stack.down.Load() {
		return
	}
	t := transit{source: source, destination: destination, header: ip}
	if source.Is4() {
		t.header = ip[:header.IPv4MinimumSize]
		t.protocol = header.IPv4(ip).Protocol()
	} else {
		t.protocol = header.IPv6(ip).NextHeader()
	}
	t.size = len(t.header) + len(payload)
	p := tun.Packet{Data: buffer.MakeWithData(t.header)}
	_ = p.Data.Append(buffer.NewViewWithData(payload[:min(len(payload), maxError6)]))
	defer p.Data.Release()
	var e *ICMPError
	if errors.As(err, &e) && e.reportable(source.Is4()) {
		f.stack.sendError(in, &t, &p, e.transit(), e.From)
		return
	}
	switch RefusalOf(err) {
	case Ignored:
	case Refused:
		if t.protocol == uint8(header.TCPProtocolNumber) {
			f.reset(in, &t, payload)
			return
		}
		f.stack.sendError(in, &t, &p, unreachablePort, destination)
	case NetworkUnreachable:
		f.stack.sendError(in, &t, &p, unreachableNet, netip.Addr{})
	case Prohibited:
		f.stack.sendError(in, &t, &p, prohibited, netip.Addr{})
	default:
		f.stack.sendError(in, &t, &p, unreachableHost, netip.Addr{})
	}
}

// plainHeader writes the header of a packet as it would be without options, extension headers and
// fragments, with so many bytes behind it. A header of IPv4 takes the first 20 bytes of b.
func (t *transit) plainHeader(b []byte, protocol uint8, size int) {
	copy(b, t.header)
	if !t.source.Is4() {
		h := header.IPv6(b)
		h[header.IPv6NextHeaderOffset] = protocol
		h.SetPayloadLength(uint16(size))
		return
	}
	h := header.IPv4(b[:header.IPv4MinimumSize])
	h[0] = header.IPv4Version<<4 | header.IPv4MinimumSize/4
	h.SetTotalLength(uint16(len(h) + size))
	h.SetFlagsFragmentOffset(h.Flags()&header.IPv4FlagDontFragment, 0)
	h.SetChecksum(0)
	h.SetChecksum(^h.CalculateChecksum())
}

// reportable reports an error of the right version of IP that may be passed on.
func (e *ICMPError) reportable(v4 bool) bool {
	if e.From.Is4() != v4 || e.From.Is4In6() || !e.From.IsValid() {
		return false
	}
	return e.is(header.ICMPv4DstUnreachable, header.ICMPv6DstUnreachable) || e.is(header.ICMPv4TimeExceeded, header.ICMPv6TimeExceeded) ||
		e.is(header.ICMPv4ParamProblem, header.ICMPv6ParamProblem)
}

// transit is the error in the words of the router.
func (e *ICMPError) transit() transitError {
	if e.From.Is4() {
		return transitError{type4: header.ICMPv4Type(e.Type), code4: header.ICMPv4Code(e.Code)}
	}
	return transitError{type6: header.ICMPv6Type(e.Type), code6: header.ICMPv6Code(e.Code)}
}

// reset answers a SYN with the RST of a host where nobody listens (RFC 9293 §3.10.7.1).
func (f *Forwarder) reset(in *nic, t *transit, segment header.TCP) {
	b := make(header.TCP, header.TCPMinimumSize)
	payload := max(len(segment)-int(segment.DataOffset()), 0)
	b.Encode(&header.TCPFields{
		SrcPort: segment.DestinationPort(), DstPort: segment.SourcePort(), AckNum: segment.SequenceNumber() + 1 + uint32(payload),
		DataOffset: header.TCPMinimumSize, Flags: header.TCPFlagRst | header.TCPFlagAck,
	})
	f.stack.sendAs(in, outbound{from: t.destination, to: t.source, protocol: uint8(header.TCPProtocolNumber), checksumAt: header.TCPChecksumOffset}, b, nil)
}
