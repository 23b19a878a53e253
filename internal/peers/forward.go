package peers

import (
	"context"
	"net"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/stack"
)

// parseForward reads "[ADDRESS:]PORT[/udp]=HOST:PORT".
//
// The host's service is asked before the SYN of the peer is answered: where it refuses, the peer is
// refused, too. So is it where the service is unreachable or doesn't answer, as a listener has no
// other answer. Over UDP every peer has a socket of its own on this system.
func parseForward(text string) (Service, error) {
	at, target, err := splitText(text, "PORT=HOST:PORT, such as 5432=127.0.0.1:5432")
	if err != nil {
		return Service{}, err
	}
	p, err := parsePlace(at, true)
	if err != nil {
		return Service{}, err
	}
	if target, err = parseTarget(target); err != nil {
		return Service{}, err
	}
	s := Service{places: []place{p}, start: func(r *running) error { return r.forward(p, target) }}
	if p.network == "udp" {
		s.start = func(r *running) error { return r.forwardDatagrams(p, target) }
	}
	return s, nil
}

func (r *running) forward(p place, target string) error {
	l, err := r.listen(p, stack.ListenConfig{Options: conditional})
	if err != nil {
		return err
	}
	acceptIf(r, l, func(ctx context.Context) (*net.TCPConn, error) {
		c, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", target)
		if err != nil {
			return nil, err
		}
		return c.(*net.TCPConn), nil
	}, func(c net.Conn, up *net.TCPConn) {
		if r.keep(up) {
			defer r.done(up)
			splice(c.(*endpoint.Conn), up)
		}
	})
	return nil
}

func (r *running) forwardDatagrams(p place, target string) error {
	sockets, err := r.listenPackets(p)
	if err != nil {
		return err
	}
	for _, c := range sockets {
		r.relay(c, func() (net.Conn, error) {
			return (&net.Dialer{Timeout: dialTimeout}).DialContext(r.ctx, "udp", target)
		})
	}
	return nil
}
