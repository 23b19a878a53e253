package nat

import (
	"math/rand/v2"
	"net/netip"
)

// systemPorts is where the ports end that RFC 6335 §6 has for system services.
const systemPorts = 1024

// A class is a set of ports of which an endpoint may get one.
type class struct {
	first, last uint16
	step        uint32 // 2: those that are even, or odd, as first
}

// choose chooses a port for an inside endpoint: its own one, if that is free, else a random one of
// the first class that has one.
func (t *Table) choose(p Protocol, inside netip.AddrPort) (uint16, bool) {
	own := inside.Port()
	free := func(port uint16) bool { return t.ports[portKey{p, port}] == nil }
	if inside.Addr() == t.cfg.Outside || !t.cfg.RandomPorts && (p == ICMP || own >= t.cfg.FirstPort && own <= t.cfg.LastPort) {
		if free(own) {
			return own, true
		}
	}
	for _, c := range t.classes(p, own) {
		if port, ok := c.pick(t.cfg.Rand, free); ok {
			return port, true
		}
	}
	return 0, false
}

// classes are the ports that an endpoint with a port may get: those it should get first. An
// identifier of ICMP is no port, and may be any.
func (t *Table) classes(p Protocol, own uint16) (list []class) {
	if p == ICMP {
		return []class{{0, 65535, 1}}
	}
	low := class{t.cfg.FirstPort, min(t.cfg.LastPort, systemPorts-1), 1}
	high := class{max(t.cfg.FirstPort, systemPorts), t.cfg.LastPort, 1}
	add := func(c class) {
		if p == UDP {
			if like := c.like(own); like.first <= like.last {
				list = append(list, like)
			}
		}
		if c.first <= c.last {
			list = append(list, c)
		}
	}
	if own < systemPorts {
		add(low)
	}
	add(high)
	return list
}

// like is the part of a class that is even, or odd, as a port is.
func (c class) like(port uint16) class {
	c.step = 2
	if c.first%2 != port%2 {
		if c.first == 65535 {
			return class{first: 1, last: 0}
		}
		c.first++
	}
	return c
}

// pick takes a port of a class that is free: it begins at a random one, and goes on from there. An
// inside host that takes all ports costs others the look at each.
func (c class) pick(source rand.Source, free func(uint16) bool) (uint16, bool) {
	size := (uint32(c.last)-uint32(c.first))/c.step + 1
	at := uint32(source.Uint64() % uint64(size))
	for range size {
		if port := uint16(uint32(c.first) + at*c.step); free(port) {
			return port, true
		}
		at = (at + 1) % size
	}
	return 0, false
}
