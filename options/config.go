package options

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/wsstack/wsstack/wsa"
)

// config is the value of PVD_CONFIG: "the current configuration information of
// the service provider" (S-GET), whose format is ours. It holds what governs
// this socket and has no other option, or several. A set replaces all of it or
// fails (PV-2); setting what a get returned changes nothing (PV-1).
type config struct {
	profile        Profile // as the stack was configured; a set must not differ
	idle, interval time.Duration
	count          uint32
	linger         uint16 // Linger.Fallback
	bufferCap      int32
	send, recv     Buffer
}

// The object is configWords little-endian 32-bit words:
//
//	 0  version, 1
//	 4  size of the object in bytes
//	 8  profile
//	12  flags: 1 send buffer set, 2 receive buffer set
//	16  keep-alive idle time, ms
//	20  keep-alive interval, ms
//	24  keep-alive probe count
//	28  linger time-out of SO_DONTLINGER FALSE, s
//	32  cap of both buffers, bytes
//	36  send buffer, bytes
//	40  receive buffer, bytes
const (
	configVersion = 1
	configWords   = 11
	configSize    = 4 * configWords

	configSendSet = 1
	configRecvSet = 2
)

// configBlob insists on the exact length: a longer optval is an object of
// another version (PV-2).
var configBlob = codec[config]{typ: "provider's", size: configSize, decode: parseConfig, encode: putConfig}

func configOf(v *Values, p Profile) config {
	return config{
		profile: p,
		idle:    v.KeepAlive.Idle, interval: v.KeepAlive.Interval, count: v.KeepAlive.Count,
		linger:    v.Linger.Fallback,
		bufferCap: v.BufferCap,
		send:      v.SendBuffer, recv: v.RecvBuffer,
	}
}

func putConfig(b []byte, c config) int {
	flags := bit(c.send.Set)*configSendSet | bit(c.recv.Set)*configRecvSet
	for i, n := range [configWords]uint32{
		configVersion, configSize, uint32(c.profile), flags,
		uint32(c.idle / time.Millisecond), uint32(c.interval / time.Millisecond), c.count,
		uint32(c.linger), uint32(c.bufferCap), uint32(c.send.Bytes), uint32(c.recv.Bytes),
	} {
		putUint32(b[4*i:], n)
	}
	return configSize
}

func parseConfig(b []byte) (config, wsa.Errno) {
	var w [configWords]uint32
	for i := range w {
		w[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	version, size, profile, flags := w[0], w[1], w[2], w[3]
	idle, interval, count, linger := w[4], w[5], w[6], w[7]
	bufferCap, send, recv := w[8], w[9], w[10]
	switch {
	case version != configVersion, size != configSize, len(b) != configSize,
		profile >= uint32(profileCount), flags > configSendSet|configRecvSet,
		idle == 0, interval == 0, count > maxKeepCount,
		linger == 0, linger > math.MaxUint16, // 0 would turn SO_DONTLINGER FALSE into a hard close
		bufferCap == 0, bufferCap > math.MaxInt32, send > bufferCap, recv > bufferCap:
		return config{}, wsa.WSAEINVAL
	}
	return config{
		profile: Profile(profile),
		idle:    time.Duration(idle) * time.Millisecond, interval: time.Duration(interval) * time.Millisecond,
		count: count, linger: uint16(linger), bufferCap: int32(bufferCap),
		send: Buffer{Bytes: int32(send), Set: flags&configSendSet != 0},
		recv: Buffer{Bytes: int32(recv), Set: flags&configRecvSet != 0},
	}, 0
}

// keepAlive is the keep-alive record of v with the parameters of c. Whether
// probing is on is SO_KEEPALIVE's business.
func (c config) keepAlive(v *Values) KeepAlive {
	return KeepAlive{On: v.KeepAlive.On, Idle: c.idle, Interval: c.interval, Count: c.count}
}

func (c config) store(v *Values) {
	v.KeepAlive = c.keepAlive(v)
	v.Linger.Fallback = c.linger
	v.BufferCap, v.SendBuffer, v.RecvBuffer = c.bufferCap, c.send, c.recv
}

// apply tells the endpoint of the keep-alive parameters, if they differ; the
// buffers it looks at after the store.
func (c config) apply(ep Endpoint, v *Values) wsa.Errno {
	if c.profile != ep.Profile().known() {
		return wsa.WSAEINVAL
	}
	if k := c.keepAlive(v); k != v.KeepAlive && ep.Kind() == Stream {
		return ep.SetKeepAlive(k)
	}
	return 0
}
