package play

import (
	"net/netip"
	"time"

	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/options"
)

// A Setup is what settings come to: those of the script, those of Config, and defaults.
type Setup struct {
	IPVersion string // ipv4, ipv6 or ipv4-mapped-ipv6

	Local       netip.Prefix // the address of the stack
	Remote      netip.Addr   // the address of the peer
	BindPort    uint16       // of a socket that a script binds to "..."
	ConnectPort uint16       // of the peer that a script connects to
	MTU         uint32

	// Tolerance is how much earlier or later than said something may happen, and TolerancePercent
	// the same in percent of the time since the event before; the larger one counts. Unless the
	// settings say otherwise they are DefaultTolerance and 0.
	Tolerance        time.Duration
	TolerancePercent float64
	ToleranceSaid    bool // the settings have one of the two

	StrictSegments bool          // an expected segment is one segment, and no two
	StrictOptions  bool          // ours: options come in the order of the script
	ScaledEcho     bool          // packetdrill's --tcp_ts_ecr_scaled
	Tick           time.Duration // packetdrill's --tcp_ts_tick_usecs; 0: timestamps aren't compared

	Profile string // ours: documented, windows or legacy
	ECN     bool   // ours: the stack negotiates ECN
	Seed    uint64 // ours: of random numbers; 1 unless said

	profile  options.Profile
	defaults []options.Assignment
}

// IPv6 reports whether packets are of IPv6.
func (s *Setup) IPv6() bool { return s.IPVersion == ipv6 }

// mapped reports whether sockets are of IPv6 while packets are of IPv4.
func (s *Setup) mapped() bool { return s.IPVersion == ipv4Mapped }

// DefaultTolerance is the tolerance of a script that has none: that of packetdrill, so that scripts
// play here as they do there, although time is virtual and --tolerance_usecs=0 possible.
const DefaultTolerance = 4 * time.Millisecond

// The values of --ip_version.
const (
	ipv4       = "ipv4"
	ipv6       = "ipv6"
	ipv4Mapped = "ipv4-mapped-ipv6"
)

// seedWord is the name of the seed, as a setting and of "link".
const seedWord = "seed"

// defaultSetup is what a script without settings has. The addresses of the peer are of networks
// that are for documentation (RFC 5737, RFC 3849), and those of the stack of private ones, as with
// packetdrill.
func defaultSetup(version string) Setup {
	s := Setup{
		IPVersion:   version,
		Local:       netip.MustParsePrefix("192.168.0.1/16"),
		Remote:      netip.MustParseAddr("192.0.2.1"),
		BindPort:    8080,
		ConnectPort: 8080,
		MTU:         1500,
		Tolerance:   DefaultTolerance,
		Profile:     options.Documented.String(),
		Seed:        1,
	}
	if s.IPv6() {
		s.Local = netip.MustParsePrefix("fd3d:fa7b:d17d::1/48")
		s.Remote = netip.MustParseAddr("2001:db8::1")
	}
	return s
}

// Resolve finds the settings that hold for a script, with those of a command line, which go before
// those of the script, and the statements in front of its calls that are about the whole of it. The
// failure names the first that can't be.
func Resolve(s *syntax.Script, commandLine []syntax.Setting) (Setup, *Failure) {
	all := append(append([]syntax.Setting(nil), s.Settings...), commandLine...)
	setup := defaultSetup(ipv4)
	for _, setting := range all { // first: defaults depend on it
		if setting.Name == "ip_version" {
			setup = defaultSetup(setting.Value)
		}
	}
	for _, setting := range all {
		if err := setup.set(setting); err != nil {
			return setup, failureOf(setting.Pos, settingText(setting), err)
		}
	}
	if f := setup.statements(s.Events); f != nil {
		return setup, f
	}
	return setup, setup.check()
}

// statements applies what is about the whole script and stands among the events.
func (s *Setup) statements(events []*syntax.Event) *Failure {
	called := false
	for _, e := range events {
		var err error
		switch a := e.Action.(type) {
		case *syntax.Call:
			called = true
		case *syntax.Profile:
			if called {
				return &Failure{Pos: a.Pos, Event: e.Text, What: "the profile is that of the whole script",
					Hint: "write it in front of the first call"}
			}
			err = s.setProfile(a.Name)
		case *syntax.Link:
			err = s.checkLink(a)
		}
		if err != nil {
			return failureOf(e.Pos, e.Text, err)
		}
	}
	return nil
}

// settingText is a setting as a script has it.
func settingText(s syntax.Setting) string {
	if !s.HasValue {
		return "--" + s.Name
	}
	return "--" + s.Name + "=" + s.Value
}
