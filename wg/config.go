package wg

import (
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"time"

	"golang.zx2c4.com/wireguard/conn"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// DefaultMTU is the MTU of a tunnel whose Config has none, in bytes: what fits into packets of 1500
// bytes over IPv6.
const DefaultMTU = 1420

// A Config describes one end of a tunnel, as a file of wg-quick does.
type Config struct {
	PrivateKey   Key    // the key of this end; it can't be left out
	ListenPort   int    // the UDP port of the host; 0: any that is free
	FirewallMark uint32 // a mark for the packets of the tunnel, where the system has marks; 0: none
	MTU          int    // the size of the largest packet in the tunnel in bytes; 0: DefaultMTU
	Peers        []Peer

	// Addresses, DNS and Search are for the stack; a Device doesn't look at them.
	Addresses []netip.Prefix
	DNS       []netip.Addr
	Search    []string

	// Bind carries the packets of the tunnel; nil: a UDP socket of the system for each family.
	Bind conn.Bind

	// Logger gets what the engine of the tunnel has to say; nil: nobody does.
	Logger *slog.Logger
}

// A Peer is another end of a tunnel.
type Peer struct {
	PublicKey    Key
	PresharedKey Key // zero: none

	// Endpoint is "host:port", where the peer is until it shows up elsewhere; a name is looked up by
	// the system when the peer is added. "": it isn't known, and the peer has to speak first.
	Endpoint string

	// AllowedIPs are the sources that the peer may have, and the destinations that are sent to it.
	// Of several that fit, the longest one counts.
	AllowedIPs []netip.Prefix

	// PersistentKeepalive is the time after which something is sent if nothing was, in whole seconds,
	// so that a NAT on the way doesn't forget the peer; 0: nothing is.
	PersistentKeepalive time.Duration
}

// Stack returns the configuration of a stack at this end: the device with its addresses, a route
// for each of the AllowedIPs, and the name servers.
func (c *Config) Stack(d tun.Device) stack.Config { return stack.Config{Device: d} }

// ParseConfig reads a configuration in the form of wg-quick(8).
func ParseConfig(r io.Reader) (*Config, error) { return nil, errors.ErrUnsupported }

// WriteTo writes the configuration in the form of wg-quick(8).
func (c *Config) WriteTo(w io.Writer) (int64, error) { return 0, errors.ErrUnsupported }
