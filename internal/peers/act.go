package peers

import (
	"context"
	"io"
	"net"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/stack"
)

// talk runs handle for each connection, and closes the connection after it.
func talk(handle func(r *running, c *endpoint.Conn)) act {
	return talkWith(stack.ListenConfig{}, handle)
}

// talkWith is talk with a listener of its own making.
func talkWith(lc stack.ListenConfig, handle func(r *running, c *endpoint.Conn)) act {
	return func(r *running, p place) error {
		l, err := r.listen(p, lc)
		if err != nil {
			return err
		}
		r.accept(l, maxConns, func(c net.Conn) { handle(r, c.(*endpoint.Conn)) })
		return nil
	}
}

// hold accepts connections, and does nothing with them.
func hold(lc stack.ListenConfig) act {
	return func(r *running, p place) error {
		l, err := r.listen(p, lc)
		if err != nil {
			return err
		}
		r.wg.Go(func() { // ends with the listener
			for {
				c, err := l.Accept()
				if err == nil {
					r.hold(c)
				} else if !r.goesOn(err) {
					return
				}
			}
		})
		return nil
	}
}

// deaf listens, and never accepts.
func deaf(lc stack.ListenConfig) act {
	return func(r *running, p place) error {
		_, err := r.listen(p, lc)
		return err
	}
}

// ask has wait decide about each SYN before it is answered, and handle runs for each connection.
func ask(wait func(r *running) error, handle func(net.Conn)) act {
	return func(r *running, p place) error {
		l, err := r.listen(p, stack.ListenConfig{Options: conditional})
		if err != nil {
			return err
		}
		acceptIf(r, l, func(context.Context) (io.Closer, error) { return io.NopCloser(nil), wait(r) },
			func(c net.Conn, _ io.Closer) { handle(c) })
		return nil
	}
}

// datagrams answers each datagram with what reply returns.
func datagrams(reply func(datagram []byte) []byte) act {
	return func(r *running, p place) error { return r.answer(p, reply) }
}
