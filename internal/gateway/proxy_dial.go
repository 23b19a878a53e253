package gateway

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"golang.org/x/net/proxy"

	"github.com/wsstack/wsstack/stack"
)

// A proxyError is that the proxy itself is the trouble, and not what lies behind it.
type proxyError struct{ err error }

func (e *proxyError) Error() string { return e.err.Error() }

// Unwrap makes the trouble one of the way, whatever its own code is: a proxy that refuses
// connections says nothing about the destination.
func (e *proxyError) Unwrap() error { return stack.HostUnreachable }

// proxyPatience is how long a proxy may take to answer.
const proxyPatience = 30 * time.Second

// dial connects to an address by the proxy. Errors are those of stack.RefusalOf: what the proxy
// says of the destination, as its protocol has words for that.
func (p *Proxy) dial(ctx context.Context, to netip.AddrPort) (*net.TCPConn, error) {
	ctx, cancel := context.WithTimeout(ctx, proxyPatience)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", p.address)
	if err != nil {
		return nil, p.failed(ctx, err)
	}
	c := conn.(*net.TCPConn)
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	if p.kind == proxySOCKS5 {
		err = p.socks(ctx, c, to)
	} else {
		err = p.tunnel(c, to)
	}
	if stopped := stop(); err == nil && !stopped {
		err = ctx.Err()
	}
	if err != nil {
		_ = c.Close()
		return nil, p.failed(ctx, err)
	}
	return c, nil
}

// failed is an error of the proxy, unless it says something of the destination, or nobody waits any
// more.
func (p *Proxy) failed(ctx context.Context, err error) error {
	var refusal stack.Refusal
	switch {
	case ctx.Err() != nil:
		return stack.Ignored
	case errors.As(err, &refusal):
		return err
	}
	return &proxyError{err}
}

// sayProxy tells the log of a proxy that doesn't do what it is for.
func (g *Gateway) sayProxy(err error) {
	var trouble *proxyError
	if errors.As(err, &trouble) {
		g.say("proxy", "the proxy of the way out fails", "proxy", g.cfg.Via.String(), "error", trouble.err)
	}
}

// A taken is a Dialer that has a connection already.
type taken struct{ net.Conn }

func (t taken) Dial(string, string) (net.Conn, error) { return t.Conn, nil }

func (t taken) DialContext(context.Context, string, string) (net.Conn, error) { return t.Conn, nil }

// socks asks for a connection by SOCKS5.
func (p *Proxy) socks(ctx context.Context, c net.Conn, to netip.AddrPort) error {
	var auth *proxy.Auth
	if p.user != nil {
		password, _ := p.user.Password()
		auth = &proxy.Auth{User: p.user.Username(), Password: password}
	}
	d, err := proxy.SOCKS5("tcp", p.address, auth, taken{c})
	if err != nil {
		return err
	}
	_, err = d.(proxy.ContextDialer).DialContext(ctx, "tcp", to.String())
	return socksError(err)
}

// socksReplies are the words that package proxy has for the replies of RFC 1928 §6 that say
// something of the destination.
var socksReplies = []struct {
	text string
	err  error
}{
	{"connection not allowed by ruleset", stack.Prohibited},
	{"network unreachable", stack.NetworkUnreachable},
	{"host unreachable", stack.HostUnreachable},
	{"connection refused", stack.Refused},
	{"TTL expired", stack.Ignored},
	{"address type not supported", stack.NetworkUnreachable},
}

func socksError(err error) error {
	var op *net.OpError
	if !errors.As(err, &op) || op.Err == nil {
		return err
	}
	for _, r := range socksReplies {
		if op.Err.Error() == "unknown error "+r.text {
			return r.err
		}
	}
	return err
}

// maxProxyHeader is the largest answer to CONNECT, in bytes.
const maxProxyHeader = 16 << 10

// tunnel asks for a connection by CONNECT.
func (p *Proxy) tunnel(c net.Conn, to netip.AddrPort) error {
	var request strings.Builder
	fmt.Fprintf(&request, "CONNECT %v HTTP/1.1\r\nHost: %v\r\n", to, to)
	if p.user != nil {
		password, _ := p.user.Password()
		fmt.Fprintf(&request, "Proxy-Authorization: Basic %s\r\n",
			base64.StdEncoding.EncodeToString([]byte(p.user.Username()+":"+password)))
	}
	request.WriteString("\r\n")
	if _, err := io.WriteString(c, request.String()); err != nil {
		return err
	}
	header, err := readHeader(c)
	if err != nil {
		return err
	}
	response, err := http.ReadResponse(bufio.NewReader(strings.NewReader(header)), &http.Request{Method: http.MethodConnect})
	if err != nil {
		return err
	}
	defer response.Body.Close()
	switch code := response.StatusCode; {
	case code/100 == 2:
		return nil
	case code == http.StatusForbidden:
		return stack.Prohibited
	case code == http.StatusGatewayTimeout:
		return stack.Ignored
	case code == http.StatusBadGateway, code == http.StatusServiceUnavailable, code == http.StatusNotFound:
		return stack.HostUnreachable
	default: // 407 among them
		return errors.New("CONNECT: " + response.Status)
	}
}

// readHeader reads what comes up to an empty line, and not a byte more: what follows is said
// by the destination.
func readHeader(r io.Reader) (string, error) {
	header := make([]byte, 0, 256)
	for len(header) < maxProxyHeader {
		n := len(header)
		header = append(header, 0)
		if _, err := io.ReadFull(r, header[n:]); err != nil {
			return "", err
		}
		if strings.HasSuffix(string(header[max(0, n-3):]), "\r\n\r\n") {
			return string(header), nil
		}
	}
	return "", &net.OpError{Op: "CONNECT", Net: "tcp", Err: syscall.EMSGSIZE}
}
