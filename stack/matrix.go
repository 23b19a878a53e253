package stack

import (
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// The outcomes of a cell of the bind matrix.
const (
	may    = wsa.Errno(0)
	inUse  = wsa.WSAEADDRINUSE
	denied = wsa.WSAEACCES
)

// A matrix says what the second of two binds to one port gets. The row is the
// first, the column the second, each in the order default, reuse, exclusive,
// and within that wildcard, specific.
type matrix [6][6]wsa.Errno

var (
	// sameUser is RU-4, otherUser RU-5: Windows Server 2003 and later.
	sameUser = matrix{
		{inUse, may, denied, may, inUse, may},
		{may, inUse, may, denied, inUse, inUse},
		{inUse, may, may, may, inUse, may},
		{may, inUse, may, may, inUse, inUse},
		{inUse, denied, denied, denied, inUse, denied},
		{may, inUse, may, denied, inUse, inUse},
	}
	otherUser = matrix{
		{inUse, denied, denied, denied, inUse, denied},
		{may, inUse, may, denied, inUse, inUse},
		{inUse, denied, may, may, inUse, denied},
		{may, inUse, may, may, inUse, inUse},
		{inUse, denied, denied, denied, inUse, denied},
		{may, inUse, may, denied, inUse, inUse},
	}
	// legacy is RU-6: XP and earlier, where wildcard and specific addresses
	// and the users make no difference.
	legacy = matrix{
		{inUse, inUse, may, may, inUse, inUse},
		{inUse, inUse, may, may, inUse, inUse},
		{inUse, inUse, may, may, inUse, inUse},
		{inUse, inUse, may, may, inUse, inUse},
		{inUse, inUse, denied, denied, inUse, inUse},
		{inUse, inUse, denied, denied, inUse, inUse},
	}
)

// matrices are those of a profile: for two binds of one user, and of two.
var matrices = map[options.Profile][2]*matrix{
	options.Documented: {&sameUser, &otherUser},
	options.Windows:    {&sameUser, &otherUser},
	options.Legacy:     {&legacy, &legacy},
}

// conflict says whether second may be bound besides first, on the same port.
func conflict(rules [2]*matrix, first, second claim) wsa.Errno {
	if first.multicast && second.multicast {
		return may // neither takes unicast from the other (SO_REUSE_MULTICASTPORT)
	}
	if first.addr.Is4() != second.addr.Is4() {
		return conflictAcross(rules, first, second)
	}
	if first.addr != second.addr && !first.addr.IsUnspecified() && !second.addr.IsUnspecified() {
		return may // different addresses never conflict (RU-2)
	}
	return cell(rules, first, second)
}

// conflictAcross is for an IPv6 and an IPv4 binding, which meet only when the
// IPv6 one is a dual-stack wildcard (RU-10). Such a wildcard and the IPv4 one
// coexist unless somebody wants the port for himself.
func conflictAcross(rules [2]*matrix, first, second claim) wsa.Errno {
	switch {
	case first.dual && first.exclusive:
		return denied
	case second.dual && second.exclusive:
		return inUse
	case second.dual && first.exclusive:
		return cell(rules, first, second) // assumed: RU-10 is silent
	}
	return may
}

func cell(rules [2]*matrix, first, second claim) wsa.Errno {
	m := rules[0]
	if first.owner != second.owner {
		m = rules[1]
	}
	return m[first.class()][second.class()]
}

// class is the row or column of a claim.
func (c claim) class() int {
	n := 0
	switch {
	case c.reuse:
		n = 2
	case c.exclusive:
		n = 4
	}
	if !c.addr.IsUnspecified() {
		n++
	}
	return n
}
