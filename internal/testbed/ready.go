package testbed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// The times of checks: the first pause between two tries, the longest one, and how long a try may
// take.
const (
	firstPause = 20 * time.Millisecond
	longPause  = 500 * time.Millisecond
	tryTimeout = 2 * time.Second
)

// check returns nil when the host is ready or ctx is done. The error says that the host isn't ready
// in time, or never will be.
func (h *RunningHost) check(ctx context.Context) error {
	u := h.host.Until
	if u.Kind == Running {
		return nil
	}
	within := u.Within
	if within == 0 {
		within = DefaultWithin
	}
	limit := time.NewTimer(within)
	defer limit.Stop()
	var last error
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		if last = h.try(ctx, u); last == nil || ctx.Err() != nil {
			return nil
		}
		if errors.Is(last, errNever) {
			return failed("%w", last).of(h.host, "until")
		}
		wait := time.NewTimer(pause)
		select {
		case <-wait.C:
		case <-h.ended: // try once more
		case <-ctx.Done():
		case <-limit.C:
			wait.Stop()
			return failed("not ready within %v: %w", within, last).of(h.host, "until").
				withHint("look at what the host has written, or give it more time with within: %v", 2*within)
		}
		wait.Stop()
	}
}

// errNever says that a check can't hold any more.
var errNever = errors.New("the command has ended, and the host isn't ready")

// try tries a check once.
func (h *RunningHost) try(ctx context.Context, u Check) error {
	over := false
	select {
	case <-h.ended:
		over = true
	default:
	}
	switch {
	case u.Kind == Exit && over && h.status == 0:
		return nil
	case over && h.host.Command != nil:
		return errNever
	case u.Kind == Exit:
		return errors.New("the command runs")
	}
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	if u.Kind == HTTP {
		return h.tryHTTP(ctx, u.Target)
	}
	c, err := h.Dial(ctx, "tcp", u.Target)
	if err != nil {
		return err
	}
	return c.Close()
}

// tryHTTP gets a URL from the host.
func (h *RunningHost) tryHTTP(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	transport := &http.Transport{DialContext: h.Dial, DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, 64<<10) // so that a small one ends well
	if answer.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s answers %s", url, answer.Status)
	}
	return nil
}

// Dial connects to an address from the host, as package net does: with "tcp". A name is one of the
// network's.
func (h *RunningHost) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	switch {
	case h.stack != nil:
		return h.stack.DialContext(ctx, network, address)
	case h.space != nil:
		return h.dialSpace(ctx, address)
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

// dialSpace connects to an address from a namespace, trying all addresses of a name in turn.
func (h *RunningHost) dialSpace(ctx context.Context, address string) (c net.Conn, err error) {
	list, err := h.testbed.resolve(address)
	if err != nil {
		return nil, err
	}
	for _, a := range list {
		if c, err = connect(ctx, h.space, a); err == nil {
			return c, nil
		}
	}
	return nil, err
}
