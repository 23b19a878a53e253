package main

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// fakeHost is a stack with the sockets of the test.
type fakeHost struct{ sockets []endpoint.Info }

func (fakeHost) Listen(string, string) (net.Listener, error)         { return nil, net.ErrClosed }
func (fakeHost) ListenPacket(string, string) (net.PacketConn, error) { return nil, net.ErrClosed }
func (f fakeHost) Sockets() []endpoint.Info                          { return f.sockets }
func (fakeHost) Stats() stack.Stats                                  { return stack.Stats{Dropped: 42} }
func (fakeHost) Profile() options.Profile                            { return options.Documented }

func streamDefaults() options.Values {
	return options.Defaults(options.Documented, wsa.AF_INET, options.Stream)
}

func getStatus(h host, method, path, accept string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, path, nil)
	request.Header.Set("Accept", accept)
	recorder := httptest.NewRecorder()
	statusHandler(h).ServeHTTP(recorder, request)
	return recorder
}

func TestStatus_HTML(t *testing.T) {
	changed := streamDefaults()
	changed.NoDelay, changed.KeepAlive.Idle = true, 10*time.Second
	h := fakeHost{sockets: []endpoint.Info{{
		ID: 7, Network: "tcp4", State: "<script>alert(1)</script>",
		Local:     netip.MustParseAddrPort("10.77.0.1:80"),
		Remote:    netip.MustParseAddrPort("[fe80::1%a<b]:5"),
		RecvQueue: 11, SendQueue: 12, Connected: 1500 * time.Millisecond, Options: changed,
	}}}
	body := getStatus(h, "GET", "/", "text/html,*/*").Body.String()
	for _, want := range []string{
		"the profile <code>documented</code>", "10.77.0.1:80", "<td class=\"n\">11</td><td class=\"n\">12</td>", "1.5s",
		"TCP_NODELAY=true", "TCP_KEEPIDLE=10s", "42 dropped", "&lt;script&gt;",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page has no %q:\n%s", want, body)
		}
	}
	for _, bad := range []string{"<script", "a<b", "SO_LINGER"} {
		if strings.Contains(body, bad) {
			t.Errorf("the page contains %q:\n%s", bad, body)
		}
	}
}

// An AF_INET6 socket with IPV6_V6ONLY off is named by what it speaks.
func TestStatus_DualStack(t *testing.T) {
	dual := options.Defaults(options.Documented, wsa.AF_INET6, options.Stream)
	only := dual
	datagram := options.Defaults(options.Documented, wsa.AF_INET6, options.Datagram)
	dual.V6Only, only.V6Only, datagram.V6Only = false, true, false
	for _, c := range []struct {
		network, local, remote string
		values                 options.Values
		want                   [3]string
		options                int
	}{
		{"tcp6", "[::]:80", "", dual, [3]string{"tcp", "[::]:80", ""}, 0},
		{"tcp6", "[::]:80", "", only, [3]string{"tcp6", "[::]:80", ""}, 0},
		{"tcp6", "[::ffff:10.0.0.1]:80", "[::ffff:10.0.0.2]:5", dual, [3]string{"tcp4", "10.0.0.1:80", "10.0.0.2:5"}, 0},
		{"udp6", "[::ffff:10.0.0.1]:80", "", datagram, [3]string{"udp4", "10.0.0.1:80", ""}, 0},
		{"tcp6", "[fd77::1]:80", "[fd77::2]:5", dual, [3]string{"tcp6", "[fd77::1]:80", "[fd77::2]:5"}, 1},
		{"tcp4", "0.0.0.0:80", "", streamDefaults(), [3]string{"tcp4", "0.0.0.0:80", ""}, 0},
	} {
		info := endpoint.Info{Network: c.network, Local: netip.MustParseAddrPort(c.local), Options: c.values}
		if c.remote != "" {
			info.Remote = netip.MustParseAddrPort(c.remote)
		}
		s := newSocketStatus(info, options.Documented)
		if got := [3]string{s.Network, s.Local, s.Remote}; got != c.want || len(s.Options) != c.options {
			t.Errorf("%s %s: %v with options %v, want %v with %d", c.network, c.local, got, s.Options, c.want, c.options)
		}
	}
}

func TestStatus_Headers(t *testing.T) {
	r := getStatus(fakeHost{}, "GET", "/", "application/json")
	if got := r.Header().Get("Content-Type"); got != "application/json" || r.Code != http.StatusOK {
		t.Errorf("JSON: %d, %q", r.Code, got)
	}
	for _, want := range []string{`"sockets": []`, `"profile": "documented"`} {
		if !strings.Contains(r.Body.String(), want) {
			t.Errorf("JSON without %s: %s", want, r.Body)
		}
	}
	if r := getStatus(fakeHost{}, "POST", "/", ""); r.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d, want 405", r.Code)
	}
}

// Programs find one style of names, and a body whose length doesn't follow each
// digit of a counter.
func TestStatus_JSON(t *testing.T) {
	changed := streamDefaults()
	changed.NoDelay, changed.TCP.NoSynRetries = true, true
	h := fakeHost{sockets: []endpoint.Info{{ID: 7, Network: "tcp4", State: "LISTEN", Options: changed}}}
	short := getStatus(h, "GET", "/", "application/json")
	h.sockets[0].ID, h.sockets[0].Connected = 777777, time.Hour
	long := getStatus(h, "GET", "/", "application/json")
	for what, r := range map[string]*httptest.ResponseRecorder{"JSON": long, "HTML": getStatus(h, "GET", "/", "")} {
		if n := r.Body.Len(); n != pageBlock || r.Header().Get("Content-Length") != strconv.Itoa(n) {
			t.Errorf("%s: %d bytes, Content-Length %s, want %d", what, n, r.Header().Get("Content-Length"), pageBlock)
		}
	}
	// In a terminal the blanks of a page would push its text away.
	if html := getStatus(h, "GET", "/", "").Body.String(); !strings.HasSuffix(html, "</html>\n") {
		t.Errorf("the page ends with %q", html[len(html)-20:])
	}
	if short.Body.Len() != long.Body.Len() {
		t.Errorf("%d and %d bytes", short.Body.Len(), long.Body.Len())
	}
	var report any
	if err := json.Unmarshal(long.Body.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	memberNames(report, names)
	for name := range names {
		if name != snakeCase(name) || strings.Contains(name, "__") {
			t.Errorf("the member %q isn't in snake_case", name)
		}
	}
	for _, want := range []string{"recv_queue", "packets_in", "time_wait", "symbol"} {
		if !names[want] {
			t.Errorf("no member %s among %v", want, names)
		}
	}
}

// memberNames adds the names of all members in a JSON value.
func memberNames(v any, names map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			names[name] = true
			memberNames(inner, names)
		}
	case []any:
		for _, inner := range v {
			memberNames(inner, names)
		}
	}
}

// A page that fills its block exactly has another one.
func TestPadding(t *testing.T) {
	for n, want := range map[int]int{0: pageBlock, 1: pageBlock, pageBlock - 1: pageBlock, pageBlock: 2 * pageBlock} {
		if got := n + len(padding(n)); got != want {
			t.Errorf("%d bytes became %d, want %d", n, got, want)
		}
	}
}

func TestPrefersJSON(t *testing.T) {
	for accept, want := range map[string]bool{
		"": false, "*/*": false, "application/json": true, "Application/JSON; charset=utf-8": true,
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": false, // a browser
		"application/json, text/plain, */*":                               true,  // a script in one
		"text/html, application/json":                                     false,
		"application/json;q=0, */*":                                       false,
		"application/json;q=0.5":                                          true,
		";;;,application/json":                                            true,
	} {
		if got := prefersJSON(accept); got != want {
			t.Errorf("prefersJSON(%q) = %v, want %v", accept, got, want)
		}
	}
}
