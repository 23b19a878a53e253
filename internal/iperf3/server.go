package iperf3

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/wsstack/wsstack/wsa"
)

// ServerConfig says how Serve works. The zero value serves until the context ends.
type ServerConfig struct {
	// One ends the server after one test.
	One bool

	// Ready is called when the server listens; nil: nobody is told.
	Ready func(net.Addr)

	// Done is called after each test, with its report or with the error that has ended it, and
	// never twice at a time; nil: nobody is told.
	Done func(*Report, error)

	// Interval is told of each second of a test; nil: nobody is.
	Interval func(Interval)
}

// maxStrangers is how many connections at a time may be asked whether they belong to a test.
const maxStrangers = 32

// Serve is a server at an address. There is one test at a time: who comes meanwhile hears that the
// server is busy. Serve returns nil after the one test of ServerConfig.One, and the error of the
// context or of the listener otherwise. Nothing is left of it then.
func Serve(ctx context.Context, n Network, address string, cfg ServerConfig) error {
	l, err := n.Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &server{network: n, cfg: cfg, address: l.Addr(), finish: cancel}
	defer s.wg.Wait()
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	defer l.Close()
	if cfg.Ready != nil {
		cfg.Ready(l.Addr())
	}
	strangers := make(chan struct{}, maxStrangers)
	for number := 0; ; number++ {
		strangers <- struct{}{}
		conn, err := l.Accept()
		switch {
		case err == nil:
		case ctx.Err() != nil:
			if s.served() && cfg.One {
				return nil
			}
			return ctx.Err()
		case errors.Is(err, net.ErrClosed), errors.Is(err, wsa.WSAENETDOWN):
			return err
		default:
			<-strangers
			time.Sleep(5 * time.Millisecond) // so that an error that lasts isn't a busy loop
			continue
		}
		a := arrival{conn, number}
		s.wg.Go(func() { s.receive(ctx, a, func() { <-strangers }) }) // ends with the test, or with ctx
	}
}

// A server is what the connections of a listener share.
type server struct {
	network Network
	cfg     ServerConfig
	address net.Addr
	finish  func()
	wg      sync.WaitGroup

	mu   sync.Mutex // a leaf
	test *test      // nil: there is none
	done bool       // the one test is over
}

func (s *server) served() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done
}

// An arrival is a connection with its place in the order of all.
type arrival struct {
	net.Conn
	number int
}

// receive asks a connection for its cookie: it is a stream of the test that is running, or the
// control connection of a new one. known is called as soon as that is known.
func (s *server) receive(ctx context.Context, conn arrival, known func()) {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	cookie := make([]byte, cookieSize)
	_ = conn.SetDeadline(time.Now().Add(controlTimeout))
	_, err := io.ReadFull(conn, cookie)
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	known()
	if err != nil {
		stop()
		_ = conn.Close()
		return
	}
	t, ok := s.enter(conn, cookie)
	switch {
	case t != nil && ok: // the control connection of a new test
		report, err := t.run(ctx)
		stop()
		_ = conn.Close()
		s.leave(report, err)
		return
	case ok: // the test has the stream
		stop()
		return
	}
	_ = channel{conn}.sendState(accessDenied)
	stop()
	_ = conn.Close()
}

// enter finds out what a connection with a cookie is: the control connection of the returned test,
// a stream, or not welcome.
func (s *server) enter(conn arrival, cookie []byte) (_ *test, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.done:
		return nil, false
	case s.test == nil:
		s.test = &test{channel: channel{conn}, server: s, cookie: string(cookie), arrived: make(chan arrival, 2*maxStreams)}
		return s.test, true
	case subtle.ConstantTimeCompare([]byte(s.test.cookie), cookie) != 1:
		return nil, false
	}
	_ = conn.SetDeadline(time.Time{})
	select {
	case s.test.arrived <- conn:
		return nil, true
	default:
		return nil, false
	}
}

// leave ends a test.
func (s *server) leave(report *Report, err error) {
	if s.cfg.Done != nil {
		s.cfg.Done(report, err)
	}
	s.mu.Lock()
	t := s.test
	s.test = nil
	s.done = s.cfg.One
	s.mu.Unlock()
	for len(t.arrived) > 0 { // those that came too late
		_ = (<-t.arrived).Close()
	}
	if s.cfg.One {
		s.finish()
	}
}

// A test is the server's side of one.
type test struct {
	channel
	server  *server
	cookie  string
	params  Params
	arrived chan arrival // TCP streams whose cookie is right
	streams []*stream
	packets *demux // of UDP; nil: there is none
}

func (t *test) run(ctx context.Context) (_ *Report, err error) {
	defer t.close()
	defer func() {
		if err != nil && ctx.Err() != nil {
			err = errInterrupted
		}
	}()
	if err := t.agree(ctx); err != nil {
		return nil, err
	}
	if err := t.collect(ctx); err != nil {
		return nil, err
	}
	for _, s := range []state{testStart, testRunning} {
		if err := t.sendState(s); err != nil {
			return nil, ended(err)
		}
	}
	report := newReport(&t.params, t.cookie, t.streams)
	mine, err := t.measure(ctx, report)
	if err != nil {
		return nil, err
	}
	return report, t.exchange(report, mine)
}

// agree gets the parameters.
func (t *test) agree(ctx context.Context) error {
	if err := t.sendState(exchangeParams); err != nil {
		return ended(err)
	}
	if err := t.receiveJSON(&t.params, maxParams); err != nil {
		return err
	}
	err := t.params.Check()
	if err == nil && t.params.UDP {
		t.packets, err = newDemux(ctx, t)
	}
	if err != nil {
		_ = t.sendState(serverError)
		_, _ = t.Write(make([]byte, 8)) // an error of iperf3, and one of its system: it has none for this
		return &Error{Problem: "the client asks for what can't be", Cause: err}
	}
	return nil
}

// collect waits for the streams.
func (t *test) collect(ctx context.Context) error {
	if err := t.sendState(createStreams); err != nil {
		return ended(err)
	}
	arrived := t.arrived
	if t.params.UDP {
		arrived = t.packets.arrived
	}
	limit := time.NewTimer(controlTimeout)
	defer limit.Stop()
	roles := t.params.roles()
	var all []arrival
	defer func() { // of those that make no test
		if len(t.streams) == 0 {
			for _, c := range all {
				_ = c.Close()
			}
		}
	}()
	for len(all) < len(roles) {
		select {
		case c := <-arrived:
			all = append(all, c)
		case <-limit.C:
			return &Error{Problem: "the client has promised more streams than came"}
		case <-ctx.Done():
			_ = t.sendState(serverTerminate)
			return ctx.Err()
		}
	}
	// The client has connected them one after the other, and each says whose it is when it can.
	slices.SortFunc(all, func(a, b arrival) int { return cmp.Compare(a.number, b.number) })
	for i, clientSends := range roles {
		if t.params.TCP {
			tune(all[i].Conn, &t.params)
		}
		t.streams = append(t.streams, newStream(t.server.network, &t.params, i, !clientSends, all[i].Conn))
	}
	return nil
}

// measure runs the streams until the client says that the test is over.
func (t *test) measure(ctx context.Context, report *Report) (*results, error) {
	if err := t.within(t.params.life()); err != nil {
		return nil, err
	}
	message, failed := state(0), error(nil)
	over := make(chan struct{})
	go func() { // ends with the client's message, or with the control connection
		message, failed = t.receiveState()
		close(over)
	}()
	r := begin(&t.params, t.streams)
	newMeter(r, report, t.server.cfg.Interval).watch(over, ctx.Done())
	res := r.results(r.end())
	if ctx.Err() != nil {
		_ = t.within(time.Second)
		_ = t.sendState(serverTerminate)
		_ = t.SetDeadline(time.Unix(1, 0))
		<-over
		return nil, ctx.Err()
	}
	switch {
	case failed != nil:
		return nil, ended(failed)
	case message != testEnd:
		return nil, t.unexpected(message)
	}
	return &res, nil
}

// exchange gets the results of the client, and gives it the server's.
func (t *test) exchange(report *Report, mine *results) error {
	if err := t.within(controlTimeout); err != nil {
		return err
	}
	if err := t.sendState(exchangeResults); err != nil {
		return ended(err)
	}
	var theirs results
	if err := t.receiveJSON(&theirs, maxResults); err != nil {
		return err
	}
	report.finish(&t.params, t.params.roles(), &theirs, mine)
	if t.params.ServerOutput != 0 {
		mine.Text = report.Text()
	}
	if err := t.sendJSON(mine); err != nil {
		return ended(err)
	}
	if err := t.sendState(displayResults); err != nil {
		return ended(err)
	}
	_, _ = t.receiveState() // the client is done, or gone
	return nil
}

func (t *test) close() {
	for _, s := range t.streams {
		_ = s.conn.Close()
	}
	if t.packets != nil {
		t.packets.close()
	}
}
