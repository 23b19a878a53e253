package wg

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/wsstack/wsstack/tun"
)

// A Device is one end of a tunnel as a packet device. Its methods are safe for concurrent use.
type Device struct {
	tun.Device
}

// A PeerStatus is what is known of a peer.
type PeerStatus struct {
	Peer

	At            netip.AddrPort // where the peer was heard of last; zero: nobody knows
	LastHandshake time.Time      // zero: there was none
	Received      uint64         // bytes of packets of the tunnel
	Sent          uint64
}

// New opens the tunnel.
func New(cfg Config) (*Device, error) { return nil, errors.ErrUnsupported }

// PublicKey is the public key of this end.
func (d *Device) PublicKey() Key { return Key{} }

// ListenPort is the UDP port of the host.
func (d *Device) ListenPort() int { return 0 }

// Peers are the peers, in the order in which they were added.
func (d *Device) Peers() []PeerStatus { return nil }

// SetPeer adds a peer, or replaces the one with its public key. A session that there is goes on.
func (d *Device) SetPeer(p Peer) error { return errors.ErrUnsupported }

// RemovePeer removes a peer.
func (d *Device) RemovePeer(k Key) error { return errors.ErrUnsupported }

// Get writes the state of the tunnel in the form of WireGuard's UAPI (get=1).
func (d *Device) Get(w io.Writer) error { return errors.ErrUnsupported }

// Set changes the tunnel by a text in the form of WireGuard's UAPI (set=1).
func (d *Device) Set(r io.Reader) error { return errors.ErrUnsupported }

// Serve answers UAPI requests, of wg(8) for instance, that come over l, until l or the device is
// closed.
func (d *Device) Serve(l net.Listener) error { return errors.ErrUnsupported }
