package nat

import "net/netip"

// What an ICMP error quotes is a packet that went the other way, so that its ends change places: the
// quoted source of an error from outside is the endpoint that an inside host has outside (RFC 5508
// REQ-4 and REQ-5). Errors neither prolong sessions nor end them (RFC 5508 REQ-6, RFC 5382
// REQ-10).

// leaveError translates an error of an inside host, or one of the router about a packet that the
// router had translated.
func (t *Table) leaveError(v *view, own bool) Verdict {
	inner, verdict := t.quote(v)
	if verdict != Pass {
		return verdict
	}
	if own && inner.address(destination) != t.cfg.Outside && !t.isInside(inner.address(destination)) {
		return Pass
	}
	verdict = t.leaveQuoted(v, &inner)
	if verdict == Pass {
		t.stats.Outbound++
	}
	return verdict
}

// leaveQuoted translates an error that leaves, with what it quotes.
func (t *Table) leaveQuoted(v, inner *view) Verdict {
	remote := inner.remote(source)
	m := t.find(inner.protocol, inner.endpoint(destination), remote)
	switch {
	case m == nil && inner.address(destination) == t.cfg.Outside:
		return Pass // a packet to the router that needed no mapping
	case m == nil, !m.own(t) && !m.allows(t.cfg.Filtering, remote), v.address(destination) != remote.Addr():
		return drop(&t.stats.NoSession)
	}
	v.requote(inner, func() { inner.set(destination, netip.AddrPortFrom(t.cfg.Outside, m.port), true) })
	v.set(source, netip.AddrPortFrom(t.cfg.Outside, 0), false)
	return Pass
}

// comeError translates an error from outside.
func (t *Table) comeError(v *view) Verdict {
	inner, verdict := t.quote(v)
	if verdict != Pass {
		return verdict
	}
	m := t.quotedMapping(&inner)
	if m == nil {
		return Pass // for the router
	}
	if verdict := t.comeQuoted(v, &inner, m); verdict != Pass {
		return verdict
	}
	t.stats.Inbound++
	return Pass
}

// quotedMapping is the mapping that a quoted packet had left by; nil: none.
func (t *Table) quotedMapping(inner *view) *mapping {
	if inner.address(source) != t.cfg.Outside {
		return nil
	}
	return t.ports[portKey{inner.protocol, inner.endpoint(source).Port()}]
}

// comeQuoted translates an error that comes, with what it quotes.
func (t *Table) comeQuoted(v, inner *view, m *mapping) Verdict {
	if !m.own(t) && m.sessions[inner.remote(destination)] == nil {
		return drop(&t.stats.NoSession)
	}
	v.requote(inner, func() { inner.set(source, m.inside, true) })
	v.set(destination, m.inside, false)
	return Pass
}

// returnError translates an error of an inside host about a packet of another one that had come
// through the outside address (RFC 5508 REQ-7).
func (t *Table) returnError(v *view) Verdict {
	inner, verdict := t.quote(v)
	if verdict != Pass {
		return verdict
	}
	m := t.quotedMapping(&inner)
	switch {
	case m == nil || m.own(t):
		return Pass
	case t.cfg.NoHairpinning:
		return drop(&t.stats.Unsolicited)
	case !t.isInside(inner.address(destination)):
		return drop(&t.stats.NoSession)
	case !v.hop():
		return drop(&t.stats.Expired)
	}
	if verdict := t.leaveQuoted(v, &inner); verdict != Pass {
		return verdict
	}
	if verdict := t.comeQuoted(v, &inner, m); verdict != Pass {
		return verdict
	}
	t.stats.Returned++
	return Return
}

// quote is the packet that an error quotes.
func (t *Table) quote(v *view) (inner view, verdict Verdict) {
	if !intact(v) {
		return inner, drop(&t.stats.Malformed)
	}
	inner, ok := parseQuoted(v.transport[quoted:])
	if !ok {
		return inner, drop(&t.stats.Malformed)
	}
	return inner, Pass
}
