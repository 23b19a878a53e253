package options

import (
	"net/netip"
	"slices"

	"github.com/wsstack/wsstack/wsa"
)

// A MembershipOp is the operation that a multicast option carries out.
type MembershipOp uint8

// The operations, each with the options of IPPROTO_IP that carry it out.
const (
	JoinGroup   MembershipOp = iota // IP_ADD_MEMBERSHIP, MCAST_JOIN_GROUP
	LeaveGroup                      // IP_DROP_MEMBERSHIP, MCAST_LEAVE_GROUP
	JoinSource                      // IP_ADD_SOURCE_MEMBERSHIP, MCAST_JOIN_SOURCE_GROUP
	LeaveSource                     // IP_DROP_SOURCE_MEMBERSHIP, MCAST_LEAVE_SOURCE_GROUP
	Block                           // IP_BLOCK_SOURCE, MCAST_BLOCK_SOURCE
	Unblock                         // IP_UNBLOCK_SOURCE, MCAST_UNBLOCK_SOURCE
)

// A MembershipRequest is the value of a multicast option, together with the operation.
type MembershipRequest struct {
	Op     MembershipOp
	Group  netip.Addr // a multicast address
	Source netip.Addr // the source, of the family of Group; not valid for JoinGroup and LeaveGroup

	// Interface is the index of the interface on which the group is meant. 0 stands for the
	// interface that has the address Address or, when Address isn't valid, for the default
	// interface.
	Interface uint32
	Address   netip.Addr
}

// Memberships holds the multicast groups of one socket. The state of each group on each interface
// is:
//
//	         JoinGroup                      JoinSource
//	absent ────────────▶ any source    absent ────────────▶ its sources only
//	                      Block, Unblock                     JoinSource, LeaveSource
//	                      ◀ LeaveGroup                        ◀ LeaveGroup, or the last LeaveSource
//
// The error of a request that a state doesn't permit is that of the page "Multicast socket option
// behavior" (W-MC). The same group on another interface has a state of its own. A Memberships isn't
// safe for concurrent use. The zero Memberships is empty and ready to use.
type Memberships struct {
	list []membership
}

// A groupMode is the state of a group on an interface.
type groupMode uint8

const (
	left      groupMode = iota // left, and remembered for the error of a second drop
	anySource                  // joined for any source that isn't blocked
	someOnly                   // joined for the listed sources
)

// A membership is one group on one interface.
type membership struct {
	index  uint32
	group  netip.Addr
	mode   groupMode
	listed []netip.Addr // the sources that are blocked (anySource) or admitted (someOnly)

	// unblocked holds the sources that were blocked and are no longer (anySource), for the error of
	// a second Unblock.
	unblocked []netip.Addr
}

// maxLeft is the largest number of groups that are remembered after they were left, and of sources
// of a group that are remembered after they were unblocked.
const maxLeft = 16

// Apply carries out a request on the interface with this index. joined reports whether the socket
// has become a member of the group, dropped whether it no longer is one; the caller then tells the
// network.
func (m *Memberships) Apply(r MembershipRequest, index uint32) (joined, dropped bool, err wsa.Errno) {
	i := slices.IndexFunc(m.list, func(e membership) bool { return e.index == index && e.group == r.Group })
	e := membership{index: index, group: r.Group}
	if i >= 0 {
		e = m.list[i]
	}
	before := e.mode
	if err := e.step(r, i >= 0); err != 0 {
		return false, false, err
	}
	if i >= 0 {
		m.list = slices.Delete(m.list, i, i+1)
	}
	m.list = append(m.list, e)
	if e.mode == left {
		m.forget()
	}
	return before == left && e.mode != left, before != left && e.mode == left, 0
}

// Check returns what [Memberships.Apply] would return, and changes nothing.
func (m *Memberships) Check(r MembershipRequest, index uint32) (joined, dropped bool, err wsa.Errno) {
	trial := Memberships{list: slices.Clone(m.list)}
	return trial.Apply(r, index)
}

// step is the state machine. known reports whether the group was joined before.
func (e *membership) step(r MembershipRequest, known bool) wsa.Errno {
	switch e.mode {
	case anySource:
		return e.stepAny(r)
	case someOnly:
		return e.stepSome(r)
	}
	switch r.Op {
	case JoinGroup:
		e.becomeAny()
	case JoinSource:
		e.becomeSome(r.Source)
	case LeaveGroup, LeaveSource:
		if !known {
			return wsa.WSAEADDRNOTAVAIL
		}
		if r.Op == LeaveSource && slices.Contains(e.listed, r.Source) {
			return wsa.WSAEADDRNOTAVAIL // the pair was dropped before
		}
		return wsa.WSAEINVAL
	default:
		return wsa.WSAEINVAL
	}
	return 0
}

func (e *membership) becomeAny() { e.mode, e.listed, e.unblocked = anySource, nil, nil }

func (e *membership) becomeSome(source netip.Addr) {
	e.mode, e.listed, e.unblocked = someOnly, []netip.Addr{source}, nil
}

// becomeLeft keeps the source with which the group was left, if a source was dropped.
func (e *membership) becomeLeft(source ...netip.Addr) {
	e.mode, e.listed, e.unblocked = left, source, nil
}

// stepAny is a step of a group that is joined for any source.
func (e *membership) stepAny(r MembershipRequest) wsa.Errno {
	switch r.Op {
	case JoinGroup, JoinSource:
		if len(e.listed) > 0 {
			return wsa.WSAEINVAL // IP_UNBLOCK_SOURCE is meant
		}
		return wsa.WSAEADDRNOTAVAIL
	case LeaveGroup:
		e.becomeLeft()
	case LeaveSource:
		return wsa.WSAEINVAL // IP_BLOCK_SOURCE is meant
	case Block:
		if slices.Contains(e.listed, r.Source) {
			return wsa.WSAEADDRNOTAVAIL
		}
		e.listed = with(e.listed, r.Source)
		e.unblocked = without(e.unblocked, r.Source)
	case Unblock:
		switch {
		case slices.Contains(e.listed, r.Source):
			e.listed = without(e.listed, r.Source)
			e.unblocked = with(e.unblocked, r.Source)
			if len(e.unblocked) > maxLeft {
				e.unblocked = e.unblocked[1:]
			}
		case slices.Contains(e.unblocked, r.Source):
			return wsa.WSAEADDRNOTAVAIL
		default:
			return wsa.WSAEINVAL
		}
	}
	return 0
}

// stepSome is a step of a group that is joined for listed sources.
func (e *membership) stepSome(r MembershipRequest) wsa.Errno {
	listed := slices.Contains(e.listed, r.Source)
	switch r.Op {
	case JoinGroup:
		return wsa.WSAEADDRNOTAVAIL
	case JoinSource:
		if listed {
			return wsa.WSAEADDRNOTAVAIL
		}
		e.listed = with(e.listed, r.Source)
	case LeaveGroup:
		e.becomeLeft()
	case LeaveSource:
		switch {
		case !listed:
			return wsa.WSAEADDRNOTAVAIL
		case len(e.listed) == 1:
			e.becomeLeft(r.Source)
		default:
			e.listed = without(e.listed, r.Source)
		}
	default:
		return wsa.WSAEINVAL // blocking is for groups with any source
	}
	return 0
}

// with returns a copy of the list with a at its end. Nothing changes the list itself, which a trial
// of Check may share.
func with(list []netip.Addr, a netip.Addr) []netip.Addr { return append(slices.Clone(list), a) }

// without returns a copy of the list without a.
func without(list []netip.Addr, a netip.Addr) []netip.Addr {
	return slices.DeleteFunc(slices.Clone(list), func(b netip.Addr) bool { return a == b })
}

// forget drops the oldest groups that were left, beyond maxLeft.
func (m *Memberships) forget() {
	n := 0
	for _, e := range m.list {
		if e.mode == left {
			n++
		}
	}
	m.list = slices.DeleteFunc(m.list, func(e membership) bool {
		if e.mode == left && n > maxLeft {
			n--
			return true
		}
		return false
	})
}

// Admits reports whether the socket receives a datagram from source to group that has arrived on
// the interface with this index.
func (m *Memberships) Admits(index uint32, group, source netip.Addr) bool {
	for i := range m.list {
		e := &m.list[i]
		if e.index == index && e.group == group {
			switch e.mode {
			case anySource:
				return !slices.Contains(e.listed, source)
			case someOnly:
				return slices.Contains(e.listed, source)
			}
		}
	}
	return false
}

// Clone returns a copy, which later requests don't change.
func (m *Memberships) Clone() Memberships { return Memberships{list: slices.Clone(m.list)} }

// Joined calls f for every group, on every interface, of which the socket is a member.
func (m *Memberships) Joined(f func(index uint32, group netip.Addr)) {
	for _, e := range m.list {
		if e.mode != left {
			f(e.index, e.group)
		}
	}
}
