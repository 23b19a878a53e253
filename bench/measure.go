package bench

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
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
	return meet(dialer, netip.AddrPortFrom(addr, port), l)
}

// meet dials and accepts at the same time: Dial of some sides waits for Accept.
func meet(dialer Side, at netip.AddrPort, l net.Listener) (from, to net.Conn, err error) {
	dialed := make(chan error, 1)
	go func() {
		var err error
		if from, err = dialer.Dial(at); err != nil {
			l.Close() // Accept waits for nobody
		}
		dialed <- err
	}()
	to, err = l.Accept()
	if dialErr := <-dialed; dialErr != nil {
		err = dialErr
	}
	if err != nil && from != nil {
		from.Close()
	}
	return from, to, err
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
	return connectClose(n, 1, func(done int) bool { return done >= count })
}

// connectClose is ConnectClose until enough says so, by several dialers at once.
func connectClose(n *Network, dialers int, enough func(done int) bool) (float64, error) {
	return short(n, dialers, enough, func(c net.Conn) error {
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
	return short(n, 1, func(done int) bool { return done >= count }, func(c net.Conn) error {
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

// short opens connections one after the other, by several dialers at once, ends each as told, and
// returns how many a second. The acceptor closes them at once. Several dialers call enough and end.
func short(n *Network, dialers int, enough func(done int) bool, end func(net.Conn) error) (float64, error) {
	port, l, err := n.turnAway()
	if err != nil {
		return 0, err
	}
	defer l.Close()
	var count atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, dialers)
	start := time.Now()
	for i := range errs {
		wg.Go(func() {
			for errs[i] == nil && !enough(int(count.Load())) {
				var c net.Conn
				if c, errs[i] = n.Near.Dial(netip.AddrPortFrom(n.FarAddr, port)); errs[i] == nil {
					errs[i] = end(c)
					count.Add(1)
				}
			}
		})
	}
	wg.Wait()
	return float64(count.Load()) / time.Since(start).Seconds(), errors.Join(errs...)
}
