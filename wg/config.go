package wg

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// DefaultMTU is the MTU of a tunnel whose Config has none, in bytes: what fits into packets of 1500
// bytes over IPv6.
const DefaultMTU = 1420

// maxKeepalive is the longest interval of persistent keep-alives.
const maxKeepalive = 65535 * time.Second

// A Config describes one end of a tunnel, as a file of wg-quick does. Who prints one shows the
// private key.
type Config struct {
	PrivateKey   Key    // the key of this end; it can't be left out
	ListenPort   int    // the UDP port of the host; 0: any that is free
	FirewallMark uint32 // a mark for the packets of the tunnel, where the system has marks; 0: none

	// MTU is the size of the largest packet in the tunnel, in bytes; 0: DefaultMTU. It is 68 to
	// MaxMTU, and at least 1280 where there is an IPv6 address.
	MTU int

	// Peers are at most 65536. No two of them have the same key, or one of their AllowedIPs in
	// common.
	Peers []Peer

	// Addresses and DNS are for the stack; a Device doesn't look at them.
	Addresses []netip.Prefix
	DNS       []netip.Addr

	// Search are the domains in which wg-quick has the system look for names. A stack takes names
	// as complete, so they have no effect here.
	Search []string

	// Ignored are the lines of a file about the system that wg-quick would change: Table,
	// SaveConfig, and the commands of PreUp, PostUp, PreDown and PostDown. Nothing of it is done
	// here; WriteTo writes the lines again.
	Ignored []string

	// Bind carries the packets of the tunnel; nil: a UDP socket of the system for each family. It
	// belongs to the Device.
	Bind conn.Bind

	// Logger gets what the engine of the tunnel has to say; nil: nobody does.
	Logger *slog.Logger
}

// A Peer is another end of a tunnel.
type Peer struct {
	PublicKey    Key
	PresharedKey Key // zero: none

	// Endpoint is "host:port", where the peer is until it shows up elsewhere; a name is looked up
	// by the system when the peer is added. "": it isn't known, and the peer has to speak first.
	Endpoint string

	// AllowedIPs are the sources that the peer may have, and the destinations that are sent to it.
	// Of several that fit, the longest one counts.
	AllowedIPs []netip.Prefix

	// PersistentKeepalive is the time after which something is sent if nothing was, in whole
	// seconds, so that a NAT on the way doesn't forget the peer; 0: nothing is. It is 65535 s at
	// most.
	PersistentKeepalive time.Duration
}

// Stack returns the configuration of a stack at this end: the device with its addresses, a route
// for each of the AllowedIPs, and the name servers, which are asked through the tunnel. Peers that
// SetPeer adds later get no route by that.
func (c *Config) Stack(d tun.Device) stack.Config {
	s := stack.Config{Device: d, Addresses: c.Addresses, Routes: []stack.Route{}}
	seen := map[netip.Prefix]bool{}
	for _, p := range c.Peers {
		for _, ip := range p.AllowedIPs {
			if ip = ip.Masked(); !seen[ip] {
				seen[ip] = true
				s.Routes = append(s.Routes, stack.Route{Destination: ip})
			}
		}
	}
	for _, a := range c.DNS {
		s.Nameservers = append(s.Nameservers, netip.AddrPortFrom(a, 53))
	}
	return s
}

// check says what is wrong with a configuration, as a *ConfigError.
func (c *Config) check() error {
	switch {
	case c.PrivateKey.IsZero():
		return wrong("make one with: wsstack wg genkey", "there is no private key")
	case c.ListenPort < 0 || c.ListenPort > 65535:
		return wrong("a port is 1 to 65535; 0: any", "port %d", c.ListenPort).of(0, "ListenPort")
	case len(c.Peers) > device.MaxPeers:
		return wrong("divide them among several tunnels", "%d peers are more than %d", len(c.Peers), device.MaxPeers)
	}
	for _, a := range c.Addresses {
		if !a.IsValid() {
			return wrong("10.0.0.1/24 is one", "an address is missing")
		}
	}
	for _, a := range c.DNS {
		if !a.IsValid() {
			return wrong("10.0.0.1 is one", "the address of a name server is missing")
		}
	}
	if err := c.checkPeers(); err != nil {
		return err
	}
	return c.checkMTU()
}

// checkMTU says what is wrong with the MTU.
func (c *Config) checkMTU() error {
	switch {
	case c.MTU == 0:
	case c.MTU < inet.MinMTU4 || c.MTU > MaxMTU:
		return wrong(fmt.Sprintf("it is %d to %d; 0: %d", inet.MinMTU4, MaxMTU, DefaultMTU), "MTU %d", c.MTU).of(0, "MTU")
	case c.MTU < inet.MinMTU6 && c.hasIPv6():
		return wrong("make it 1280 or more, or leave out the IPv6 addresses", "MTU %d is too small for IPv6", c.MTU).of(0, "MTU")
	}
	return nil
}

// hasIPv6 reports whether there are IPv6 packets in the tunnel.
func (c *Config) hasIPv6() bool {
	prefixes := c.Addresses
	for _, p := range c.Peers {
		prefixes = append(prefixes[:len(prefixes):len(prefixes)], p.AllowedIPs...)
	}
	for _, p := range prefixes {
		if p.Addr().Is6() {
			return true
		}
	}
	return false
}

// checkPeers says what is wrong with the peers, each alone and all together.
func (c *Config) checkPeers() error {
	own := c.PrivateKey.PublicKey()
	keys := map[Key]bool{}
	owners := map[netip.Prefix]Key{}
	for i := range c.Peers {
		p := &c.Peers[i]
		if err := p.check(own); err != nil {
			return err.of(i+1, err.at.key)
		}
		if keys[p.PublicKey] {
			return wrong("put its allowed IPs into one [Peer]", "peer %s is there twice", p.PublicKey).of(i+1, "PublicKey")
		}
		keys[p.PublicKey] = true
		for _, ip := range p.AllowedIPs {
			ip = ip.Masked()
			if other, taken := owners[ip]; taken && other != p.PublicKey {
				return wrong("give it to one of them; a longer prefix counts more", "%s is allowed to peer %s and to peer %s", ip, other, p.PublicKey).of(i+1, "AllowedIPs")
			}
			owners[ip] = p.PublicKey
		}
	}
	return nil
}

// check says what is wrong with a peer of the end with a key.
func (p *Peer) check(own Key) *ConfigError {
	switch {
	case p.PublicKey.IsZero():
		return wrong("ask the peer for it: wsstack wg pubkey", "a peer has no public key")
	case p.PublicKey == own:
		return wrong("the public key of a peer is made of the peer's private key", "peer %s is this end itself", p.PublicKey).of(0, "PublicKey")
	case p.PersistentKeepalive < 0 || p.PersistentKeepalive > maxKeepalive || p.PersistentKeepalive%time.Second != 0:
		return wrong("it is 1 to 65535 whole seconds; 0: none", "peer %s: persistent keepalive of %v", p.PublicKey, p.PersistentKeepalive).of(0, "PersistentKeepalive")
	}
	for _, ip := range p.AllowedIPs {
		if !ip.IsValid() {
			return wrong("10.0.0.2/32 is one", "peer %s: an allowed IP is missing", p.PublicKey)
		}
	}
	if p.Endpoint != "" {
		if text, hint := endpointMistake(p.Endpoint); text != "" {
			return wrong(hint, "peer %s: %s", p.PublicKey, text).of(0, "Endpoint")
		}
	}
	return nil
}

// endpointMistake says what is wrong with "host:port"; "": nothing.
func endpointMistake(s string) (text, hint string) {
	host, port, err := net.SplitHostPort(s)
	switch n, portErr := strconv.ParseUint(port, 10, 16); {
	case err != nil && strings.Count(s, ":") > 1 && !strings.HasPrefix(s, "["):
		return "endpoint " + shown(s) + " has no port", "an IPv6 address stands in brackets: [2001:db8::1]:51820"
	case err != nil:
		return "endpoint " + shown(s) + " has no port", "an address or a name stands before it: 192.0.2.1:51820"
	case host == "" || strings.ContainsFunc(host, notInHost):
		return "endpoint " + shown(s) + " has no host", "an address or a name stands before the port: 192.0.2.1:51820"
	case portErr != nil || n == 0:
		return "endpoint " + shown(s) + ": port " + shown(port), "a port is 1 to 65535"
	}
	return "", ""
}

// notInHost reports whether a character isn't one of an address or of a name, and would mean
// something else in a file.
func notInHost(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("/=#[]", r) }
