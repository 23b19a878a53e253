package play

import (
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/wsstack/wsstack/internal/mistake"
	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/tun"
)

// setters set what a setting says, by its name. Settings that have none say something that has no
// meaning here, such as the speed of packetdrill's TUN; package syntax knows which there are.
var setters = map[string]func(s *Setup, value string) error{
	"ip_version":        func(s *Setup, v string) error { return oneOf(v, ipv4, ipv6, ipv4Mapped) },
	"local_ip":          (*Setup).setLocal,
	"remote_ip":         (*Setup).setRemote,
	"netmask_ip":        (*Setup).setMask,
	"bind_port":         func(s *Setup, v string) error { return setNumber(v, 1, math.MaxUint16, &s.BindPort) },
	"connect_port":      func(s *Setup, v string) error { return setNumber(v, 1, math.MaxUint16, &s.ConnectPort) },
	"mtu":               func(s *Setup, v string) error { return setNumber(v, 68, math.MaxUint16, &s.MTU) },
	"tolerance_usecs":   (*Setup).setTolerance,
	"tolerance_percent": (*Setup).setTolerancePercent,
	"tcp_ts_tick_usecs": func(s *Setup, v string) error { return setMicros(v, &s.Tick) },
	"tcp_ts_ecr_scaled": func(s *Setup, _ string) error { s.ScaledEcho = true; return nil },
	"strict_segments":   func(s *Setup, _ string) error { s.StrictSegments = true; return nil },
	"strict_options":    func(s *Setup, _ string) error { s.StrictOptions = true; return nil },
	"profile":           (*Setup).setProfile,
	"ecn":               func(s *Setup, _ string) error { s.ECN = true; return nil },
	"timestamps":        (*Setup).setTimestamps,
	"congestion":        (*Setup).setCongestion,
	seedWord:            func(s *Setup, v string) error { return setNumber(v, 0, math.MaxUint64, &s.Seed) },
}

// set applies a setting.
func (s *Setup) set(setting syntax.Setting) error {
	f := setters[setting.Name]
	if f == nil {
		return nil
	}
	return f(s, setting.Value)
}

func (s *Setup) setLocal(v string) error {
	a, err := address(v)
	if err == nil {
		s.Local = netip.PrefixFrom(a, min(s.Local.Bits(), a.BitLen()))
	}
	return err
}

// setRemote sets the address of the peer. A length of a prefix may follow, which says how many
// addresses there are to be; all of them are reached.
func (s *Setup) setRemote(v string) (err error) {
	v, _, _ = strings.Cut(v, "/")
	s.Remote, err = address(v)
	return err
}

func (s *Setup) setMask(v string) error {
	a, err := address(v)
	if err != nil {
		return err
	}
	ones := 0
	for _, b := range a.AsSlice() {
		ones += strings.Count(strconv.FormatUint(uint64(b), 2), "1")
	}
	s.Local = netip.PrefixFrom(s.Local.Addr(), min(ones, s.Local.Addr().BitLen()))
	return nil
}

func (s *Setup) setTolerance(v string) error {
	s.ToleranceSaid = true
	return setMicros(v, &s.Tolerance)
}

func (s *Setup) setTolerancePercent(v string) error {
	percent, err := strconv.ParseFloat(v, 64)
	if err != nil || !(percent >= 0 && percent <= 100) {
		return mistake.Errorf("write a number from 0 to 100", "%q is no percentage", v)
	}
	s.TolerancePercent, s.ToleranceSaid = percent, true
	return nil
}

func (s *Setup) setTimestamps(v string) error {
	if v == "" {
		v = "on"
	}
	if err := oneOf(v, "on", "off"); err != nil {
		return err
	}
	s.defaults = append(s.defaults, options.TCP_TIMESTAMPS.With(v == "on"))
	return nil
}

// congestions are the values of --congestion.
var congestions = map[string]options.Congestion{"reno": options.CongestionReno, "cubic": options.CongestionCubic}

func (s *Setup) setCongestion(v string) error {
	if err := oneOf(v, "reno", "cubic"); err != nil {
		return err
	}
	s.defaults = append(s.defaults, options.TCP_CONGESTION_ALGORITHM.With(congestions[v]))
	return nil
}

func (s *Setup) setProfile(v string) error {
	var names []string
	for _, p := range []options.Profile{options.Documented, options.Windows, options.Legacy} {
		if p.String() == v {
			s.Profile, s.profile = v, p
			return nil
		}
		names = append(names, p.String())
	}
	return oneOf(v, names...)
}

// checkLink looks at a "link", and takes its seed: the network has one.
func (s *Setup) checkLink(l *syntax.Link) error {
	var m tun.Impairment
	for _, setting := range l.Settings {
		var err error
		if setting.Name == seedWord {
			err = setNumber(setting.Value, 0, math.MaxUint64, &s.Seed)
		} else {
			err = setImpairment(&m, setting)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// setImpairment sets one parameter of a link.
func setImpairment(m *tun.Impairment, s syntax.Setting) error {
	text := s.Name
	if s.HasValue {
		text += "=" + s.Value
	}
	if err := m.Set(text); err != nil {
		return mistake.Errorf(`run "wsstack help impairments" to see what a link can do, such as: link delay=50ms loss=0.1`, "%v", err)
	}
	return nil
}

// check looks at what is impossible only together.
func (s *Setup) check() *Failure {
	var what, hint string
	switch v6 := s.IPv6(); {
	case s.Local.Addr().Is6() != v6 || s.Remote.Is6() != v6:
		what, hint = "the addresses are of the other family", "write --ip_version=ipv6, or addresses such as 192.0.2.1"
	case s.Local.Addr() == s.Remote:
		what, hint = "stack and peer have the same address", "give --local_ip or --remote_ip another one"
	case v6 && s.MTU < 1280:
		what, hint = "an MTU of IPv6 is 1280 at least", "write --mtu=1280"
	default:
		return nil
	}
	return &Failure{What: what, Hint: hint}
}

func address(v string) (netip.Addr, error) {
	a, err := netip.ParseAddr(v)
	if err != nil || a.Zone() != "" || a.Is4In6() || a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() {
		return a, mistake.Errorf("write one such as 192.0.2.1 or 2001:db8::1", "%q is no address of a host", v)
	}
	return a, nil
}

// setNumber sets a number from lowest to highest.
func setNumber[T uint16 | uint32 | uint64](v string, lowest, highest uint64, n *T) error {
	u, err := strconv.ParseUint(v, 0, 64)
	if err != nil || u < lowest || u > highest {
		return mistake.Errorf("write a number from "+strconv.FormatUint(lowest, 10)+" to "+strconv.FormatUint(highest, 10), "%q isn't possible", v)
	}
	*n = T(u)
	return nil
}

// setMicros sets a span that is written in microseconds.
func setMicros(v string, d *time.Duration) error {
	var micros uint32
	err := setNumber(v, 0, math.MaxUint32, &micros)
	*d = time.Duration(micros) * time.Microsecond
	return err
}

func oneOf(v string, words ...string) error {
	for _, w := range words {
		if v == w {
			return nil
		}
	}
	return mistake.Errorf("write "+strings.Join(words, " or "), "%q isn't possible", v)
}
