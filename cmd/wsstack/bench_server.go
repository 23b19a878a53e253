package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"

	"github.com/wsstack/wsstack/internal/control"
	"github.com/wsstack/wsstack/internal/iperf3"
	"github.com/wsstack/wsstack/internal/testbed"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/stack"
)

// benchKind is the kind of the streams of bench.
const benchKind = "bench"

// A benchRequest asks for a test, or for a server of tests, on a stack. The data doesn't cross the
// control socket.
type benchRequest struct {
	Host    string        `json:"host,omitempty"`
	Server  bool          `json:"server,omitempty"`
	One     bool          `json:"one,omitempty"` // of a server: one test
	Address string        `json:"address"`
	Options []string      `json:"options,omitempty"`
	Params  iperf3.Params `json:"params"`
}

// A benchEvent is what bench is told while a test runs: one of these.
type benchEvent struct {
	Ready    string           `json:"ready,omitempty"` // a server listens here
	Interval *iperf3.Interval `json:"interval,omitempty"`
	Report   *iperf3.Report   `json:"report,omitempty"`
	Failed   string           `json:"failed,omitempty"` // why a test of a server has failed
}

// registerBench has a network serve bench. stackOf finds the stack of a host, or the only one.
func registerBench(s *control.Server, stackOf func(name string) (*stack.Stack, error)) {
	s.HandleStream(benchKind, func(ctx context.Context, request json.RawMessage, open func(any) (*control.Stream, error)) error {
		var r benchRequest
		if err := json.Unmarshal(request, &r); err != nil {
			return control.Errorf(http.StatusBadRequest, "", "the request is no JSON of a test: %v", err)
		}
		st, err := stackOf(r.Host)
		if err != nil {
			return err
		}
		n := iperf3.Stack{Stack: st}
		for _, text := range r.Options {
			a, err := options.ParseAssignment(text)
			if err != nil {
				return err
			}
			n.Options = append(n.Options, a)
		}
		stream, err := open(struct{}{})
		if err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		go func() { // ends with the stream, which the server closes
			_, _ = stream.Read(make([]byte, 1))
			cancel()
		}()
		return runBench(ctx, n, r, json.NewEncoder(stream))
	})
}

// runBench runs a test, or a server of tests, and tells of it.
func runBench(ctx context.Context, n iperf3.Network, r benchRequest, out *json.Encoder) error {
	tell := func(e benchEvent) { _ = out.Encode(e) } // a client that is gone ends ctx
	interval := func(i iperf3.Interval) { tell(benchEvent{Interval: &i}) }
	if !r.Server {
		report, err := iperf3.Run(ctx, n, r.Address, r.Params, interval)
		if err != nil {
			return err
		}
		tell(benchEvent{Report: report})
		return nil
	}
	return iperf3.Serve(ctx, n, r.Address, iperf3.ServerConfig{
		One:      r.One,
		Ready:    func(a net.Addr) { tell(benchEvent{Ready: a.String()}) },
		Interval: interval,
		Done: func(report *iperf3.Report, err error) {
			if err != nil {
				tell(benchEvent{Failed: err.Error()})
				return
			}
			tell(benchEvent{Report: report})
		},
	})
}

// stackFinder finds the stack of a host of a network, or the only one.
func stackFinder(t *testbed.Testbed) func(name string) (*stack.Stack, error) {
	return func(name string) (*stack.Stack, error) {
		var found *stack.Stack
		for _, h := range t.Hosts() {
			switch {
			case h.Stack() == nil || name != "" && h.Name() != name:
			case found != nil:
				return nil, control.Errorf(http.StatusBadRequest, "choose one with --host NAME", "the network has several stacks")
			default:
				found = h.Stack()
			}
		}
		if found == nil {
			return nil, control.Errorf(http.StatusNotFound, "wsstack stat shows the hosts", "the network has no stack %q", name)
		}
		return found, nil
	}
}
