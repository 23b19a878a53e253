package provider

import "github.com/wsstack/wsstack/wsa"

// SetSockOpt sets a socket option from the first optlen bytes of optval (S-API,
// S-SET). It never waits, whatever the mode of the socket (AV-15).
//
// Errors, in the order of AV-1: WSAEFAULT when optval is nil, even with an
// optlen of 0 (but for SO_UPDATE_CONNECT_CONTEXT, which has no value), or when
// optlen is more than optval has; WSAEINVAL for an unknown level;
// WSAENOPROTOOPT for an option that is unknown, not of this kind or family of
// socket, or get-only; WSAEFAULT when optlen is too small for the option or
// negative (AV-12; WSAENOBUFS or success in the profiles Windows and Legacy,
// C-77); WSAENETRESET, WSAENOTCONN after a keep-alive drop (KA-32, KA-33);
// WSAEINVAL for the value or the state of the socket; and what the row of the
// option adds.
func (p *Provider) SetSockOpt(s wsa.SOCKET, level, optname int32, optval []byte, optlen int32) error {
	sock, err := p.socket(s)
	if err != 0 {
		return p.result(err)
	}
	return p.result(sock.Setsockopt(level, optname, optval, optlen))
}

// GetSockOpt gets a socket option into optval, of which *optlen bytes may be
// written, and sets *optlen to the size of the value (S-GET, S-API). It never
// waits.
//
// Errors are those of SetSockOpt, with set-only options for get-only ones, and
// without those of the value and the state; WSAEFAULT for a nil optlen, too.
// After a failure optval and *optlen are unchanged, with the exceptions that
// options.Getsockopt lists.
func (p *Provider) GetSockOpt(s wsa.SOCKET, level, optname int32, optval []byte, optlen *int32) error {
	sock, err := p.socket(s)
	if err != 0 {
		return p.result(err)
	}
	if optlen == nil {
		return p.result(wsa.WSAEFAULT)
	}
	*optlen, err = sock.Getsockopt(level, optname, optval, *optlen)
	return p.result(err)
}
