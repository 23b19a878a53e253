package wg

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wsstack/wsstack/internal/mistake"
)

// maxConfig is the size of the largest configuration file in bytes: some 20,000 peers.
const maxConfig = 4 << 20

// ParseConfig reads a configuration in the form of wg-quick(8), and checks it as New does. Commands
// and other things that are about the system are in Ignored; nothing is executed. Names of keys and
// sections may be in lower case, # begins a comment. A *ConfigError says what is wrong, and where;
// if r has a method Name, as a file does, the error has the name.
func ParseConfig(r io.Reader) (*Config, error) {
	var p parser
	err := p.read(r)
	if err == nil {
		err = p.locate(p.config.check())
	}
	if err != nil {
		if e, ok := errors.AsType[*ConfigError](err); ok {
			if file, ok := r.(interface{ Name() string }); ok {
				e.File = file.Name()
			}
		}
		return nil, err
	}
	return &p.config, nil
}

// A place is a key of a file.
type place struct {
	peer int    // the number of the peer, from 1; 0: the key is one of [Interface]
	key  string // "": the line with the name of the section
}

// A position is a line and a column of a file, from 1.
type position struct{ line, column int }

// A parser reads one file.
type parser struct {
	config Config
	places map[place]position // of the keys that were read, the last one of several

	section string   // the name of the section: "Interface", "Peer", or "" before the first
	at      position // of what is being read
}

// peer is the peer of the section.
func (p *parser) peer() *Peer { return &p.config.Peers[len(p.config.Peers)-1] }

// wrong is a mistake at the place where the parser is.
func (p *parser) wrong(hint, format string, args ...any) error {
	e := wrong(hint, format, args...)
	e.Line, e.Column = p.at.line, p.at.column
	return e
}

// locate gives a mistake that check has found its place in the file.
func (p *parser) locate(err error) error {
	if e, ok := errors.AsType[*ConfigError](err); ok {
		at, known := p.places[e.at]
		if !known {
			at = p.places[place{peer: e.at.peer}]
		}
		e.Line, e.Column = at.line, at.column
	}
	return err
}

// read reads all lines.
func (p *parser) read(r io.Reader) error {
	p.places = map[place]position{}
	text, err := io.ReadAll(io.LimitReader(r, maxConfig+1))
	switch {
	case err != nil:
		return fmt.Errorf("wg: read the configuration: %w", err)
	case len(text) > maxConfig:
		return wrong("a configuration is text written by hand", "there are more than %d bytes", maxConfig)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if bytes.IndexByte(text, 0) >= 0 || !utf8.Valid(text) {
		return wrong("save it as UTF-8, without formatting", "it isn't text")
	}
	for line := range strings.Lines(string(text)) {
		p.at.line++
		if err := p.line(line); err != nil {
			return err
		}
	}
	if _, ok := p.places[place{}]; !ok {
		p.at.column = 0
		return p.wrong("begin with a line [Interface]", "there is no section [Interface]")
	}
	return nil
}

// line reads a line.
func (p *parser) line(line string) error {
	text, _, _ := strings.Cut(line, "#")
	p.column(text, 0)
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return nil
	case text[0] == '[':
		return p.header(text)
	}
	before, _, _ := strings.Cut(line, "#")
	name, value, ok := strings.Cut(before, "=")
	switch {
	case !ok:
		return p.wrong("a line is Key = value, [Interface], [Peer] or # a comment", "%s has no =", shown(text))
	case p.section == "":
		return p.wrong("begin with a line [Interface]", "%s stands before the first section", shown(strings.TrimSpace(name)))
	}
	return p.field(strings.TrimSpace(name), before, len(name)+1, strings.TrimSpace(value))
}

// column makes the first byte of a line that isn't white space from offset on the place of errors.
func (p *parser) column(line string, offset int) {
	rest := line[offset:]
	offset += len(rest) - len(strings.TrimLeft(rest, " \t\r\n"))
	p.at.column = utf8.RuneCountInString(line[:offset]) + 1
}

// header begins a section.
func (p *parser) header(text string) error {
	switch {
	case strings.EqualFold(text, "[Interface]"):
		if _, again := p.places[place{}]; again {
			return p.wrong("put everything into one", "there is a second section [Interface]")
		}
		p.section, p.places[place{}] = "Interface", p.at
	case strings.EqualFold(text, "[Peer]"):
		p.config.Peers = append(p.config.Peers, Peer{})
		p.section, p.places[place{peer: len(p.config.Peers)}] = "Peer", p.at
	default:
		return p.wrong("the sections are [Interface] and [Peer]", "there is no section %s", shown(text))
	}
	return nil
}

// A field is a key of a file.
type field struct {
	name    string
	section string
	many    bool // the key may stand in a section several times
	// read takes a value, and returns what is wrong with it, and what would be right; "": nothing.
	read func(p *parser, value string) (text, hint string)
}

// fields are the keys of a file.
var fields = []field{
	{"PrivateKey", "Interface", false, readKey(func(p *parser) *Key { return &p.config.PrivateKey })},
	{"ListenPort", "Interface", false, readPort},
	{"FwMark", "Interface", false, readMark},
	{"Address", "Interface", true, readAddresses},
	{"DNS", "Interface", true, readDNS},
	{"MTU", "Interface", false, readMTU},
	{"Table", "Interface", false, nil},
	{"PreUp", "Interface", true, nil},
	{"PostUp", "Interface", true, nil},
	{"PreDown", "Interface", true, nil},
	{"PostDown", "Interface", true, nil},
	{"SaveConfig", "Interface", false, nil},
	{"PublicKey", "Peer", false, readKey(func(p *parser) *Key { return &p.peer().PublicKey })},
	{"PresharedKey", "Peer", false, readKey(func(p *parser) *Key { return &p.peer().PresharedKey })},
	{"AllowedIPs", "Peer", true, readAllowedIPs},
	{"Endpoint", "Peer", false, readEndpoint},
	{"PersistentKeepalive", "Peer", false, readKeepalive},
}

// field reads a line with a key. Behind offset the line has the value.
func (p *parser) field(name, line string, offset int, value string) error {
	i := slices.IndexFunc(fields, func(f field) bool { return strings.EqualFold(f.name, name) })
	if i < 0 {
		return p.unknown(name)
	}
	f := &fields[i]
	if f.section != p.section {
		return p.wrong(fmt.Sprintf("it belongs below a line [%s]", f.section), "%s is no key of [%s]", f.name, p.section)
	}
	at := place{key: f.name}
	if p.section == "Peer" {
		at.peer = len(p.config.Peers)
	}
	if before, again := p.places[at]; again && !f.many {
		return p.wrong("leave one of them out", "%s stands in line %d already", f.name, before.line)
	}
	p.column(line, offset)
	p.places[at] = p.at
	if f.read == nil {
		p.config.Ignored = append(p.config.Ignored, f.name+" = "+value)
		return nil
	}
	if text, hint := f.read(p, value); text != "" {
		return p.wrong(hint, "%s: %s", f.name, text)
	}
	return nil
}

// unknown is the mistake of a key that there isn't.
func (p *parser) unknown(name string) error {
	var names []string
	for _, f := range fields {
		if f.section == p.section {
			names = append(names, f.name)
		}
	}
	hint := "the keys of [" + p.section + "] are " + strings.Join(names, ", ")
	if nearest, distance := mistake.Nearest(name, names); distance <= len(name)/3 {
		hint = "did you mean " + nearest + "?"
	}
	return p.wrong(hint, "there is no key %s in [%s]", shown(name), p.section)
}

// shown is a text of a file in quotes, or how long it is if there may be a private key in it.
func shown(text string) string {
	run := 0
	for _, r := range text {
		run++
		if r != '+' && r != '/' && (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z') {
			run = 0
		}
		if run > KeyLen {
			return fmt.Sprintf(`"…" (%d characters)`, utf8.RuneCountInString(text))
		}
	}
	return strconv.Quote(text)
}

// readKey makes the function that reads a key into where key says.
func readKey(key func(*parser) *Key) func(*parser, string) (string, string) {
	return func(p *parser, value string) (text, hint string) {
		k, err := ParseKey(value)
		if err != nil { // the text may be a private key in part, so it isn't repeated
			return fmt.Sprintf("these %d characters are no key", len(value)), "a key is 44 characters of base64; wsstack wg genkey makes one"
		}
		*key(p) = k
		return "", ""
	}
}

func readPort(p *parser, value string) (text, hint string) {
	n, err := strconv.ParseUint(value, 10, 16)
	p.config.ListenPort = int(n)
	if err != nil {
		return shown(value) + " is no port", "a port is 1 to 65535; 0: any that is free"
	}
	return "", ""
}

func readMark(p *parser, value string) (text, hint string) {
	if strings.EqualFold(value, "off") {
		return "", ""
	}
	n, err := strconv.ParseUint(value, 0, 32)
	p.config.FirewallMark = uint32(n)
	if err != nil {
		return shown(value) + " is no mark", "a mark is a number of 32 bits, such as 51820 or 0xca6c, or off"
	}
	return "", ""
}

func readMTU(p *parser, value string) (text, hint string) {
	n, err := strconv.ParseUint(value, 10, 16)
	p.config.MTU = int(n)
	if err != nil || n == 0 {
		return shown(value) + " is no size of a packet", "it is a number of bytes, such as 1420"
	}
	return "", ""
}

func readAddresses(p *parser, value string) (text, hint string) {
	return readPrefixes(&p.config.Addresses, strings.ReplaceAll(value, " ", ","), "10.0.0.1/24")
}

func readAllowedIPs(p *parser, value string) (text, hint string) {
	ips := &p.peer().AllowedIPs
	first := len(*ips)
	text, hint = readPrefixes(ips, value, "10.0.0.2/32")
	for i := range (*ips)[first:] {
		(*ips)[first+i] = (*ips)[first+i].Masked()
	}
	return text, hint
}

// readPrefixes adds the addresses of a list to others. Without a prefix length an address is alone.
func readPrefixes(to *[]netip.Prefix, list, example string) (text, hint string) {
	for word := range strings.SplitSeq(list, ",") {
		word = strings.TrimSpace(word)
		if word == "" {
			continue
		}
		prefix, err := netip.ParsePrefix(word)
		if a, aloneErr := netip.ParseAddr(word); aloneErr == nil && a.Zone() == "" {
			prefix, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			return shown(word) + " is no address with a prefix length", "write them as " + example + " or fd00::2/128, with commas between"
		}
		*to = append(*to, prefix)
	}
	return "", ""
}

// readDNS reads addresses of name servers, and domains.
func readDNS(p *parser, value string) (text, hint string) {
	for word := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }) {
		a, err := netip.ParseAddr(word)
		switch {
		case err == nil && a.Zone() == "":
			p.config.DNS = append(p.config.DNS, a)
		case isDomain(word):
			p.config.Search = append(p.config.Search, word)
		default:
			return shown(word) + " is neither an address nor a domain", "write 10.0.0.1 or example.net, with commas between"
		}
	}
	return "", ""
}

// isDomain reports whether wg-quick takes a word for a domain, and a file has room for it.
func isDomain(word string) bool {
	return word != "" && strings.Trim(word, "0123456789.") != "" && !strings.ContainsFunc(word, func(r rune) bool {
		return r <= ' ' || r == ',' || r == ':' || r == '#' || r >= 0x7f
	})
}

func readEndpoint(p *parser, value string) (text, hint string) {
	p.peer().Endpoint = value
	if value == "" {
		return "it is empty", "write host:port, or leave the line out"
	}
	return "", ""
}

func readKeepalive(p *parser, value string) (text, hint string) {
	if strings.EqualFold(value, "off") {
		return "", ""
	}
	n, err := strconv.ParseUint(value, 10, 16)
	p.peer().PersistentKeepalive = time.Duration(n) * time.Second
	if err != nil {
		return shown(value) + " is no interval", "it is 1 to 65535 seconds, or off"
	}
	return "", ""
}
