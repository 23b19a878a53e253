package wg

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// WriteTo writes the configuration in the form of wg-quick(8), which ParseConfig reads, without
// Bind and Logger. What New would refuse isn't written; the error is a *ConfigError then. The text
// has the private key.
func (c *Config) WriteTo(w io.Writer) (int64, error) {
	if err := c.check(); err != nil {
		return 0, err
	}
	if err := c.checkText(); err != nil {
		return 0, err
	}
	var t text
	t.section("Interface")
	t.line("PrivateKey", c.PrivateKey)
	list(&t, "Address", c.Addresses)
	list(&t, "DNS", c.DNS)
	list(&t, "DNS", c.Search)
	t.number("MTU", c.MTU)
	t.number("ListenPort", c.ListenPort)
	if c.FirewallMark != 0 {
		t.line("FwMark", fmt.Sprintf("%#x", c.FirewallMark))
	}
	for _, line := range c.Ignored {
		t.WriteString(line + "\n")
	}
	for i := range c.Peers {
		t.peer(&c.Peers[i])
	}
	n, err := io.WriteString(w, t.String())
	return int64(n), err
}

// checkText says what wouldn't be the same when it is read again.
func (c *Config) checkText() error {
	for _, domain := range c.Search {
		if !isDomain(domain) {
			return wrong("example.net is one", "%q is no domain", domain)
		}
	}
	for _, line := range c.Ignored {
		key, value, _ := strings.Cut(line, " = ")
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == key && f.read == nil })
		if i < 0 || strings.ContainsAny(value, "\n#\x00") || strings.TrimSpace(value) != value || !utf8.ValidString(value) {
			return wrong("they are those that ParseConfig has found", "%q is no line that is ignored", line)
		}
	}
	return nil
}

// A text is a configuration that is being written.
type text struct{ strings.Builder }

// section begins a section.
func (t *text) section(name string) {
	if t.Len() > 0 {
		t.WriteByte('\n')
	}
	fmt.Fprintf(t, "[%s]\n", name)
}

// line adds a line.
func (t *text) line(key string, value any) { fmt.Fprintf(t, "%s = %v\n", key, value) }

// number adds a line with a number that isn't 0.
func (t *text) number(key string, n int) {
	if n != 0 {
		t.line(key, n)
	}
}

// list adds a line with several values, if there are any.
func list[T any](t *text, key string, values []T) {
	if len(values) == 0 {
		return
	}
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = fmt.Sprint(v)
	}
	t.line(key, strings.Join(words, ", "))
}

// peer adds a section.
func (t *text) peer(p *Peer) {
	t.section("Peer")
	t.line("PublicKey", p.PublicKey)
	if !p.PresharedKey.IsZero() {
		t.line("PresharedKey", p.PresharedKey)
	}
	list(t, "AllowedIPs", p.AllowedIPs)
	if p.Endpoint != "" {
		t.line("Endpoint", p.Endpoint)
	}
	t.number("PersistentKeepalive", int(p.PersistentKeepalive/time.Second))
}
