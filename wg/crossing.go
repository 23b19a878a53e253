package wg

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"time"

	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"
)

// apart is the time between an initiation and a response of one peer that both get to the engine. It
// is long enough for the engine to be done with the first one.
const apart = 20 * time.Millisecond

// maxCrossings is how many endpoints are remembered to which initiations are on their way.
const maxCrossings = 1024

// crossings keep apart the initiation and the response that a peer sends when both ends begin a
// handshake at once. The engine has several goroutines for handshakes, and two that deal with one
// peer at the same time can leave it with a session in which nothing that the peer sends is
// understood, for two minutes. The methods are safe for concurrent use.
type crossings struct {
	mu    sync.Mutex
	begun map[netip.AddrPort]crossing // where initiations of this end have gone
}

// A crossing is what has come from an endpoint since this end has sent an initiation there.
type crossing struct {
	kind uint32 // of the last message of a handshake; 0: none has come
	at   time.Time
}

// handshakeType returns the type of a message of a handshake; 0: it is none.
func handshakeType(b []byte) uint32 {
	if len(b) < 4 {
		return 0
	}
	kind := binary.LittleEndian.Uint32(b)
	if kind == device.MessageInitiationType && len(b) == device.MessageInitiationSize ||
		kind == device.MessageResponseType && len(b) == device.MessageResponseSize {
		return kind
	}
	return 0
}

// sent notes that packets go to an endpoint.
func (c *crossings) sent(packets [][]byte, to conn.Endpoint) {
	e, ok := to.(*conn.StdNetEndpoint)
	if !ok || len(packets) != 1 || handshakeType(packets[0]) != device.MessageInitiationType {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.begun == nil || len(c.begun) >= maxCrossings {
		c.begun = map[netip.AddrPort]crossing{}
	}
	c.begun[unmapped(e)] = crossing{}
}

// unmapped is where an endpoint is, the same for each socket that it was heard of by.
func unmapped(e *conn.StdNetEndpoint) netip.AddrPort {
	return netip.AddrPortFrom(e.Addr().Unmap(), e.Port())
}

// came returns how long a packet has to wait, because one of the other kind has just come from the
// same endpoint. That happens once for each initiation of this end, so who forges packets delays
// nothing for long.
func (c *crossings) came(packet []byte, from conn.Endpoint, now time.Time) time.Duration {
	kind := handshakeType(packet)
	e, ok := from.(*conn.StdNetEndpoint)
	if kind == 0 || !ok {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	at := unmapped(e)
	before, ok := c.begun[at]
	switch {
	case !ok:
		return 0
	case before.kind != 0 && before.kind != kind && now.Sub(before.at) < apart:
		delete(c.begun, at)
		return apart - now.Sub(before.at)
	}
	c.begun[at] = crossing{kind, now}
	return 0
}

// A late is a packet that waits.
type late struct {
	packet []byte
	from   conn.Endpoint
	until  time.Time
}
