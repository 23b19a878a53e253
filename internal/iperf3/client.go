package iperf3

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"net"
	"strings"
	"time"
)

// protocolVersion is the version of iperf3 whose protocol this is.
const protocolVersion = "3.12"

// Run runs a test as the client of a server at an address. tell, unless it is nil, is told of each
// second while the test runs. A test whose context ends is an error, and the server is told.
func Run(ctx context.Context, n Network, address string, p Params, tell func(Interval)) (*Report, error) {
	p = p.Complete()
	if err := p.Check(); err != nil {
		return nil, err
	}
	dialCtx, cancel := context.WithTimeout(ctx, controlTimeout)
	defer cancel()
	conn, err := n.DialContext(dialCtx, "tcp", address)
	if err != nil {
		return nil, &Error{Problem: "can't reach the server at " + address, Cause: err, Advice: "start one there: wsstack bench --server, or iperf3 -s"}
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	c := &client{network: n, address: address, params: p, channel: channel{conn}, cookie: newCookie(), tell: tell}
	defer c.closeStreams()
	report, err := c.run(ctx)
	if err != nil && ctx.Err() != nil {
		return nil, errInterrupted
	}
	return report, err
}

var errInterrupted = &Error{Problem: "the test was interrupted"}

// newCookie makes the name of a test.
func newCookie() string {
	b := make([]byte, 23)
	_, _ = rand.Read(b)
	return strings.ToLower(base32.StdEncoding.EncodeToString(b))[:cookieSize-1] + "\x00"
}

// A client is one side of a test.
type client struct {
	channel
	network Network
	address string
	params  Params
	cookie  string
	streams []*stream
	tell    func(Interval)
}

func (c *client) run(ctx context.Context) (*Report, error) {
	if err := c.within(controlTimeout); err != nil {
		return nil, err
	}
	if _, err := c.Write([]byte(c.cookie)); err != nil {
		return nil, ended(err)
	}
	if err := c.expect(exchangeParams); err != nil {
		return nil, err
	}
	if err := c.sendJSON(&c.params); err != nil {
		return nil, ended(err)
	}
	if err := c.expect(createStreams); err != nil {
		return nil, err
	}
	if err := c.createStreams(ctx); err != nil {
		return nil, err
	}
	for _, s := range []state{testStart, testRunning} {
		if err := c.expect(s); err != nil {
			return nil, err
		}
	}
	report := newReport(&c.params, c.cookie, c.streams)
	mine, err := c.measure(ctx, report)
	if err != nil {
		return nil, err
	}
	theirs, err := c.exchange(mine)
	if err != nil {
		return nil, err
	}
	report.finish(&c.params, c.params.roles(), mine, theirs)
	return report, nil
}

// measure runs the streams until the end of the test, and tells the server.
func (c *client) measure(ctx context.Context, report *Report) (*results, error) {
	if err := c.within(0); err != nil {
		return nil, err
	}
	early := make(chan struct{})
	var message state
	var failed error
	go func() { // ends with the control connection, or with the server's answer to the end
		message, failed = c.receiveState()
		close(early)
	}()
	over := ctx
	if c.params.Time > 0 {
		var cancel context.CancelFunc
		over, cancel = context.WithTimeout(ctx, time.Duration(c.params.Time+c.params.Omit)*time.Second)
		defer cancel()
	}
	r := begin(&c.params, c.streams)
	newMeter(r, report, c.tell).watch(over.Done(), r.full, early)
	res := r.results(r.end())
	if ctx.Err() != nil {
		_ = c.within(time.Second)
		_ = c.sendState(clientTerminate)
		_ = c.SetDeadline(time.Unix(1, 0))
		<-early
		return nil, errInterrupted
	}
	select {
	case <-early:
		if failed != nil {
			return nil, ended(failed)
		}
		return nil, c.unexpected(message)
	default:
	}
	err := c.within(controlTimeout)
	if err == nil {
		err = c.sendState(testEnd)
	}
	<-early
	switch {
	case err != nil:
		return nil, ended(err)
	case failed != nil:
		return nil, ended(failed)
	case message != exchangeResults:
		return nil, c.unexpected(message)
	}
	return &res, nil
}

// exchange gives the server the results, and gets the server's.
func (c *client) exchange(mine *results) (*results, error) {
	if err := c.sendJSON(mine); err != nil {
		return nil, ended(err)
	}
	var theirs results
	if err := c.receiveJSON(&theirs, maxResults); err != nil {
		return nil, err
	}
	if err := c.expect(displayResults); err != nil {
		return nil, err
	}
	_ = c.sendState(testDone) // the server may be gone
	return &theirs, nil
}

// createStreams connects the streams, one after the other, as their numbers come from the order.
func (c *client) createStreams(ctx context.Context) error {
	for i, sender := range c.params.roles() {
		conn, err := c.connect(ctx)
		if err != nil {
			return err
		}
		c.streams = append(c.streams, newStream(c.network, &c.params, i, sender, conn))
	}
	return nil
}

// newStream makes the stream that is the i-th.
func newStream(n Network, p *Params, i int, sender bool, conn net.Conn) *stream {
	s := &stream{id: streamID(i), sender: sender, conn: conn, params: p}
	if r, ok := n.(interface {
		Retransmissions(net.Conn) (int64, bool)
	}); ok {
		s.resent = r.Retransmissions
	}
	return s
}

// connect makes the connection of a stream.
func (c *client) connect(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, controlTimeout)
	defer cancel()
	conn, err := c.network.DialContext(ctx, c.params.protocol(), c.address)
	if err == nil && c.params.UDP {
		err = hello(ctx, conn)
	} else if err == nil {
		tune(conn, &c.params)
		_, err = conn.Write([]byte(c.cookie))
	}
	if err != nil {
		if conn != nil {
			_ = conn.Close()
		}
		return nil, &Error{Problem: "can't make a stream to " + c.address, Cause: err}
	}
	return conn, nil
}

// hello makes the server know a stream of datagrams. Either datagram may be lost.
func hello(ctx context.Context, conn net.Conn) (err error) {
	answer := make([]byte, maxDatagram)
	for range helloTries {
		if _, err = conn.Write([]byte(helloDatagram)); err != nil {
			return err
		}
		if err = conn.SetReadDeadline(time.Now().Add(helloTimeout / helloTries)); err != nil {
			return err
		}
		n, failed := conn.Read(answer)
		if failed == nil && string(answer[:n]) == answerDatagram {
			return conn.SetReadDeadline(time.Time{})
		}
		if err = failed; ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if err == nil {
		err = &Error{Problem: "what answers there is no server of iperf3"}
	}
	return err
}

// tune sets what the parameters say of a TCP stream. What a socket can't do is left as it is.
func tune(conn net.Conn, p *Params) {
	if c, ok := conn.(interface{ SetNoDelay(bool) error }); ok && p.NoDelay {
		_ = c.SetNoDelay(true)
	}
	if c, ok := conn.(interface {
		SetReadBuffer(int) error
		SetWriteBuffer(int) error
	}); ok && p.Window > 0 {
		_ = c.SetReadBuffer(p.Window)
		_ = c.SetWriteBuffer(p.Window)
	}
}

func (c *client) closeStreams() {
	for _, s := range c.streams {
		_ = s.conn.Close()
	}
}
