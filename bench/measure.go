package bench

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"time"
)

// pipeline connects two sides: from dials, to accepts.
func pipeline(n *Network, out bool) (from, to net.Conn, err error) {
	dialer, listener, addr := n.Near, n.Far, n.FarAddr
	if !out {
		dialer, listener, addr = n.Far, n.Near, n.NearAddr
	}
	port := n.port()
	l, err := listener.Listen(port)
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	if from, err = dialer.Dial(netip.AddrPortFrom(addr, port)); err != nil {
		return nil, nil, err
	}
	if to, err = l.Accept(); err != nil {
		from.Close()
		return nil, nil, err
	}
	return from, to, nil
}

// chunk is the size of a write and of a read of Bulk, in bytes.
const chunk = 256 << 10

// Bulk sends total bytes in one stream, out of the near side or into it, and
// returns bytes per second, until the receiver has them all.
func Bulk(n *Network, out bool, total int) (float64, error) {
	from, to, err := pipeline(n, out)
	if err != nil {
		return 0, err
	}
	defer to.Close()
	start := time.Now()
	sent := make(chan error, 1)
	go func() {
		buf := make([]byte, chunk)
		for left := total; left > 0; left -= chunk {
			if _, err := from.Write(buf[:min(left, chunk)]); err != nil {
				sent <- err
				return
			}
		}
		sent <- from.Close()
	}()
	got, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{to}, make([]byte, chunk))
	if err == nil && got != int64(total) {
		err = io.ErrUnexpectedEOF
	}
	if sendErr := <-sent; err == nil {
		err = sendErr
	}
	return float64(total) / time.Since(start).Seconds(), err
}

// PingPong sends one byte back and forth and returns the median round trip in
// seconds.
func PingPong(n *Network, trips int) (float64, error) {
	times, err := pingPong(n, func(done int) bool { return done >= trips })
	if err != nil {
		return 0, err
	}
	return times[len(times)/2], nil
}

// pingPong goes on until enough says so, and returns the round trips in
// seconds, sorted.
func pingPong(n *Network, enough func(done int) bool) ([]float64, error) {
	from, to, err := pipeline(n, true)
	if err != nil {
		return nil, err
	}
	defer to.Close()
	defer from.Close()
	go func() { // ends when from is closed
		b := make([]byte, 1)
		for {
			if _, err := io.ReadFull(to, b); err != nil {
				return
			}
			if _, err := to.Write(b); err != nil {
				return
			}
		}
	}()
	var times []float64
	b := make([]byte, 1)
	for !enough(len(times)) {
		start := time.Now()
		if _, err := from.Write(b); err != nil {
			return nil, err
		}
		if _, err := io.ReadFull(from, b); err != nil {
			return nil, err
		}
		times = append(times, time.Since(start).Seconds())
	}
	slices.Sort(times)
	return times, nil
}

// ConnectClose opens and closes connections one after the other and returns
// how many a second. The acceptor closes first, so that the remnants in
// TIME-WAIT don't use up the ports of the side that dials.
func ConnectClose(n *Network, count int) (float64, error) {
	return connectClose(n, func(done int) bool { return done >= count })
}

// connectClose is ConnectClose until enough says so.
func connectClose(n *Network, enough func(done int) bool) (float64, error) {
	return short(n, enough, func(c net.Conn) error {
		_, err := c.Read(make([]byte, 1))
		if err == nil {
			err = errors.New("bench: a connection has data where its end was due")
		}
		if !errors.Is(err, io.EOF) {
			return errors.Join(err, c.Close())
		}
		return c.Close()
	})
}

// HardClose is ConnectClose with connections that the side that dials ends with
// a RST: SO_LINGER {1, 0}.
func HardClose(n *Network, count int) (float64, error) {
	return short(n, func(done int) bool { return done >= count }, func(c net.Conn) error {
		err := c.(interface{ SetLinger(int) error }).SetLinger(0)
		return errors.Join(err, c.Close())
	})
}

// turnAway listens at the far side and closes what comes at once, until l is closed.
func (n *Network) turnAway() (port uint16, l net.Listener, err error) {
	port = n.port()
	if l, err = n.Far.Listen(port); err != nil {
		return 0, nil, err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	return port, l, nil
}

// short opens connections one after the other, ends each as told, and returns
// how many a second. The acceptor closes them at once.
func short(n *Network, enough func(done int) bool, end func(net.Conn) error) (float64, error) {
	port, l, err := n.turnAway()
	if err != nil {
		return 0, err
	}
	defer l.Close()
	start := time.Now()
	count := 0
	for ; !enough(count); count++ {
		c, err := n.Near.Dial(netip.AddrPortFrom(n.FarAddr, port))
		if err != nil {
			return 0, err
		}
		if err := end(c); err != nil {
			return 0, err
		}
	}
	return float64(count) / time.Since(start).Seconds(), nil
}
