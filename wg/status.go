package wg

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A PeerStatus is what is known of a peer.
type PeerStatus struct {
	Peer // Endpoint is as it was given to New or SetPeer

	At            netip.AddrPort // where the peer was heard of last, or else its Endpoint; zero: nobody knows
	LastHandshake time.Time      // zero: there was none
	Received      uint64         // bytes of packets of the tunnel
	Sent          uint64
}

// settings are lines of a configuration in the form of WireGuard's UAPI.
type settings struct{ strings.Builder }

// line adds a line.
func (s *settings) line(name string, value any) { fmt.Fprintf(s, "%s=%v\n", name, value) }

// key adds a line with a key.
func (s *settings) key(name string, k Key) { s.line(name, hex.EncodeToString(k[:])) }

// own adds what isn't about a peer.
func (s *settings) own(c *Config) {
	s.key("private_key", c.PrivateKey)
	s.line("listen_port", c.ListenPort)
	s.line("fwmark", c.FirewallMark)
}

// peer adds a peer whose endpoint is at an address; zero: it isn't known.
func (s *settings) peer(p *Peer, at netip.AddrPort) {
	s.key("public_key", p.PublicKey)
	s.key("preshared_key", p.PresharedKey)
	if at.IsValid() {
		s.line("endpoint", at)
	}
	s.line("persistent_keepalive_interval", int(p.PersistentKeepalive/time.Second))
	s.line("replace_allowed_ips", true)
	for _, ip := range p.AllowedIPs {
		s.line("allowed_ip", ip.Masked())
	}
}

// A state is that of the engine.
type state struct {
	privateKey Key
	listenPort int
	peers      []PeerStatus
}

// state asks the engine.
func (d *Device) state() (s state) {
	text, _ := d.engine.IpcGet() // it can't fail: a string has room for everything
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		s.set(name, value)
	}
	return s
}

// set takes a line that the engine wrote.
func (s *state) set(name, value string) {
	switch name {
	case "private_key":
		s.privateKey = hexKey(value)
		return
	case "listen_port":
		s.listenPort = int(number(value))
		return
	case "public_key":
		s.peers = append(s.peers, PeerStatus{Peer: Peer{PublicKey: hexKey(value)}})
	}
	if len(s.peers) > 0 {
		s.peers[len(s.peers)-1].set(name, value)
	}
}

// set takes a line that the engine wrote about a peer.
func (p *PeerStatus) set(name, value string) {
	switch name {
	case "preshared_key":
		p.PresharedKey = hexKey(value)
	case "endpoint":
		p.At, _ = netip.ParseAddrPort(value)
	case "last_handshake_time_sec":
		if n := number(value); n != 0 {
			p.LastHandshake = time.Unix(int64(n), 0)
		}
	case "last_handshake_time_nsec":
		if n := number(value); n != 0 {
			p.LastHandshake = time.Unix(max(0, p.LastHandshake.Unix()), int64(n))
		}
	case "tx_bytes":
		p.Sent = number(value)
	case "rx_bytes":
		p.Received = number(value)
	case "persistent_keepalive_interval":
		p.PersistentKeepalive = time.Duration(number(value)) * time.Second
	case "allowed_ip":
		if ip, err := netip.ParsePrefix(value); err == nil {
			p.AllowedIPs = append(p.AllowedIPs, ip)
		}
	}
}

// hexKey is a key that the engine wrote.
func hexKey(s string) (k Key) {
	hex.Decode(k[:], []byte(s))
	return k
}

// number is a number that the engine wrote.
func number(s string) uint64 {
	n, _ := strconv.ParseUint(s, 10, 64)
	return n
}

// sort puts the peers into an order, which it returns without those that are gone, and with those
// that are new at its end.
func (s *state) sort(order []Key) []Key {
	place := map[Key]int{}
	for i, k := range order {
		place[k] = i - len(order)
	}
	slices.SortFunc(s.peers, func(a, b PeerStatus) int {
		if d := place[a.PublicKey] - place[b.PublicKey]; d != 0 {
			return d
		}
		return bytes.Compare(a.PublicKey[:], b.PublicKey[:])
	})
	order = order[:0]
	for _, p := range s.peers {
		order = append(order, p.PublicKey)
	}
	return order
}
