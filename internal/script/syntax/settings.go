package syntax

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/wsstack/wsstack/internal/mistake"
)

// A SettingInfo is a setting that scripts may have.
type SettingInfo struct {
	Name        string
	Placeholder string // of the value, in capitals or as words with "|" between; "": there is none
	Optional    bool   // the value may be missing
	Help        string // what it sets, in lower case
	Ours        bool   // packetdrill has no such setting

	// Missing says why the setting is an error; "": it is none.
	Missing string

	// Without are the events without which the setting may stay: shell commands or code. It is an
	// error unless they are ignored, and then does nothing.
	Without kind
}

const (
	oneMachine = "both sides of a script are on this machine; leave it out"
	noPlugins  = "no library of functions is loaded; leave it out"
	noEffect   = "no effect here"
)

// settings are all of them, in the order of help texts.
var settings = []SettingInfo{
	{Name: "ip_version", Placeholder: "ipv4|ipv6|ipv4-mapped-ipv6", Help: "the version of IP"},
	{Name: "local_ip", Placeholder: "ADDRESS", Help: "the address of the stack"},
	{Name: "remote_ip", Placeholder: "ADDRESS", Help: "the address of the peer"},
	{Name: "netmask_ip", Placeholder: "MASK", Help: "the mask of the stack's network, such as 255.255.0.0"},
	{Name: "bind_port", Placeholder: "PORT", Help: `the port of a socket that is bound to "..."`},
	{Name: "connect_port", Placeholder: "PORT", Help: `the port of the peer that "..." connects to`},
	{Name: "mtu", Placeholder: "BYTES", Help: "the size of the largest packet"},
	{Name: "tolerance_usecs", Placeholder: "USECS", Help: "how much earlier or later than said something may happen"},
	{Name: "tolerance_percent", Placeholder: "PERCENT", Help: "the same, of the time since the event before"},
	{Name: "tcp_ts_tick_usecs", Placeholder: "USECS", Help: "the unit of TCP timestamps; else they aren't compared"},
	{Name: "tcp_ts_ecr_scaled", Help: "the peer echoes timestamps in the script's own units"},
	{Name: "strict_segments", Help: "an expected segment is one packet, and not several in a row"},
	{Name: "define", Placeholder: "NAME=VALUE", Help: "what stands for a word of the script"},

	{Name: "strict_options", Ours: true, Help: "TCP options come in the order of the script, with padding"},
	{Name: "profile", Placeholder: "documented|windows|legacy", Ours: true, Help: "whose behaviour the stack has"},
	{Name: "congestion", Placeholder: "reno|cubic", Ours: true, Help: "the congestion control of TCP sockets"},
	{Name: "timestamps", Placeholder: "on|off", Optional: true, Ours: true, Help: "TCP timestamps"},
	{Name: "ecn", Ours: true, Help: "TCP offers and accepts ECN"},
	{Name: "seed", Placeholder: "NUMBER", Ours: true, Help: "of random numbers, such as those of a bad link"},

	{Name: "gateway_ip", Placeholder: "ADDRESS", Help: noEffect},
	{Name: "mss", Placeholder: "BYTES", Help: noEffect},
	{Name: "speed", Placeholder: "MBPS", Help: noEffect},
	{Name: "dry_run", Help: noEffect},
	{Name: "is_anyip", Help: noEffect},
	{Name: "send_omit_free", Help: noEffect},
	{Name: "debug", Help: noEffect},
	{Name: "verbose", Help: noEffect},

	{Name: "init_scripts", Placeholder: "FILES", Without: shell},
	{Name: "code_command", Placeholder: "COMMAND", Without: code},
	{Name: "code_format", Placeholder: "FORMAT", Without: code},
	{Name: "code_sockopt", Placeholder: "OPTION", Without: code},

	{Name: "non_fatal", Placeholder: "KINDS", Missing: "a script ends at its first failure; leave it out"},
	{Name: "psp_udp_port", Placeholder: "PORT", Missing: "this stack has no PSP"},
	{Name: "so_filename", Placeholder: "FILE", Missing: noPlugins},
	{Name: "so_flags", Placeholder: "FLAGS", Missing: noPlugins},
	{Name: "wire_client", Missing: oneMachine},
	{Name: "wire_server", Missing: oneMachine},
	{Name: "wire_server_ip", Placeholder: "ADDRESS", Missing: oneMachine},
	{Name: "wire_server_at", Placeholder: "ADDRESS", Missing: oneMachine},
	{Name: "wire_server_port", Placeholder: "PORT", Missing: oneMachine},
	{Name: "wire_client_dev", Placeholder: "NAME", Missing: oneMachine},
	{Name: "wire_server_dev", Placeholder: "NAME", Missing: oneMachine},
}

// Settings returns the settings that do something, in the order of help texts.
func Settings() []SettingInfo {
	return slices.DeleteFunc(slices.Clone(settings), func(i SettingInfo) bool {
		return i.Missing != "" || i.Without != 0 || i.Help == noEffect
	})
}

// ParseSettings reads a text of settings alone, such as "--mtu=1400 --strict_options". The name and
// the error are as for Parse.
func ParseSettings(name, text string) ([]Setting, error) {
	p := newParser(name, []byte(text), Options{})
	p.try(p.move)
	for p.errors == nil && p.token.kind != endOfFile {
		p.try(func() {
			if p.token.kind != setting {
				p.unexpected("a setting", "a setting is such as --mtu=1400")
			}
			p.setting()
		})
	}
	if p.errors != nil {
		return nil, p.errors
	}
	return p.script.Settings, nil
}

// setting reads "--name=value" in front of the first event.
func (p *parser) setting() {
	t := p.token
	s := Setting{Pos: t.pos, Name: strings.ReplaceAll(strings.TrimPrefix(t.text, "--"), "-", "_")}
	if bytes.HasPrefix(p.rest(), []byte("=")) {
		p.advance(1)
		s.Value, s.HasValue = p.settingValue(), true
	}
	if len(p.script.Events) > 0 {
		fail(t.pos, "put it above all events", "a setting stands in front of the first event: %s", t.text)
	}
	if err := attempt(func() { p.apply(s) }); err != nil {
		p.report(err)
	}
	p.token = token{}
	p.move()
}

// apply keeps a setting if there is such a one.
func (p *parser) apply(s Setting) {
	at := slices.IndexFunc(settings, func(i SettingInfo) bool { return i.Name == s.Name })
	if at < 0 {
		fail(s.Pos, "--"+nearest(s.Name)+" is one; wsstack help script has all", "there is no setting --%s", s.Name)
	}
	switch info := settings[at]; {
	case info.Missing != "":
		fail(s.Pos, info.Missing, "--%s isn't supported", s.Name)
	case info.Without == shell && !p.options.IgnoreShell:
		fail(s.Pos, shellHint, "shell commands aren't run, --%s", s.Name)
	case info.Without == code && !p.options.IgnoreCode:
		fail(s.Pos, codeGeneral, "code in another language isn't run, --%s", s.Name)
	case info.Placeholder == "" && s.HasValue:
		fail(s.Pos, "write --"+s.Name, "--%s has no value", s.Name)
	case info.Placeholder != "" && s.Value == "" && (s.HasValue || !info.Optional):
		fail(s.Pos, "write --"+s.Name+"="+info.Placeholder, "--%s needs a value", s.Name)
	case s.Name == "define":
		p.keep(s)
	default:
		p.script.Settings = append(p.script.Settings, s)
	}
}

// nearest is the name that somebody may have meant, or else the first.
func nearest(name string) string {
	var names []string
	for _, s := range Settings() {
		names = append(names, s.Name)
	}
	near, _ := mistake.Nearest(name, names)
	return cmp.Or(near, names[0])
}

// keep keeps the definition of a word.
func (p *parser) keep(s Setting) {
	name, value, ok := strings.Cut(s.Value, "=")
	if !ok || run([]byte(name), wordByte) != len(name) || name == "" || digit(name[0]) {
		fail(s.Pos, `it is such as --define=PORT=8080 or --define=NAME="cubic"`, "%q defines no word", s.Value)
	}
	p.defines[name] = value
	if err := attempt(func() { (&lexer{src: []byte(value), pos: s.Pos}).definition() }); err != nil {
		fail(s.Pos, err.Hint, "what %s is defined as: %s", name, err.Text)
	}
}

// settingValue reads the value of a setting, up to the next space or comment that isn't in quotes.
func (p *parser) settingValue() string {
	rest := p.rest()
	if len(rest) > 0 && rest[0] == '"' {
		return p.quoted()
	}
	var quote byte
	n := 0
	for n < len(rest) && rest[n] != '\n' {
		c := rest[n]
		if quote == 0 && (blanks(rest[n:n+1], false) > 0 || comment(rest[n:])) {
			break
		}
		switch {
		case c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '`'):
			quote = c
		}
		n++
	}
	return p.cut(n)
}

// comment reports whether a comment begins.
func comment(b []byte) bool {
	return bytes.HasPrefix(b, []byte("//")) || bytes.HasPrefix(b, []byte("/*"))
}
