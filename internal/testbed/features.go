package testbed

import (
	"errors"
	"io"
	"net/http"
	"net/netip"
	"slices"

	"github.com/wsstack/wsstack/internal/gateway"
	"github.com/wsstack/wsstack/internal/names"
	"github.com/wsstack/wsstack/internal/peers"
)

// ServiceFeature is a service of package peers. What its programs write to standard error is output
// of the host.
func ServiceFeature(s peers.Service) Feature {
	return Feature{Text: s.String(), Start: func(h *RunningHost) (io.Closer, error) {
		return s.Start(h.stack, h.env())
	}}
}

// StandardFeature are the services that a stack has unless others have their ports: see
// peers.Standard. page makes the server of the status page of a stack; nil: there is none.
func StandardFeature(page func(*RunningHost) *http.Server, others []peers.Service) Feature {
	return Feature{Text: "services", Start: func(h *RunningHost) (io.Closer, error) {
		var server *http.Server
		if page != nil {
			server = page(h)
		}
		var all closers
		for _, s := range peers.Standard(server, others) {
			c, err := s.Start(h.stack, h.env())
			if err != nil {
				_ = all.Close()
				return nil, err
			}
			all = append(all, c)
		}
		return all, nil
	}}
}

// closers are closed in the order in which they are.
type closers []io.Closer

func (c closers) Close() error {
	var errs []error
	for _, closer := range c {
		errs = append(errs, closer.Close())
	}
	return errors.Join(errs...)
}

// env is what services get of a host.
func (h *RunningHost) env() peers.Env {
	return peers.Env{
		Addresses: h.addrs(), Peer: h.neighbour(), Stderr: &lineWriter{host: h}, Logger: h.testbed.Logger().With("host", h.Name()),
	}
}

// GatewayFeature is a way out. The network itself is inside.
func GatewayFeature(cfg gateway.Config) *Feature {
	return &Feature{Text: "gateway", Apart: cfg.Policy.HostLoopback, Start: func(h *RunningHost) (io.Closer, error) {
		cfg := cfg
		cfg.Inside = slices.Concat(cfg.Inside, h.testbed.Inside())
		cfg.Log = h.testbed.Logger().With("host", h.Name())
		g, err := gateway.Start(h.stack, cfg)
		if err != nil {
			return nil, err
		}
		return g, nil
	}}
}

// ResolverFeature is the name server of the network. It asks the machine's resolver about other
// names where there is a way out.
func ResolverFeature() *Feature {
	return &Feature{Text: "name server", Start: func(h *RunningHost) (io.Closer, error) {
		zone, err := names.NewZone(names.HostsOf(h.testbed.Names()), h.testbed.Inside())
		if err != nil {
			return nil, err
		}
		cfg := names.Config{Addresses: h.addrs(), Zone: zone}
		if h.testbed.HasGateway() {
			cfg.Upstream = &names.Upstream{}
		}
		server, err := names.Start(h.stack, cfg)
		if err != nil {
			return nil, err
		}
		return server, nil
	}}
}

// addrs are the addresses of the host without the lengths of their prefixes.
func (h *RunningHost) addrs() []netip.Addr {
	list := make([]netip.Addr, len(h.addresses))
	for i, p := range h.addresses {
		list[i] = p.Addr()
	}
	return list
}

// neighbour is the first address of the host at the other end of the only link; the zero Addr:
// there are several.
func (h *RunningHost) neighbour() (a netip.Addr) {
	for _, l := range h.testbed.network.Links {
		end, ok := l.end(h.Name())
		switch {
		case ok && a.IsValid():
			return netip.Addr{}
		case ok && len(l.Ends[1-end].Addresses) > 0:
			a = l.Ends[1-end].Addresses[0].Addr()
		}
	}
	return a
}
