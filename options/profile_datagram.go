package options

import "github.com/wsstack/wsstack/wsa"

// documentedDatagrams and documentedCreation are the rules of the documents. The rules of the
// profiles Windows and Legacy stand beside them.
var (
	documentedDatagrams = DatagramRules{}
	documentedCreation  = CreationRules{OtherType: wsa.WSAEPROTOTYPE}

	measuredDatagrams = DatagramRules{BroadcastPeers: true, PortZero: true}
	measuredCreation  = CreationRules{AnyFamily: true, TypeFirst: true, OtherType: wsa.WSAEPROTONOSUPPORT}
)

// DatagramRules says where profiles differ in calls on datagram and raw sockets. Package
// internal/socket uses it.
type DatagramRules struct {
	// BroadcastPeers reports whether a socket without SO_BROADCAST may be connected to a broadcast
	// address, and then send to it (BC-2, WC-30). A send that names a broadcast address needs the
	// option in every profile.
	BroadcastPeers bool

	// PortZero reports whether a datagram to port 0 is accepted, and then lost (WC-31). Otherwise
	// the send fails with WSAEADDRNOTAVAIL.
	PortZero bool
}

// Datagrams returns the rules of the profile for calls on datagram and raw sockets.
func (p Profile) Datagrams() DatagramRules { return profileColumns[p.known()].calls.datagrams }

// CreationRules says where profiles differ in the families, types and protocols of socket and
// WSASocket. Package internal/socket uses it.
type CreationRules struct {
	// AnyFamily reports whether AF_UNSPEC leaves the family to the provider where a protocol is
	// given, and is WSAEINVAL where none is (WC-33). Otherwise AF_UNSPEC is a family that this
	// provider doesn't have.
	AnyFamily bool

	// TypeFirst reports whether the type is looked at before the family, so that with two of them
	// unknown the error is WSAESOCKTNOSUPPORT (WC-33).
	TypeFirst bool

	// OtherType is the error of a protocol whose sockets are of another type (WC-33).
	OtherType wsa.Errno
}

// Creation returns the rules of the profile for the creation of sockets.
func (p Profile) Creation() CreationRules { return profileColumns[p.known()].calls.creation }
