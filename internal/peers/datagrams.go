package peers

import (
	"net"
	"net/netip"
)

// answer serves datagrams at a place: one reply for each, none where reply gives nil. The buffer
// that reply gets is its own until it returns.
func (r *running) answer(p place, reply func(datagram []byte) []byte) error {
	sockets, err := r.listenPackets(p)
	if err != nil {
		return err
	}
	for _, c := range sockets {
		r.receive(c, func(b []byte, from net.Addr) {
			if out := reply(b); out != nil && mayAnswer(from) {
				_, _ = c.WriteTo(out, from) // the sender may be gone; that is no concern of ours
			}
		})
	}
	return nil
}

// listenPackets opens a datagram socket of the stack for each of its addresses that the place
// means. A socket for all of them couldn't know which one was asked.
func (r *running) listenPackets(p place) ([]net.PacketConn, error) {
	addresses := r.env.Addresses
	if !p.anywhere() || len(addresses) == 0 {
		addresses = []netip.Addr{p.address}
	}
	var list []net.PacketConn
	for _, a := range addresses {
		c, err := r.stack.ListenUDP("udp", netip.AddrPortFrom(a, p.port))
		if err != nil {
			return nil, err
		}
		if !r.keep(c) {
			return nil, net.ErrClosed
		}
		list = append(list, c)
	}
	return list, nil
}

// maxDatagram is the size of the largest datagram, in bytes.
const maxDatagram = 65535

// receive has handle called for each datagram of a socket.
func (r *running) receive(c net.PacketConn, handle func(datagram []byte, from net.Addr)) {
	r.wg.Go(func() { // ends with the socket
		buf := make([]byte, maxDatagram)
		for {
			n, from, err := c.ReadFrom(buf)
			if err == nil {
				handle(buf[:n], from)
			} else if !r.goesOn(err) {
				return
			}
		}
	})
}

// mayAnswer refuses senders on well-known ports. Such a sender may be a server that answers the
// answer, and two of those never stop (CERT CA-1996-01).
func mayAnswer(from net.Addr) bool {
	a, ok := from.(*net.UDPAddr)
	return ok && a.Port >= 1024
}
