package gateway

import (
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/wsstack/wsstack/internal/mistake"
)

// A Proxy is a server that connects in the gateway's place. It is asked for addresses,
// never for names.
type Proxy struct {
	kind    proxyKind
	address string // HOST:PORT; the host's resolver knows HOST
	user    *url.Userinfo
}

// The kinds of proxies.
type proxyKind uint8

const (
	proxySOCKS5 proxyKind = iota // RFC 1928, RFC 1929
	proxyHTTP                    // CONNECT: RFC 9110 §9.3.6
)

// String is the URL of the proxy, without a password.
func (p *Proxy) String() string {
	scheme := "socks5"
	if p.kind == proxyHTTP {
		scheme = "http"
	}
	u := url.URL{Scheme: scheme, Host: p.address, User: p.user}
	return u.Redacted()
}

// ParseProxy reads the URL of a proxy: socks5://[USER:PASSWORD@]HOST[:PORT] or the same with
// http. An error has a hint, and no password in it.
func ParseProxy(text string) (*Proxy, error) {
	const hint = "write socks5://HOST:PORT or http://HOST:PORT, with USER:PASSWORD@ before HOST if need be"
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return nil, mistake.Errorf(hint, "--via: that is not the URL of a proxy") // it may have a password
	}
	p := &Proxy{user: u.User}
	port := "1080" // RFC 1928 §3
	switch strings.ToLower(u.Scheme) {
	case "socks5", "socks5h":
	case "http":
		p.kind, port = proxyHTTP, "80"
	default:
		return nil, mistake.Errorf(hint, "--via: %q is no kind of proxy that is spoken here", u.Scheme)
	}
	if u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return nil, mistake.Errorf(hint, "--via: a proxy has no path: %q", u.Redacted())
	}
	if u.Port() != "" {
		port = u.Port()
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || u.Hostname() == "" {
		return nil, mistake.Errorf(hint, "--via: %q is no host and port", u.Host)
	}
	if password, _ := u.User.Password(); p.kind == proxySOCKS5 && (len(u.User.Username()) > 255 || len(password) > 255) {
		return nil, mistake.Errorf("SOCKS5 has room for 255 bytes of each (RFC 1929)", "--via: the user or the password is too long")
	}
	p.address = net.JoinHostPort(u.Hostname(), port)
	return p, nil
}
