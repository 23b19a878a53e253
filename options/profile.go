package options

import "github.com/wsstack/wsstack/wsa"

// Profile selects what a socket does where the documents and real machines differ;
// docs/conflicts.md lists the differences by number, such as C-02. The zero Profile follows the
// documents. A profile is data: an alternative in a row, a variant of a codec, or a column of
// profileColumns. Nothing else asks which profile a socket has.
type Profile uint8

// The profiles.
const (
	Documented Profile = iota // Documented follows Microsoft's pages to the letter.
	Windows                   // Windows follows what was measured on Windows 10 and 11.
	Legacy                    // Legacy is Windows with what was different in XP and Server 2003.

	profileCount
)

// String returns the name of the profile in lower case, as the command line spells it.
func (p Profile) String() string {
	if p >= profileCount {
		return "unknown"
	}
	return profileColumns[p].name
}

// known returns p, or Documented for a value that is no profile.
func (p Profile) known() Profile {
	if p >= profileCount {
		return Documented
	}
	return p
}

// measuredProfiles are the profiles that follow machines rather than pages. A measurement without a
// version of Windows holds for both of them.
var measuredProfiles = []Profile{Windows, Legacy}

// profileColumn holds what a profile says about all options at once.
type profileColumn struct {
	name string

	// foreignLevel is the error of the levels that are documented for protocols which this stack
	// doesn't have: IPX, IrLMP, AppleTalk, reliable multicast (C-24).
	foreignLevel wsa.Errno

	// measured reports whether values have the lengths and the codecs that were measured (C-20,
	// C-21, C-22, C-32, C-77).
	measured bool

	// storedAfterDrop reports whether getsockopt of a stored value works after keep-alive has
	// dropped the connection. Values of the connection itself fail in any case (C-12).
	storedAfterDrop bool

	// otherTransport is the error of the level of a transport that the socket doesn't have, such as
	// IPPROTO_TCP on a datagram socket (C-81).
	otherTransport wsa.Errno

	// calls holds the rules of calls on sockets, by what they are about.
	calls callColumn

	// broadcastAlways reports whether SO_BROADCAST permits sending only, so that
	// IP_RECEIVE_BROADCAST alone decides what a socket receives (C-19).
	broadcastAlways bool

	// events holds the rules of network events (C-09, C-09b).
	events EventRules

	// wire holds what a host looks like from outside (C-49b).
	wire Wire
}

var profileColumns = [profileCount]profileColumn{
	Documented: {
		name:           "documented",
		foreignLevel:   wsa.WSAEINVAL,
		otherTransport: wsa.WSAENOPROTOOPT,
		events:         documentedEvents,
		calls:          documentedCalls,
		wire:           documentedWire,
	},
	Windows: {
		name:            "windows",
		foreignLevel:    wsa.WSAENOPROTOOPT,
		otherTransport:  wsa.WSAEINVAL,
		measured:        true,
		storedAfterDrop: true,
		broadcastAlways: true,
		events:          measuredEvents,
		calls:           measuredCalls,
		wire:            windowsWire,
	},
	Legacy: {
		name:            "legacy",
		foreignLevel:    wsa.WSAENOPROTOOPT,
		otherTransport:  wsa.WSAEINVAL,
		measured:        true,
		storedAfterDrop: true,
		broadcastAlways: true,
		events:          measuredEvents,
		calls:           measuredCalls,
		wire:            legacyWire,
	},
}
