//go:build linux

package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// An order is what a client is to measure.
type order struct {
	What    string // a key of clientWork, or "hello", "open" and "close"
	Streams int
	Length  time.Duration
}

// clientRole is a client: it carries out the orders of its standard input, and writes the figures.
func clientRole([]string) error {
	if err := os.WriteFile("/proc/sys/net/ipv4/tcp_congestion_control", []byte(unpaced), 0); err != nil {
		return err
	}
	orders, results := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	var held []net.Conn
	for {
		var o order
		if err := orders.Decode(&o); err != nil {
			return nil // the parent has gone, or has enough
		}
		var figures []float64
		var err error
		switch o.What {
		case "open":
			held, err = open(o.Streams)
		case "close":
			for _, c := range held {
				_ = c.Close()
			}
			held = nil
		default:
			figures, err = clientWork[o.What](o)
		}
		text := ""
		if err != nil {
			text = err.Error()
		}
		if err := results.Encode(result{figures, text}); err != nil {
			return err
		}
	}
}

// A result is what a client says of an order.
type result struct {
	Figures []float64
	Error   string
}

var clientWork = map[string]func(order) ([]float64, error){
	"hello": hello, "up": up, "down": down, "trip": trip, "requests": requests, "connections": connections, "datagrams": datagrams,
}

func dial(mode byte) (net.Conn, error) {
	c, err := net.DialTimeout("tcp", net.JoinHostPort(serverAddress, serverPort), 5*time.Second)
	if err != nil {
		return nil, err
	}
	_, err = c.Write([]byte{mode})
	return c, err
}

// hello waits until the way out is open.
func hello(order) (_ []float64, err error) {
	for range 300 {
		var c net.Conn
		if c, err = dial(modeEcho); err == nil {
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
func open(n int) (list []net.Conn, err error) {
	for range n {
		c, err := dial(modeEcho)
		if err == nil {
			err = ping(c)
		}
		if err != nil {
			return list, fmt.Errorf("connection %d: %w", len(list), err)
		}
		list = append(list, c)
	}
	return list, nil
}

// together runs work several times at once, and returns the first error.
func together(n int, work func() error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = work() })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// up sends, and returns Gbit/s: until the server has everything.
func up(o order) ([]float64, error) {
	var total atomic.Int64
	start := time.Now()
	err := together(o.Streams, func() error {
		c, err := dial(modeUp)
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
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
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

// down receives, and returns Gbit/s.
func down(o order) ([]float64, error) {
	var total atomic.Int64
	start := time.Now()
	err := together(o.Streams, func() error {
		c, err := dial(modeDown)
		if err != nil {
			return err
		}
		defer c.Close()
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

// trip sends a byte and gets it back, and returns the median and the 99th percentile in µs.
func trip(o order) ([]float64, error) {
	c, err := dial(modeEcho)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var trips []float64
	for start := time.Now(); time.Since(start) < o.Length; {
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

// requests are those a second of connections that stay.
func requests(o order) ([]float64, error) {
	return each(o, func(done func() bool) error {
		c, err := dial(modeRequest)
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

// connections are those a second, with a request each.
func connections(o order) ([]float64, error) {
	return each(o, func(done func() bool) error {
		b := make([]byte, len(answer))
		for !done() {
			c, err := dial(modeRequest)
			if err == nil {
				err = ask(c, b)
			}
			if err != nil {
				return err
			}
			_ = c.Close()
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

// datagrams are those that come back in a second, of sockets that have eight under way each.
func datagrams(o order) ([]float64, error) {
	const window, size = 8, 1200
	var got atomic.Int64
	start := time.Now()
	err := together(o.Streams, func() error {
		c, err := net.Dial("udp", net.JoinHostPort(serverAddress, serverPort))
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

// A client is the process in the namespace.
type client struct {
	orders  *json.Encoder
	results *json.Decoder
}

func (c *client) do(what string, streams int, length time.Duration) ([]float64, error) {
	if err := c.orders.Encode(order{what, streams, length}); err != nil {
		return nil, err
	}
	var r result
	if err := c.results.Decode(&r); err != nil {
		return nil, err
	}
	if r.Error != "" {
		return nil, fmt.Errorf("%s: %s", what, r.Error)
	}
	return r.Figures, nil
}

func newClient(in io.Writer, out io.Reader) *client {
	return &client{json.NewEncoder(in), json.NewDecoder(bufio.NewReader(out))}
}
