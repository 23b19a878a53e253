//go:build linux

package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"

	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"
	wgtun "golang.zx2c4.com/wireguard/tun"
	"golang.zx2c4.com/wireguard/tun/netstack"

	"github.com/wsstack/wsstack/bench"
	"github.com/wsstack/wsstack/bench/traffic"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wg"
	"github.com/wsstack/wsstack/wgnet"
)

// endRole is the first argument of this command where it is an end of a tunnel.
const endRole = "(end)"

// serverPort is where the far end listens, in the tunnel.
const serverPort = 9000

// An end is what the process of an end is told.
type end struct {
	Name      string // for profiles
	Kind      string
	Near      bool // it measures; the other one serves
	Key, Peer wg.Key
	Ports     [2]int        // of UDP: its own, and the peer's
	Addresses [2]netip.Addr // in the tunnel: its own, and the peer's
	Profile   string        // the folder; empty: no profiles
}

// A network is what the kinds of ends have in common.
type network interface {
	Listen(at netip.AddrPort) (net.Listener, error)
	Dial(network string, to netip.AddrPort) (net.Conn, error)
	Close()
}

// kinds are what makes an end of each kind.
var kinds = map[string]func(*end) (network, error){
	ours: (*end).wg, dropIn: (*end).wgnet, bounded: (*end).wgnetBind, theirs: (*end).netstack, kernel: (*end).kernel,
}

// runEnd is an end of a tunnel, until the end of its standard input.
func runEnd(text string) error {
	var e end
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		return err
	}
	n, err := kinds[e.Kind](&e)
	if err != nil {
		return err
	}
	defer n.Close()
	if e.Profile != "" {
		stop, err := bench.Profile(e.Profile, e.Name)
		if err != nil {
			return err
		}
		defer stop()
	}
	if e.Near {
		err = traffic.Obey(func(network string) (net.Conn, error) {
			return n.Dial(network, netip.AddrPortFrom(e.Addresses[1], serverPort))
		}, os.Stdin, os.Stdout)
	} else {
		var l net.Listener
		if l, err = n.Listen(netip.AddrPortFrom(e.Addresses[0], serverPort)); err != nil {
			return err
		}
		go traffic.Serve(l) // ends with the process
		_, err = os.Stdin.Read(make([]byte, 1))
		if l.Close() == nil {
			err = nil // that was the end of the input
		}
	}
	return err
}

// wg is package wg with a stack.
func (e *end) wg() (network, error) {
	cfg := wg.Config{
		PrivateKey: e.Key, ListenPort: e.Ports[0], Addresses: []netip.Prefix{netip.PrefixFrom(e.Addresses[0], 24)},
		Peers: []wg.Peer{{PublicKey: e.Peer, Endpoint: e.peerEndpoint(), AllowedIPs: []netip.Prefix{host(e.Addresses[1])}}},
	}
	d, err := wg.New(cfg)
	if err != nil {
		return nil, err
	}
	s, err := stack.New(cfg.Stack(d))
	if err != nil {
		return nil, err
	}
	return stackNetwork{s}, nil
}

func host(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

func (e *end) peerEndpoint() string { return fmt.Sprintf("127.0.0.1:%d", e.Ports[1]) }

type stackNetwork struct{ *stack.Stack }

func (n stackNetwork) Listen(at netip.AddrPort) (net.Listener, error) {
	return n.Stack.Listen("tcp", at.String())
}

func (n stackNetwork) Dial(network string, to netip.AddrPort) (net.Conn, error) {
	return n.DialContext(context.Background(), network, to.String())
}

func (n stackNetwork) Close() { _ = n.Stack.Close() }

// tunnel is wireguard-go on a device.
func (e *end) tunnel(d wgtun.Device, b conn.Bind) (*device.Device, error) {
	w := device.NewDevice(d, b, device.NewLogger(device.LogLevelError, ""))
	err := w.IpcSet(fmt.Sprintf("private_key=%s\nlisten_port=%d\npublic_key=%s\nendpoint=%s\nallowed_ip=%s\n",
		hex.EncodeToString(e.Key[:]), e.Ports[0], hex.EncodeToString(e.Peer[:]), e.peerEndpoint(), host(e.Addresses[1])))
	if err == nil {
		err = w.Up()
	}
	return w, err
}

// netstack is wireguard-go's own.
func (e *end) netstack() (network, error) {
	d, n, err := netstack.CreateNetTUN(e.Addresses[:1], nil, wg.DefaultMTU)
	if err != nil {
		return nil, err
	}
	w, err := e.tunnel(d, conn.NewDefaultBind())
	return netNetwork{n, func(a netip.AddrPort) (net.Listener, error) { return n.ListenTCPAddrPort(a) }, w}, err
}

// wgnet is the package that replaces it, in a program that changes the import and nothing else.
func (e *end) wgnet() (network, error) {
	return e.replacement(func(*wgnet.Net) conn.Bind { return conn.NewDefaultBind() })
}

// wgnetBind is wgnet with a Bind that bounds what is inside of wireguard-go.
func (e *end) wgnetBind() (network, error) {
	return e.replacement(func(n *wgnet.Net) conn.Bind { return n.Bind(conn.NewDefaultBind()) })
}

func (e *end) replacement(bind func(*wgnet.Net) conn.Bind) (network, error) {
	d, n, err := wgnet.CreateNetTUN(e.Addresses[:1], nil, wg.DefaultMTU)
	if err != nil {
		return nil, err
	}
	w, err := e.tunnel(d, bind(n))
	return netNetwork{n, func(a netip.AddrPort) (net.Listener, error) { return n.ListenTCPAddrPort(a) }, w}, err
}

// A netNetwork is one with wireguard-go's API.
type netNetwork struct {
	net interface {
		DialContext(ctx context.Context, network, address string) (net.Conn, error)
	}
	listen func(netip.AddrPort) (net.Listener, error)
	device *device.Device
}

func (n netNetwork) Listen(at netip.AddrPort) (net.Listener, error) { return n.listen(at) }

func (n netNetwork) Dial(network string, to netip.AddrPort) (net.Conn, error) {
	return n.net.DialContext(context.Background(), network, to.String())
}

func (n netNetwork) Close() { n.device.Close() }

// kernel is wireguard-go as its command is, with a TUN. The address of the other end isn't one of
// this namespace, so the kernel sends what is for it into the tunnel.
func (e *end) kernel() (network, error) {
	d, err := wgtun.CreateTUN("wg0", wg.DefaultMTU)
	if err != nil {
		return nil, err
	}
	w, err := e.tunnel(d, conn.NewDefaultBind())
	if err != nil {
		return nil, err
	}
	err = tun.Configure("wg0", tun.Config{Addresses: []netip.Prefix{netip.PrefixFrom(e.Addresses[0], 24)}, NoAddrGen: true})
	return kernelNetwork{w}, err
}

type kernelNetwork struct{ device *device.Device }

func (n kernelNetwork) Listen(at netip.AddrPort) (net.Listener, error) {
	return net.Listen("tcp", at.String())
}

func (n kernelNetwork) Dial(network string, to netip.AddrPort) (net.Conn, error) {
	return net.Dial(network, to.String())
}

func (n kernelNetwork) Close() { n.device.Close() }
