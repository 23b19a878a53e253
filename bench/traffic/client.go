package traffic

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// What a client measures; some have several figures.
const (
	Hello       = "hello"       // nothing: the client waits until there is a way to the server
	Open        = "open"        // nothing: the client makes connections that do nothing, but have
	Close       = "close"       // nothing: the client closes those
	Up          = "up"          // Gbit/s that arrive at the server
	Down        = "down"        // Gbit/s from the server
	Both        = "both"        // Gbit/s of connections that carry data both ways at once, summed
	Trip        = "trip"        // µs that a byte needs there and back: the median, the 99th percentile
	Requests    = "requests"    // a second, on connections that stay
	HTTP        = "http"        // requests a second of net/http, on connections that stay
	HTTPClose   = "http-close"  // the same, each on a connection of its own
	Connections = "connections" // a second, with a request each
	Datagrams   = "datagrams"   // that come back in a second
)

// An order is what a client is to measure.
type order struct {
	What    string
	Streams int
	Length  time.Duration
}

// A result is what a client says of an order.
type result struct {
	Figures []float64
	Error   string
	Stuck   bool
}

// ErrStuck is the error of a measurement that doesn't come to an end. Its client is gone then.
var ErrStuck = errors.New("it has got stuck")

// patience is how long a measurement may take besides its length.
const patience = 30 * time.Second

// A Client gives orders to a process that measures.
type Client struct {
	orders  *json.Encoder
	results *json.Decoder
}

// NewClient returns the client that reads its orders from in and answers on out: it runs Obey.
func NewClient(in io.Writer, out io.Reader) *Client {
	return &Client{json.NewEncoder(in), json.NewDecoder(bufio.NewReader(out))}
}

// Do has the client measure, on several connections at once, for about a time.
func (c *Client) Do(what string, streams int, length time.Duration) ([]float64, error) {
	if err := c.orders.Encode(order{what, streams, length}); err != nil {
		return nil, err
	}
	var r result
	if err := c.results.Decode(&r); err != nil {
		return nil, err
	}
	switch {
	case r.Stuck:
		return nil, fmt.Errorf("%s: %w", what, ErrStuck)
	case r.Error != "":
		return nil, fmt.Errorf("%s: %s", what, r.Error)
	}
	return r.Figures, nil
}

// A Dialer makes a connection to the server; network is "tcp" or "udp".
type Dialer func(network string) (net.Conn, error)

// Obey carries out the orders that it reads from in, and writes the figures to out. It returns at
// the end of in, having closed what it holds. Where a measurement has got stuck it returns ErrStuck,
// and leaves goroutines behind: the process should end.
func Obey(dialer Dialer, in io.Reader, out io.Writer) error {
	orders, results := json.NewDecoder(in), json.NewEncoder(out)
	var held []net.Conn
	release := func() {
		for _, c := range held {
			_ = c.Close()
		}
		held = nil
	}
	defer release()
	for {
		var o order
		if err := orders.Decode(&o); err != nil {
			return nil // the parent has gone, or has enough
		}
		var figures []float64
		var err error
		switch o.What {
		case Open:
			var opened []net.Conn
			opened, err = dialer.open(o.Streams)
			held = append(held, opened...)
		case Close:
			release()
		default:
			measure, ok := work[o.What]
			if !ok {
				measure = func(Dialer, order) ([]float64, error) { return nil, errors.New("no such order") }
			}
			figures, err = within(patience+o.Length, func() ([]float64, error) { return measure(dialer, o) })
		}
		r := result{Figures: figures, Stuck: errors.Is(err, ErrStuck)}
		if err != nil {
			r.Error = err.Error()
		}
		if err := results.Encode(r); err != nil {
			return err
		}
		if r.Stuck {
			return ErrStuck
		}
	}
}

// within calls f, and doesn't wait for it for longer than so long.
func within(limit time.Duration, f func() ([]float64, error)) ([]float64, error) {
	var figures []float64
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		figures, err = f()
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return figures, err
	case <-timer.C:
		return nil, ErrStuck
	}
}

var work = map[string]func(Dialer, order) ([]float64, error){
	Hello: Dialer.hello, Up: Dialer.up, Down: Dialer.down, Both: Dialer.both, Trip: Dialer.trip,
	Requests: Dialer.requests, HTTP: Dialer.http, HTTPClose: Dialer.http, Connections: Dialer.connections, Datagrams: Dialer.datagrams,
}

func (d Dialer) dial(mode byte) (net.Conn, error) {
	c, err := d("tcp")
	if err != nil {
		return nil, err
	}
	if _, err = c.Write([]byte{mode}); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// hello waits until there is a way to the server.
func (d Dialer) hello(order) (_ []float64, err error) {
	for range 300 {
		var c net.Conn
		if c, err = d.dial(modeEcho); err == nil {
			err = ping(c)
			_ = c.Close()
			if err == nil {
				return nil, nil
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil, err
}

func ping(c net.Conn) error {
	var b [1]byte
	if _, err := c.Write(b[:]); err != nil {
		return err
	}
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	_, err := io.ReadFull(c, b[:])
	return err
}

// open makes connections that do nothing, but have.
func (d Dialer) open(n int) (list []net.Conn, err error) {
	for range n {
		c, err := d.dial(modeEcho)
		if err != nil {
			return list, fmt.Errorf("connection %d: %w", len(list), err)
		}
		list = append(list, c)
		if err := ping(c); err != nil {
			return list, fmt.Errorf("connection %d: %w", len(list), err)
		}
	}
	return list, nil
}

// together runs work several times at once, and returns all errors.
func together(n int, work func() error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = work() })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// up sends until the server has everything.
func (d Dialer) up(o order) ([]float64, error) {
	var total atomic.Int64
	start := time.Now()
	err := together(o.Streams, func() error {
		c, err := d.dial(modeUp)
		if err != nil {
			return err
		}
		defer c.Close()
		b := make([]byte, block)
		for time.Since(start) < o.Length {
			if _, err := c.Write(b); err != nil {
				return err
			}
		}
		if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			return err
		}
		if _, err := io.ReadFull(c, b[:8]); err != nil {
			return err
		}
		total.Add(int64(binary.BigEndian.Uint64(b)))
		return nil
	})
	return []float64{gbits(total.Load(), time.Since(start))}, err
}

// down receives.
func (d Dialer) down(o order) ([]float64, error) { return d.receive(o, modeDown, func(net.Conn) {}) }

// both sends and receives; what a connection has taken counts as sent.
func (d Dialer) both(o order) ([]float64, error) {
	var sent atomic.Int64
	var senders sync.WaitGroup
	start := time.Now()
	figures, err := d.receive(o, modeBoth, func(c net.Conn) {
		senders.Go(func() { // ends with the connection
			b := make([]byte, block)
			for time.Since(start) < o.Length {
				n, err := c.Write(b)
				sent.Add(int64(n))
				if err != nil {
					return
				}
			}
		})
	})
	senders.Wait()
	return []float64{figures[0] + gbits(sent.Load(), time.Since(start))}, err
}

// receive reads, having told others of each connection.
func (d Dialer) receive(o order, mode byte, opened func(net.Conn)) ([]float64, error) {
	var total atomic.Int64
	start := time.Now()
	err := together(o.Streams, func() error {
		c, err := d.dial(mode)
		if err != nil {
			return err
		}
		defer c.Close()
		opened(c)
		b := make([]byte, block)
		for time.Since(start) < o.Length {
			n, err := c.Read(b)
			if err != nil {
				return err
			}
			total.Add(int64(n))
		}
		return nil
	})
	return []float64{gbits(total.Load(), time.Since(start))}, err
}

func gbits(bytes int64, d time.Duration) float64 { return float64(bytes) * 8 / d.Seconds() / 1e9 }

// trip sends a byte and gets it back.
func (d Dialer) trip(o order) ([]float64, error) {
	c, err := d.dial(modeEcho)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var trips []float64
	for start := time.Now(); len(trips) == 0 || time.Since(start) < o.Length; {
		before := time.Now()
		if err := ping(c); err != nil {
			return nil, err
		}
		trips = append(trips, float64(time.Since(before).Nanoseconds())/1000)
	}
	slices.Sort(trips)
	return []float64{trips[len(trips)/2], trips[len(trips)*99/100]}, nil
}

var request = []byte("GET /index.html HTTP/1.1, about as long as a request without much of a header is\n")

func ask(c net.Conn, b []byte) error {
	if _, err := c.Write(request); err != nil {
		return err
	}
	_, err := io.ReadFull(c, b)
	return err
}

// requests are those of connections that stay.
func (d Dialer) requests(o order) ([]float64, error) {
	return each(o, func(done func() bool) error {
		c, err := d.dial(modeRequest)
		if err != nil {
			return err
		}
		defer c.Close()
		b := make([]byte, len(answer))
		for !done() {
			if err := ask(c, b); err != nil {
				return err
			}
		}
		return nil
	})
}

// http are requests of net/http, of one client with as many connections at once as there are
// streams.
func (d Dialer) http(o order) ([]float64, error) {
	t := &http.Transport{MaxIdleConnsPerHost: o.Streams, DisableKeepAlives: o.What == HTTPClose, DialContext: func(context.Context, string, string) (net.Conn, error) {
		c, err := d("tcp")
		return &late{c, []byte{modeHTTP}}, err
	}}
	defer t.CloseIdleConnections()
	client := http.Client{Transport: t}
	return each(o, func(done func() bool) error {
		for !done() {
			r, err := client.Get("http://server/")
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, r.Body)
			if err = errors.Join(err, r.Body.Close()); err != nil {
				return err
			}
		}
		return nil
	})
}

// A late connection says its mode with its first write: in a segment of its own the mode would be
// waited for, by Nagle's algorithm.
type late struct {
	net.Conn
	mode []byte // nil when it is said
}

func (c *late) Write(b []byte) (int, error) {
	if c.mode == nil {
		return c.Conn.Write(b)
	}
	n, err := c.Conn.Write(append(c.mode, b...))
	n = max(0, n-len(c.mode))
	c.mode = nil
	return n, err
}

// connections are those with a request each.
func (d Dialer) connections(o order) ([]float64, error) {
	return each(o, func(done func() bool) error {
		b := make([]byte, len(answer))
		for !done() {
			c, err := d.dial(modeRequest)
			if err != nil {
				return err
			}
			err = ask(c, b)
			_ = c.Close()
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// each runs workers for a time, and returns how often a second they have called done.
func each(o order, work func(done func() bool) error) ([]float64, error) {
	var n atomic.Int64
	start := time.Now()
	err := together(o.Streams, func() error {
		return work(func() bool { n.Add(1); return time.Since(start) >= o.Length })
	})
	return []float64{float64(n.Load()-int64(o.Streams)) / time.Since(start).Seconds()}, err
}

// datagrams are those of sockets that have eight under way each.
func (d Dialer) datagrams(o order) ([]float64, error) {
	const window, size = 8, 1200
	var got atomic.Int64
	start := time.Now()
	err := together(o.Streams, func() error {
		c, err := d("udp")
		if err != nil {
			return err
		}
		defer c.Close()
		b := make([]byte, size)
		for time.Since(start) < o.Length {
			for range window {
				if _, err := c.Write(b); err != nil {
					return err
				}
			}
			_ = c.SetReadDeadline(time.Now().Add(20 * time.Millisecond)) // those that are lost
			for range window {
				if _, err := c.Read(b); err != nil {
					break
				}
				got.Add(1)
			}
		}
		return nil
	})
	return []float64{float64(got.Load()) / time.Since(start).Seconds()}, err
}
