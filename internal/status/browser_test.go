package status

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// A busy network is one whose time is a second later at each look, in which each connection has got
// 1,000 bytes more and sent twice that.
type busy struct {
	fake
	looks  atomic.Int64
	broken atomic.Bool
	device *tun.Impaired
}

func (b *busy) network() Network {
	now := b.looks.Add(1)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stats.PacketsIn = uint64(1000 + now)
	for i := range b.sockets {
		if was := b.sockets[i].TCP; was != nil {
			tcp := *was // another request may be reading it
			tcp.BytesIn += 1000
			tcp.BytesOut += 2000
			tcp.SRTT = time.Duration(now) * time.Millisecond
			b.sockets[i].TCP = &tcp
		}
	}
	return Network{
		Version: "v1", Time: time.Unix(1e9, 0).Add(time.Duration(now) * time.Second), Hosts: []Host{{Stack: &b.fake}},
		Links: []Link{{Name: "wire", Hosts: [2]string{"stack", "host"}, Device: b.device}},
	}
}

func (b *busy) change(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

func connection(id uint64) endpoint.Info {
	return endpoint.Info{
		ID: id, Network: "tcp4", State: "ESTABLISHED", Options: streamDefaults(), TCP: &endpoint.TCPInfo{Cwnd: 14600, Resent: 3},
		RecvQueue: 11, SendQueue: 12, Connected: 1500 * time.Millisecond,
		Local: netip.MustParseAddrPort("10.77.0.1:7"), Remote: netip.AddrPortFrom(netip.MustParseAddr("10.77.0.2"), uint16(40000+id)),
	}
}

func newBusy(t *testing.T) *busy {
	a, b := tun.Pipe(1500)
	device, err := tun.Impair(a, tun.ImpairConfig{In: tun.Impairment{Delay: 50 * time.Millisecond}})
	require.NoError(t, err)
	t.Cleanup(func() {
		device.Close()
		b.Close()
	})
	changed := connection(2)
	changed.Options.NoDelay = true
	listener := endpoint.Info{ID: 1, Network: "tcp4", State: "LISTEN", Options: streamDefaults(), Local: netip.MustParseAddrPort("0.0.0.0:7")}
	hostile := connection(9)
	hostile.State = "<script>window.stolen = 1</script>"
	return &busy{device: device, fake: fake{stats: stack.Stats{}, sockets: []endpoint.Info{listener, changed, connection(3), hostile}}}
}

// serve serves the page on the loopback of this machine.
func (b *busy) serve(t *testing.T) string {
	page := Handler(b.network, nil)
	server := httptest.NewUnstartedServer(nil)
	server.Config = NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/favicon.ico" {
			w.WriteHeader(http.StatusNoContent) // a browser asks for it, and would complain
			return
		}
		if b.broken.Load() {
			http.Error(w, "broken on purpose", http.StatusServiceUnavailable)
			return
		}
		page.ServeHTTP(w, r)
	}))
	server.Start()
	t.Cleanup(server.Close)
	return server.URL + "/"
}

// rows are the texts of all cells of the table of sockets.
const rows = `JSON.stringify([...document.querySelectorAll("table.sockets tbody tr")].map(r => [...r.cells].map(c => c.innerHTML)))`

// The page follows what happens without being loaded again, draws it, and can be used by people who
// don't see it.
func TestPage_InBrowser(t *testing.T) {
	c := startChrome(t)
	b := newBusy(t)
	url := b.serve(t)

	// Without a script the page is a table.
	c.call("Emulation.setScriptExecutionDisabled", map[string]any{"value": true}, nil)
	c.visit(url)
	plain := c.eval(rows).(string)
	require.Equal(t, int64(1), b.looks.Load(), "nothing runs")
	require.Equal(t, true, c.eval(`document.querySelector(".live").hidden`))
	require.Contains(t, c.eval(`document.querySelector("noscript").textContent`), "reload")
	require.Contains(t, plain, `"1.000 ms"`)
	c.call("Emulation.setScriptExecutionDisabled", map[string]any{"value": false}, nil)

	c.visit(url)
	c.eval(`window.here = true; window.row = document.querySelector('tr[data-id="2"]')`)
	c.until(`document.getElementById("state").textContent.startsWith("Live")`)
	c.until(`document.querySelector("[data-of=packets_in]").textContent >= "1004"`) // by itself
	first := b.looks.Load()
	c.eval(`look()`)
	require.Greater(t, b.looks.Load(), first)
	require.Equal(t, true, c.eval(`window.here && window.row.isConnected`), "neither the page nor a row was made anew")
	require.Nil(t, c.eval(`window.stolen`))

	b.testRows(c)
	b.testPlots(c)
	b.testPause(c)
	testAccessible(c)
	require.Empty(t, c.errors, "of the script, or of the policy")
}

// testRows: the script writes the same cells as the template, and keeps their order.
func (b *busy) testRows(c *chrome) {
	b.change(func() {
		b.sockets = append(b.sockets[:2:2], connection(4), connection(5))
		b.sockets[2].Options.KeepAlive.On = true
	})
	c.eval(`look()`)
	var got [][]string
	require.NoError(c.t, json.Unmarshal([]byte(c.eval(rows).(string)), &got))
	fetched := c.eval(`fetch("/").then(r => r.text()).then(text => {
		const live = document.body;
		const other = new DOMParser().parseFromString(text, "text/html");
		return JSON.stringify([...other.querySelectorAll("table.sockets tbody tr")].map(r => [...r.cells].map(c => c.innerHTML)));
	})`).(string)
	var want [][]string
	require.NoError(c.t, json.Unmarshal([]byte(fetched), &want))
	require.Len(c.t, want, 4)
	require.Len(c.t, want[0], len(columns))
	for i := range want {
		for _, growing := range []int{8, 9, 11} { // bytes and the round trip
			if want[i][growing] != "" {
				require.NotEmpty(c.t, got[i][growing])
				want[i][growing], got[i][growing] = "", ""
			}
		}
	}
	require.Equal(c.t, want, got)
	require.Contains(c.t, c.eval(`document.querySelector("table.links").textContent`), "delay=50ms")
}

// testPlots: a connection has two plots, whose words say what they show.
func (b *busy) testPlots(c *chrome) {
	c.eval(`look().then(look).then(look)`)
	figures := c.eval(`[...document.querySelectorAll("figure:not(.closed)")].map(f => f.querySelector("figcaption").textContent).join()`)
	require.Equal(c.t, "#2 tcp4 10.77.0.1:7 ↔ 10.77.0.2:40002,#4 tcp4 10.77.0.1:7 ↔ 10.77.0.2:40004,#5 tcp4 10.77.0.1:7 ↔ 10.77.0.2:40005", figures)
	label := c.eval(`document.querySelector("figure svg").getAttribute("aria-label")`)
	require.Equal(c.t, "in 8.00 kbit/s, out 16.0 kbit/s, at most 16.0 kbit/s", label)
	points := c.eval(`[...document.querySelectorAll("figure polyline")].slice(0, 3).map(p => p.getAttribute("points")).join("|")`).(string)
	for i, curve := range strings.Split(points, "|") {
		last := strings.Fields(curve)
		require.Greater(c.t, len(last), 3, "curve %d", i)
		require.Equal(c.t, [...]string{"299.0,54.0", "299.0,20.0", "299.0,20.0"}[i], last[len(last)-1], "half of the scale, and all of it")
	}
	require.Equal(c.t, float64(2), c.eval(`document.querySelectorAll("figure.closed").length`), "3 and 9 have gone")
	c.eval(`(async () => { for (let i = 0; i < 40; i++) await look(); })()`)
	require.Equal(c.t, float64(0), c.eval(`document.querySelectorAll("figure.closed").length`))
	b.change(func() {
		for i := range uint64(30) {
			b.sockets = append(b.sockets, connection(100+i))
		}
	})
	c.eval(`look()`)
	require.Equal(c.t, float64(24), c.eval(`document.querySelectorAll("figure").length`), "there is a bound")
	require.Equal(c.t, "Plots of 24 of 33 connections.", c.eval(`document.querySelector(".plots p").textContent`))
	b.change(func() { b.sockets = b.sockets[:4] })
}

// testPause: a button stops the page; a server that fails is said to, and asked again.
func (b *busy) testPause(c *chrome) {
	c.eval(`pause.click()`)
	require.Equal(c.t, "true", c.eval(`pause.getAttribute("aria-pressed")`))
	c.eval(`window.busy = look().then(look)`) // one may be under way
	before := b.looks.Load()
	c.eval(`look()`)
	require.Equal(c.t, before, b.looks.Load())
	b.broken.Store(true)
	c.eval(`pause.click()`)
	c.eval(`look()`)
	require.Contains(c.t, c.eval(`state.textContent`), "no answer (status 503)")
	b.broken.Store(false)
	c.until(`state.textContent.startsWith("Live")`)
	// The console has a line for the status, which is no fault of the page.
	kept := c.errors[:0]
	for _, e := range c.errors {
		if !strings.Contains(e, "503") {
			kept = append(kept, e)
		}
	}
	c.errors = kept
}

// testAccessible: what there is has a name and a role, and colours differ enough, in the light and
// in the dark (WCAG 2.2, 1.4.3: a contrast of 4.5).
func testAccessible(c *chrome) {
	var tree struct {
		Nodes []struct {
			Ignored    bool
			Role, Name struct{ Value any }
		}
	}
	c.call("Accessibility.getFullAXTree", nil, &tree)
	found := map[string]int{}
	for _, n := range tree.Nodes {
		if n.Ignored {
			continue
		}
		role, name := fmt.Sprint(n.Role.Value), fmt.Sprint(n.Name.Value)
		found[role]++
		switch role {
		case "button", "image", "link", "region", "columnheader", "rowheader":
			require.NotEmpty(c.t, name, role)
		}
	}
	require.Equal(c.t, 1, found["button"])
	require.Equal(c.t, 3, found["table"])
	require.Equal(c.t, len(columns)+7, found["columnheader"])
	require.Equal(c.t, 2*c.eval(`document.querySelectorAll("figure").length`).(float64), float64(found["image"]))
	require.Equal(c.t, 1, found["status"])
	const contrast = `(() => {
		const style = getComputedStyle(document.documentElement);
		const light = name => {
			let hex = style.getPropertyValue(name).slice(1);
			if (hex.length === 3) hex = [...hex].map(d => d + d).join("");
			const [r, g, b] = [0, 2, 4].map(i => parseInt(hex.slice(i, i + 2), 16) / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
			return .2126 * r + .7152 * g + .0722 * b;
		};
		const bg = light("--bg");
		return Math.min(...["--ink", "--dim", "--in", "--out", "--link"].map(light).map(v => (Math.max(v, bg) + .05) / (Math.min(v, bg) + .05)));
	})()`
	for scheme, background := range map[string]string{"light": "rgb(255, 255, 255)", "dark": "rgb(13, 17, 23)"} {
		c.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
		require.Equal(c.t, background, c.eval(`getComputedStyle(document.body).backgroundColor`))
		require.GreaterOrEqual(c.t, c.eval(contrast), 4.5, scheme)
	}
}
