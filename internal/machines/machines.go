// Package machines runs one test network on several machines: the tunnels between them, and the
// talk by which they begin and end together.
//
//	s, err := machines.Open(cfg) // on each machine
//	s.Begin()                    // its stacks and links run
//	<-s.Begun()                  // those of all machines do: commands may start
//	s.Ready("web")               // a host is ready, which the others hear
//	ending := s.End(ctx, wish)   // it is the same on all machines
//	s.Leave(ctx)                 // the others have heard of it
//	s.Close()
//
// The first machine is the hub, which all others have a TCP connection to. The connections go
// through WireGuard tunnels, so that only who has the key of a machine can speak for it.
package machines

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/wsstack/wsstack/wg"
)

// Most is the largest number of machines of a network.
const Most = 250

// DefaultPort is the UDP port of a machine that says no other.
const DefaultPort = 51820

// MaxMTU is the largest MTU of a link between machines in bytes.
const MaxMTU = wg.DefaultMTU

// keepalive is how often a tunnel is used at least, so that a NAT on the way doesn't forget it. It
// also makes both ends begin a handshake when they start, so that neither waits until the other one
// tries again.
const keepalive = 10 * time.Second

// A Machine is one machine of a network.
type Machine struct {
	Name string

	// Host and Port are where others send the packets of the control tunnel to: a name or address,
	// and a UDP port.
	Host string
	Port int

	PublicKey wg.Key
}

// name is a name of hosts of the Internet, in lower case.
var name = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)

// IsName reports whether a machine can have a name: one of a host of the Internet, in lower case.
func IsName(text string) bool { return name.MatchString(text) }

// SplitEndpoint splits a UDP port off the name or address of a machine; without one the port is 0.
// An IPv6 address stands in brackets where there is a port, and may without.
func SplitEndpoint(text string) (host string, port int, err error) {
	bare := text
	if inside, ok := strings.CutPrefix(text, "["); ok && strings.HasSuffix(inside, "]") {
		bare = inside[:len(inside)-1]
	}
	if a, err := netip.ParseAddr(bare); err == nil {
		return a.String(), 0, nil
	}
	host = text
	if strings.Contains(text, ":") {
		var digits string
		host, digits, err = net.SplitHostPort(text)
		n, portErr := strconv.ParseUint(digits, 10, 16)
		if err == nil && (portErr != nil || n == 0) {
			return "", 0, fmt.Errorf("%q is not the number of a port", digits)
		}
		port = int(n)
	}
	if _, notAddress := netip.ParseAddr(host); err != nil || notAddress != nil && !IsName(strings.ToLower(host)) {
		return "", 0, fmt.Errorf("%q is not a name or an address", text)
	}
	return host, port, nil
}

// endpoint is a UDP port of the machine.
func (m *Machine) endpoint(port int) string { return net.JoinHostPort(m.Host, strconv.Itoa(port)) }

// Address is the address of a machine, by its number from 0, in the control tunnel: fd77:7773::1 is
// the hub.
func Address(machine int) netip.Addr {
	number := machine + 1
	return netip.AddrFrom16([16]byte{0: 0xfd, 1: 0x77, 2: 0x77, 3: 0x73, 14: byte(number >> 8), 15: byte(number)})
}

// Control is the control tunnel of a machine: from the hub to all others, or to the hub. A peer may
// have its Address as a source, and no other.
func Control(all []Machine, self int, key wg.Key) wg.Config {
	cfg := wg.Config{PrivateKey: key, ListenPort: all[self].Port}
	for i := range all {
		if i == self || self != hub && i != hub {
			continue
		}
		a := Address(i)
		cfg.Peers = append(cfg.Peers, peer(&all[i], all[i].Port, netip.PrefixFrom(a, a.BitLen())))
	}
	return cfg
}

// A Link is the tunnel of one link between two machines.
type Link struct {
	Ends  [2]int // the machines, by their numbers from 0
	Ports [2]int // their UDP ports
	MTU   int    // the size of the largest packet in bytes
}

// Tunnel is an end of a link. Everything may go through it.
func (l *Link) Tunnel(all []Machine, end int, key wg.Key) wg.Config {
	other := 1 - end
	return wg.Config{
		PrivateKey: key, ListenPort: l.Ports[end], MTU: l.MTU,
		Peers: []wg.Peer{peer(&all[l.Ends[other]], l.Ports[other],
			netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0))},
	}
}

func peer(m *Machine, port int, allowed ...netip.Prefix) wg.Peer {
	return wg.Peer{PublicKey: m.PublicKey, Endpoint: m.endpoint(port), AllowedIPs: allowed, PersistentKeepalive: keepalive}
}
