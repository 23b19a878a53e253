package conform

import (
	"bytes"

	"github.com/wsstack/wsstack/wsa"
)

// config reads PVD_CONFIG of a socket of A.
func (h handle) config() []byte {
	b, n := make([]byte, 256), int32(256)
	h.getBytes(wsa.SOL_SOCKET, wsa.PVD_CONFIG, b, &n)
	return b[:n]
}

// setConfig sets it.
func (h handle) setConfig(b []byte) error {
	return h.p.SetSockOpt(h.s, wsa.SOL_SOCKET, wsa.PVD_CONFIG, b, int32(len(b)))
}

// configScenarios are PV-1 to PV-3: PVD_CONFIG.
var configScenarios = []Scenario{
	{ID: "PV-1", Title: "there and back", Source: "S-GET, S-SET", Run: func(e *Env) {
		e.Pair()
		for _, s := range []handle{e.stream(), e.datagram()} {
			b := s.config()
			e.Code("set of what was read", s.setConfig(b), 0)
			e.Check(bytes.Equal(s.config(), b), "the object has changed")
			s.reads(wsa.SOL_SOCKET, wsa.SO_SNDBUF, e.bufferSize())
		}
		e.Notef("a set of what was read changes nothing")
	}},
	{ID: "PV-2", Title: "all or nothing", Source: "S-SET", Run: func(e *Env) {
		e.Pair()
		s := e.stream()
		b := s.config()
		e.Code("one byte less", s.setConfig(b[:len(b)-1]), wsa.WSAEFAULT)
		e.Code("one byte more", s.setConfig(append(bytes.Clone(b), 0)), wsa.WSAEINVAL)
		for at := 0; at < 12; at += 4 { // version, size, profile
			bad := bytes.Clone(b)
			bad[at] ^= 0x40
			bad[16] ^= 1 // and a keep-alive time that would be right
			e.Code("a wrong word", s.setConfig(bad), wsa.WSAEINVAL)
			e.Check(bytes.Equal(s.config(), b), "the object has changed")
		}
		e.Notef("WSAEFAULT when short, WSAEINVAL for another version, size or profile, and nothing of it is stored")
	}},
	{ID: "PV-3", Title: "what PVD_CONFIG holds", Source: "S-GET, S-SET", Run: func(e *Env) {
		e.Pair()
		from, to := e.stream(), e.stream()
		from.set(wsa.IPPROTO_TCP, wsa.TCP_KEEPIDLE, 77)
		from.set(wsa.IPPROTO_TCP, wsa.TCP_KEEPINTVL, 7)
		from.keepCount(3)
		from.set(wsa.SOL_SOCKET, wsa.SO_SNDBUF, 12345)
		from.set(wsa.SOL_SOCKET, wsa.SO_RCVBUF, 23456)
		b := from.config()
		e.Code("set", to.setConfig(b), 0)
		e.Check(bytes.Equal(to.config(), b), "the object isn't what was set")
		for o, want := range map[[2]int32]uint32{
			{wsa.IPPROTO_TCP, wsa.TCP_KEEPIDLE}: 77, {wsa.IPPROTO_TCP, wsa.TCP_KEEPINTVL}: 7,
			{wsa.SOL_SOCKET, wsa.SO_SNDBUF}: 12345, {wsa.SOL_SOCKET, wsa.SO_RCVBUF}: 23456,
		} {
			Equal(e, wsa.OptionName(o[0], o[1]), to.get(o[0], o[1]), want)
		}
		to.keepCounts(3)
		e.Notef("keep-alive times and count and both buffers move with the object")
	}},
}
