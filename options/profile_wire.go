package options

import "time"

// Wire says what a host looks like from outside, to a peer that looks at packets and at when they
// come: nmap -O and p0f among others. Packages internal/tcp, internal/transport and internal/link
// know no profiles; those that configure them translate the column.
//
// What isn't here is the same in all profiles. The options of a SYN are MSS, NOP, window scale, NOP,
// NOP, SACK-permitted, and with timestamps MSS, NOP, window scale, SACK-permitted, timestamps. ECN is
// refused unless the configuration of the stack has it, all TCP segments have DF, TTL and hop limit
// are 128, and the initial sequence numbers are those of RFC 6528.
type Wire struct {
	// WindowScale is the window scale in a SYN while SO_RCVBUF isn't set.
	WindowScale uint8

	// WholeWindows reports whether the window of our SYN, and of a SYN-ACK to a peer that doesn't
	// scale windows, is a multiple of the largest segment while SO_RCVBUF isn't set: 64,240 where
	// segments have 1,460 bytes. Otherwise it is 65,535.
	WholeWindows bool

	// OddResets reports whether a listener answers a segment that has neither SYN, ACK nor RST, or
	// that has SYN and FIN, as a closed port does: with a RST. Otherwise the former is dropped, and
	// the SYN of the latter counts (RFC 9293 §3.10.7.2).
	OddResets bool

	// AckInResets reports whether a RST without ACK, which answers an acknowledgement that belongs
	// to no connection, has its sequence number in the field of the acknowledgement number as well.
	// Otherwise the field is 0.
	AckInResets bool

	// DelayedAck is how long the acknowledgement of one segment waits for a second segment, or for
	// data to leave with; 0: it doesn't wait.
	DelayedAck time.Duration

	// ConnectRTO is the time-out after the first SYN, which doubles with each further one. It counts
	// while SIO_TCP_INITIAL_RTO says nothing else.
	ConnectRTO time.Duration

	// ConnectTries is how often the SYN of a connect is sent, and ConnectLife how long the connect
	// takes at most, while no option says so (NB-1). 0 as ConnectLife: ConnectTries alone decides.
	ConnectTries int
	ConnectLife  time.Duration

	// RefusedTries is how often a SYN that a RST answers is sent before connect fails with
	// WSAECONNREFUSED, each time RefusedPause after the RST (NB-2). Addresses of the host itself
	// refuse at once.
	RefusedTries int
	RefusedPause time.Duration

	// ProbeOctet reports whether keep-alive probes carry an octet (KA-8, C-49b).
	ProbeOctet bool

	// CountedIDs reports whether the identifications of all IPv4 packets of the host come from one
	// counter, which goes up by one with each packet. Otherwise they are netstack's.
	CountedIDs bool

	// EchoDF and EchoCode report whether an ICMP echo reply has the DF bit and the code of the
	// request. Otherwise both are 0.
	EchoDF, EchoCode bool
}

// Wire returns what a host in the profile looks like from outside.
func (p Profile) Wire() Wire { return profileColumns[p.known()].wire }

var documentedWire = Wire{
	WindowScale: 7,
	ConnectRTO:  time.Second, ConnectTries: 5, ConnectLife: 21 * time.Second, RefusedTries: 1,
	EchoDF: true, EchoCode: true,
}

// windowsWire is that of Windows 10 from version 1709 on.
var windowsWire = Wire{
	WindowScale: 8, WholeWindows: true,
	OddResets: true, AckInResets: true,
	DelayedAck: 40 * time.Millisecond,
	ConnectRTO: time.Second, ConnectTries: 3, RefusedTries: 3, RefusedPause: 500 * time.Millisecond,
	ProbeOctet: true,
	CountedIDs: true,
}

// legacyWire is windowsWire with the timers of Windows XP.
var legacyWire = Wire{
	WindowScale: 8, WholeWindows: true,
	OddResets: true, AckInResets: true,
	DelayedAck: 200 * time.Millisecond,
	ConnectRTO: 3 * time.Second, ConnectTries: 3, RefusedTries: 3, RefusedPause: 500 * time.Millisecond,
	ProbeOctet: true,
	CountedIDs: true, EchoDF: true,
}
