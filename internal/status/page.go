package status

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"html/template"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Bounds of what is shown.
const (
	pageSockets = 200     // sockets of a host on the page
	mostSockets = 100_000 // the largest limit that a request may name
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

//go:embed page.js
var pageJS string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"millis": millis,
	"way":    newWay,
}).Parse(pageHTML))

// columns are the headings of the table of sockets.
var columns = []string{
	"#", "Network", "State", "Local", "Remote", "Recv-Q", "Send-Q", "Connected",
	"Bytes in", "Bytes out", "Retransmitted", "Round trip", "Cwnd", "Options",
}

// contentPolicy allows the style and the script of the page, by their hashes, and questions to
// where the page comes from.
var contentPolicy = "default-src 'none'; style-src '" + hash(pageCSS) + "'; script-src '" + hash(pageJS) +
	"'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// hash is a source of a content security policy (CSP Level 3 §2.3.1).
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// page is what the template is filled with.
type page struct {
	Report  Report
	Limit   int
	Metrics bool // there is a page /metrics
	Columns []string
	CSS     template.CSS
	Script  template.JS
}

// Sockets is how many sockets the hosts have.
func (p page) Sockets() int {
	n := 0
	for _, h := range p.Report.All() {
		n += h.Stats.Sockets
	}
	return n
}

// More reports whether a host has more sockets than are shown.
func (p page) More(h HostReport) bool { return len(h.Sockets) == p.Limit && h.Stats.Sockets > p.Limit }

// A way is a direction of a link on the page.
type way struct {
	Name, From, To string
	Direction
}

func newWay(l LinkReport, k int) way {
	if k == 0 {
		return way{l.Name, l.Hosts[0], l.Hosts[1], l.There}
	}
	return way{l.Name, l.Hosts[1], l.Hosts[0], l.Back}
}

// millis writes microseconds; 0 is nothing.
func millis(us int64) string {
	if us == 0 {
		return ""
	}
	return strconv.FormatFloat(float64(us)/1000, 'f', 3, 64) + " ms"
}

// Handler serves the page of a network at /: as HTML that shows it live, or as JSON to clients that
// prefer JSON. "?limit=N" asks for at most N sockets of each host; the page has 200 of them, and
// JSON has all without it. What metrics serves, if it isn't nil, is at /metrics.
//
// Handler asks network for each request, several at a time. It refuses what Guard refuses, where
// the names are those of the network and its hosts.
func Handler(network func() Network, metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		asJSON := prefersJSON(r.Header.Get("Accept"))
		limit, err := limitOf(r, asJSON)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		serve(w, NewReport(network(), limit), limit, asJSON, metrics != nil)
	})
	if metrics != nil {
		mux.Handle("GET /metrics", metrics)
	}
	return Guard(mux, func() []string {
		n := network()
		names := slices.Clone(n.Names)
		for _, h := range n.Hosts {
			names = append(names, h.Name)
		}
		return names
	})
}

// limitOf is the limit that a request names, or the one of those that name none.
func limitOf(r *http.Request, asJSON bool) (int, error) {
	text := r.URL.Query().Get("limit")
	switch n, err := strconv.Atoi(text); {
	case text == "" && asJSON:
		return 0, nil
	case text == "":
		return pageSockets, nil
	case err == nil && n >= 1 && n <= mostSockets:
		return n, nil
	}
	return 0, errors.New("limit isn't a number from 1 to " + strconv.Itoa(mostSockets))
}

func serve(w http.ResponseWriter, report Report, limit int, asJSON, metrics bool) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Vary", "Accept")
	var body bytes.Buffer // an error must come before the status line
	var err error
	var text []byte
	if asJSON {
		header.Set("Content-Type", "application/json")
		encoder := json.NewEncoder(&body)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(report)
		text = slices.Concat(body.Bytes(), padding(body.Len()))
	} else {
		header.Set("Content-Type", "text/html; charset=utf-8")
		header.Set("Content-Security-Policy", contentPolicy)
		header.Set("Referrer-Policy", "no-referrer")
		err = pageTemplate.Execute(&body, page{
			Report: report, Limit: limit, Metrics: metrics, Columns: columns,
			CSS: template.CSS(pageCSS), Script: template.JS(pageJS), //nolint:gosec // both are ours
		})
		text = slices.Concat(padding(body.Len()), body.Bytes()) // a terminal shows what comes last
	}
	if err != nil {
		http.Error(w, "the status page failed: "+err.Error(), http.StatusInternalServerError)
		return
	}
	header.Set("Content-Length", strconv.Itoa(len(text)))
	_, _ = w.Write(text) // the client may be gone
}

// pageBlock is the number of bytes of which the length of the page is a multiple. Counters and
// times change from one request to the next; the length then mostly doesn't, so that two downloads
// can be compared.
const pageBlock = 4 << 10

// padding returns white space that fills up the last block of a page. White space has no meaning in
// JSON, nor in front of an HTML document.
func padding(size int) []byte {
	missing := pageBlock - size%pageBlock
	return append(bytes.Repeat([]byte(" "), missing-1), '\n')
}

// prefersJSON reports whether an Accept field asks for JSON rather than HTML (RFC 9110 §12.5.1):
// JSON must be named, and not come after HTML. Of weights, only a weight of 0 counts.
func prefersJSON(accept string) bool {
	for _, item := range strings.Split(accept, ",") {
		mediaType, params, err := mime.ParseMediaType(item)
		if err != nil || strings.Trim(params["q"], "0.") == "" && params["q"] != "" {
			continue
		}
		switch mediaType {
		case "application/json":
			return true
		case "text/html":
			return false
		}
	}
	return false
}
