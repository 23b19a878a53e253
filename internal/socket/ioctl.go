package socket

import (
	"encoding/binary"

	"github.com/wsstack/wsstack/wsa"
)

const sizeofUint32 = 4

// Ioctl is WSAIoctl and ioctlsocket; n is the number of bytes written to out.
// The codes and their errors are those of Provider.Ioctl in package provider.
func (s *Socket) Ioctl(code uint32, in, out []byte) (n int, err wsa.Errno) {
	switch code {
	case wsa.FIONBIO:
		return 0, s.setMode(in)
	case wsa.FIONREAD:
		return putUint32(out, s.Readable)
	case wsa.SIOCATMARK:
		return putUint32(out, s.atMarkValue)
	case wsa.SIO_ADDRESS_LIST_CHANGE:
		return 0, s.AddressListChange()
	case wsa.SIO_ROUTING_INTERFACE_CHANGE:
		return 0, s.routeChange(in)
	}
	return s.Control(code, in, out)
}

// setMode is FIONBIO.
func (s *Socket) setMode(in []byte) wsa.Errno {
	if len(in) < sizeofUint32 {
		return wsa.WSAEFAULT
	}
	return s.SetNonblocking(binary.LittleEndian.Uint32(in) != 0)
}

// routeChange takes the SOCKADDR of a destination.
func (s *Socket) routeChange(in []byte) wsa.Errno {
	to, err := wsa.ParseSockaddr(in)
	if err != 0 {
		return err
	}
	return s.RoutingInterfaceChange(to)
}

// atMarkValue is SIOCATMARK.
func (s *Socket) atMarkValue() (int, wsa.Errno) {
	mark, err := s.AtMark()
	if mark {
		return 1, err
	}
	return 0, err
}

// putUint32 writes what get returns, and says how many bytes that is.
func putUint32(out []byte, get func() (int, wsa.Errno)) (int, wsa.Errno) {
	if len(out) < sizeofUint32 {
		return 0, wsa.WSAEFAULT
	}
	value, err := get()
	if err != 0 {
		return 0, err
	}
	binary.LittleEndian.PutUint32(out, uint32(value))
	return sizeofUint32, 0
}

// IgnoreResets switches SIO_UDP_CONNRESET and SIO_UDP_NETRESET off, as package
// net does for its datagram sockets on Windows: a server would end because one
// of its clients has gone.
func (s *Socket) IgnoreResets() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values.UDP.ConnReset, s.values.UDP.NetReset = false, false
}
