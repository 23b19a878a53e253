package provider

import (
	"net/netip"

	"github.com/wsstack/wsstack/internal/socket"

	"github.com/wsstack/wsstack/wsa"
)

// A Message is what RecvMsg returns besides the data.
type Message = socket.Message

// RecvMsg is WSARecvMsg (LPFN_WSARECVMSG): RecvFrom with control messages, in
// the layout of package wsa, for the options that ask for them. With
// MSG_ERRQUEUE it returns the oldest ICMP error that IP_RECVERR has kept, or
// WSAEWOULDBLOCK, and never waits.
//
// Errors are those of RecvFrom, and WSAEOPNOTSUPP on a stream. WSAEMSGSIZE comes
// with the result, and MSG_TRUNC in its Flags where data, MSG_CTRUNC where
// control messages were cut off (MS-2).
func (p *Provider) RecvMsg(s wsa.SOCKET, buf, control []byte, flags int32) (m Message, _ error) {
	sock, err := p.socket(s)
	if err == 0 {
		m, err = sock.RecvMsg(buf, control, flags)
	}
	return m, p.result(err)
}

// SendMsg is WSASendMsg: SendTo with control messages, which override the
// options of the socket for one datagram. An invalid address is the NULL
// pointer.
//
// Errors are those of SendTo; WSAEOPNOTSUPP on a stream, in the measured profiles
// WSAEINVAL (WC-6); WSAEADDRNOTAVAIL for a source address that isn't the stack's;
// WSAEINVAL for control messages that are malformed, unknown or out of range.
func (p *Provider) SendMsg(s wsa.SOCKET, buf, control []byte, flags int32, to netip.AddrPort) (n int, _ error) {
	sock, err := p.socket(s)
	if err == 0 {
		n, err = sock.SendMsg(buf, control, flags, to)
	}
	return p.sent(n, err)
}
