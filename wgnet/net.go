package wgnet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.zx2c4.com/wireguard/conn"
	wgtun "golang.zx2c4.com/wireguard/tun"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wg"
)

// A Net is a host of a WireGuard network, inside of the process. Its methods are safe for
// concurrent use.
type Net struct {
	stack *stack.Stack
	tun   *wg.TUN
}

// CreateNetTUN makes a host with these addresses and a device for golang.zx2c4.com/wireguard, which
// carries the host's packets. Packets have mtu bytes at most: 68 to wg.MaxMTU, and at least 1280
// where there is an IPv6 address; 0 means [wg.DefaultMTU]. Everything is routed through the device.
// Names are looked up at the name servers, port 53, in order; without any, no name is found but
// localhost. TCP_NODELAY is on for every connection, as it is in netstack; Winsock has it off.
//
// The device is up from the start. Closing it, as Close of wireguard's Device does, closes the
// stack: connections are reset, calls in progress end, and no goroutine stays.
func CreateNetTUN(localAddresses, dnsServers []netip.Addr, mtu int) (wgtun.Device, *Net, error) {
	cfg := stack.Config{Defaults: []options.Assignment{options.TCP_NODELAY.With(true)}}
	for _, a := range localAddresses {
		a = a.Unmap()
		cfg.Addresses = append(cfg.Addresses, netip.PrefixFrom(a, a.BitLen()))
	}
	for _, a := range dnsServers {
		cfg.Nameservers = append(cfg.Nameservers, netip.AddrPortFrom(a.Unmap(), 53))
	}
	if len(dnsServers) == 0 {
		cfg.Resolver = nobody{}
	}
	return create(cfg, mtu)
}

// nobody is the resolver where there are no name servers. It finds nothing, and says why.
type nobody struct{}

// LookupHost implements stack.Resolver.
func (nobody) LookupHost(_ context.Context, name string) ([]string, error) {
	return nil, &net.DNSError{Err: "no such host: only addresses and localhost, as dnsServers is empty", Name: name, IsNotFound: true}
}

// New is CreateNetTUN with the configuration of a stack, all of which counts, but that there must
// be no Device: [wg.Config.Stack] makes one of a file of wg-quick. The options of sockets are
// Winsock's unless Defaults says otherwise.
func New(cfg stack.Config) (wgtun.Device, *Net, error) {
	if cfg.Device != nil {
		return nil, nil, errors.New("wgnet: config.Device: there is one already, which New makes")
	}
	return create(cfg, int(cfg.MTU))
}

// create makes a host whose packets have mtu bytes at most; 0: wg.DefaultMTU.
func create(cfg stack.Config, mtu int) (wgtun.Device, *Net, error) {
	mtu = cmp.Or(mtu, wg.DefaultMTU)
	if mtu < inet.MinMTU4 || mtu > wg.MaxMTU {
		return nil, nil, fmt.Errorf("wgnet: an MTU of %d: it is %d to %d", mtu, inet.MinMTU4, wg.MaxMTU)
	}
	t := wg.NewTUN(mtu)
	cfg.Device = t.Stack()
	s, err := stack.New(cfg)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("wgnet: %w", err), cfg.Device.Close())
	}
	return device{t.Tunnel(), s}, &Net{s, t}, nil
}

// A device is the tunnel's face of a wg.TUN, whose end is that of the stack.
type device struct {
	wgtun.Device
	stack *stack.Stack
}

// Close closes the stack, and with it both faces of the TUN.
func (d device) Close() error { return d.stack.Close() }

// Bind returns inner with a bound for the memory of the engine, as Bind of wg.TUN does. A program
// that needs one gives the result to the device of golang.zx2c4.com/wireguard instead of inner.
func (n *Net) Bind(inner conn.Bind) conn.Bind { return n.tun.Bind(inner) }

// Stack is the stack of the host. Closing it closes the device, too.
func (n *Net) Stack() *stack.Stack { return n.stack }
