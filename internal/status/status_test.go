package status

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// fake is a stack with the sockets of the test.
type fake struct {
	mu      sync.Mutex
	sockets []endpoint.Info
	stats   stack.Stats
}

func (f *fake) Sockets() []endpoint.Info {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]endpoint.Info(nil), f.sockets...)
}

func (f *fake) Stats() stack.Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	st := f.stats
	st.Sockets = len(f.sockets)
	return st
}

func (f *fake) InterfaceStats() []stack.InterfaceStats {
	return []stack.InterfaceStats{{Name: "lo"}}
}
func (f *fake) Profile() options.Profile { return options.Documented }

// alone is a network of one host without a name.
func alone(f *fake) func() Network {
	return func() Network { return Network{Version: "v1", Hosts: []Host{{Stack: f}}} }
}

func streamDefaults() options.Values {
	return options.Defaults(options.Documented, wsa.AF_INET, options.Stream)
}

// get asks a handler as a client at an address would.
func get(h http.Handler, path string, header ...string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodGet, path, nil)
	request.Host = "10.77.0.1"
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, request)
	return recorder
}

func page0(f *fake) http.Handler { return Handler(alone(f), nil) }

func TestPage_HTML(t *testing.T) {
	changed := streamDefaults()
	changed.NoDelay, changed.KeepAlive.Idle = true, 10*time.Second
	f := &fake{stats: stack.Stats{Dropped: 42}, sockets: []endpoint.Info{{
		ID: 7, Network: "tcp4", State: "<script>alert(1)</script>",
		Local:     netip.MustParseAddrPort("10.77.0.1:80"),
		Remote:    netip.MustParseAddrPort("[fe80::1%a<b]:5"),
		RecvQueue: 11, SendQueue: 12, Connected: 1500 * time.Millisecond, Options: changed,
		TCP: &endpoint.TCPInfo{SRTT: 1234567 * time.Nanosecond, Cwnd: 14600},
	}}}
	body := get(page0(f), "/", "Accept", "text/html,*/*").Body.String()
	for _, want := range []string{
		"the profile <code>documented</code>", "10.77.0.1:80", "<td class=\"n\">11</td><td class=\"n\">12</td>", "1.5s",
		"TCP_NODELAY=true", "TCP_KEEPIDLE=10s", "<span data-of=\"dropped\">42</span> dropped", "&lt;script&gt;", "1.234 ms", "14600",
	} {
		require.Contains(t, body, want)
	}
	for _, bad := range []string{"<script>a", "a<b", "SO_LINGER", "ZgotmplZ", "metrics"} {
		require.NotContains(t, body, bad)
	}
}

// An AF_INET6 socket with IPV6_V6ONLY off is named by what it speaks.
func TestSocket_DualStack(t *testing.T) {
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
		s := NewSocket(info, options.Documented)
		require.Equal(t, c.want, [3]string{s.Network, s.Local, s.Remote})
		require.Len(t, s.Options, c.options, c.local)
	}
}

func TestPage_Headers(t *testing.T) {
	r := get(page0(&fake{}), "/", "Accept", "application/json")
	require.Equal(t, http.StatusOK, r.Code)
	require.Equal(t, "application/json", r.Header().Get("Content-Type"))
	require.Equal(t, "nosniff", r.Header().Get("X-Content-Type-Options"))
	for _, want := range []string{`"sockets": []`, `"profile": "documented"`, `"links": []`} {
		require.Contains(t, r.Body.String(), want)
	}
	r = get(page0(&fake{}), "/")
	policy := r.Header().Get("Content-Security-Policy")
	require.Contains(t, policy, "default-src 'none'")
	require.NotContains(t, policy, "unsafe")
	request := httptest.NewRequest(http.MethodPost, "http://10.77.0.1/", nil)
	recorder := httptest.NewRecorder()
	page0(&fake{}).ServeHTTP(recorder, request)
	require.Equal(t, http.StatusMethodNotAllowed, recorder.Code)
	require.Equal(t, http.StatusNotFound, get(page0(&fake{}), "/metrics").Code)
	metrics := Handler(alone(&fake{}), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	require.Equal(t, http.StatusTeapot, get(metrics, "/metrics").Code)
	require.Contains(t, get(metrics, "/").Body.String(), `<a href="metrics">`)
}

// Programs find one style of names, and a body whose length doesn't follow each digit of a counter.
func TestPage_JSON(t *testing.T) {
	changed := streamDefaults()
	changed.NoDelay, changed.TCP.NoSynRetries = true, true
	f := &fake{sockets: []endpoint.Info{{ID: 7, Network: "tcp4", State: "ESTABLISHED", Options: changed, TCP: &endpoint.TCPInfo{}}}}
	short := get(page0(f), "/", "Accept", "application/json")
	f.sockets[0].ID, f.sockets[0].Connected = 777777, time.Hour
	long := get(page0(f), "/", "Accept", "application/json")
	for what, r := range map[string]*httptest.ResponseRecorder{"JSON": long, "HTML": get(page0(f), "/")} {
		n := r.Body.Len()
		require.Zero(t, n%pageBlock, what)
		require.Equal(t, strconv.Itoa(n), r.Header().Get("Content-Length"), what)
	}
	require.Equal(t, short.Body.Len(), long.Body.Len())
	// In a terminal the blanks of a page would push its text away.
	require.True(t, strings.HasSuffix(get(page0(f), "/").Body.String(), "</html>\n"))
	var report any
	require.NoError(t, json.Unmarshal(long.Body.Bytes(), &report))
	names := map[string]bool{}
	memberNames(report, names)
	for name := range names {
		require.Equal(t, snakeCase(name), name)
		require.NotContains(t, name, "__")
	}
	for _, want := range []string{"recv_queue", "packets_in", "time_wait", "symbol", "rtt_us", "bytes_out", "links"} {
		require.True(t, names[want], want)
	}
	require.False(t, names["hosts"])
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

// A report that was encoded and decoded is the same.
func TestReport_RoundTrip(t *testing.T) {
	a, b := tun.Pipe(1500)
	impaired, err := tun.Impair(a, tun.ImpairConfig{Out: tun.Impairment{Loss: 1}})
	require.NoError(t, err)
	defer b.Close()
	real, err := stack.New(stack.Config{Device: impaired, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}})
	require.NoError(t, err)
	defer real.Close()
	_, err = real.Listen("tcp", ":80")
	require.NoError(t, err)
	c, err := real.Dial("udp", "10.0.0.2:9")
	require.NoError(t, err)
	_, err = c.Write(make([]byte, 100))
	require.NoError(t, err)
	now := time.Date(2026, 11, 30, 1, 2, 3, 456789000, time.UTC)
	links := []Link{{Name: "wire", Hosts: [2]string{"server", "client"}, Device: impaired}}
	for _, name := range []string{"", "server"} {
		n := Network{Version: "v1", Name: "test", Time: now, Hosts: []Host{{Name: name, Stack: real}}, Links: links}
		want := NewReport(n, 0)
		text, err := json.Marshal(want)
		require.NoError(t, err)
		var got Report
		require.NoError(t, json.Unmarshal(text, &got))
		require.Equal(t, want, got, string(text))
		host := got.All()[0]
		require.Equal(t, name, host.Name)
		require.Len(t, host.Sockets, 2)
		require.Equal(t, Interface{Name: "tun0", MTU: 1500, PacketsOut: 1, BytesOut: 128}, host.Interfaces[1])
		require.Equal(t, Direction{
			Impairment: "loss=1", Packets: 1, Bytes: 128, Dropped: 1, Fates: map[string]uint64{"lost": 1},
		}, got.Links[0].There)
		require.Len(t, NewReport(n, 1).All()[0].Sockets, 1)
	}
}

// The counters of a link without impairments are those of the interface.
func TestReport_PlainLink(t *testing.T) {
	a, b := tun.Pipe(1500)
	defer b.Close()
	s, err := stack.New(stack.Config{Device: a, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}})
	require.NoError(t, err)
	defer s.Close()
	c, err := s.Dial("udp", "10.0.0.2:9")
	require.NoError(t, err)
	_, err = c.Write(make([]byte, 100))
	require.NoError(t, err)
	r := NewReport(Network{Hosts: []Host{{Stack: s}}, Links: []Link{{Name: "wire", Device: a}}}, 0)
	require.Equal(t, Direction{Packets: 1, Bytes: 128, Fates: map[string]uint64{}}, r.Links[0].There)
}

func TestPage_Limit(t *testing.T) {
	f := &fake{}
	for i := range 2*pageSockets + 1 {
		f.sockets = append(f.sockets, endpoint.Info{ID: uint64(i), Network: "tcp4", State: "LISTEN", Options: streamDefaults()})
	}
	rows := func(r *httptest.ResponseRecorder) int { return strings.Count(r.Body.String(), "LISTEN") }
	require.Equal(t, pageSockets, rows(get(page0(f), "/")))
	require.Contains(t, get(page0(f), "/").Body.String(), "Shown are the 200 oldest of 401.")
	require.Equal(t, 2*pageSockets+1, rows(get(page0(f), "/", "Accept", "application/json")))
	require.Equal(t, 3, rows(get(page0(f), "/?limit=3", "Accept", "application/json")))
	for _, bad := range []string{"0", "-1", "x", "100001", "1e3"} {
		require.Equal(t, http.StatusBadRequest, get(page0(f), "/?limit="+bad).Code, bad)
	}
}

// A page that fills its block exactly has another one.
func TestPadding(t *testing.T) {
	for n, want := range map[int]int{0: pageBlock, 1: pageBlock, pageBlock - 1: pageBlock, pageBlock: 2 * pageBlock} {
		require.Equal(t, want, n+len(padding(n)))
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
		require.Equal(t, want, prefersJSON(accept), accept)
	}
}
