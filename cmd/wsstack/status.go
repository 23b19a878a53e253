package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"mime"
	"net/http"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/internal/changes"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// statusReport is the status page as data, which a request with "Accept: application/json" gets.
type statusReport struct {
	Version string         `json:"version"` // version of wsstack
	Profile string         `json:"profile"` // profile that the sockets follow
	Sockets []socketStatus `json:"sockets"` // the sockets, the oldest first
	Stats   statistics     `json:"stats"`   // the counters of the stack
}

// statistics are the counters of the stack with names in JSON such as packets_in.
type statistics stack.Stats

// MarshalJSON returns an object with a member for each field.
func (s statistics) MarshalJSON() ([]byte, error) {
	v := reflect.ValueOf(s)
	members := make(map[string]any, v.NumField())
	for i := range v.NumField() {
		members[snakeCase(v.Type().Field(i).Name)] = v.Field(i).Interface()
	}
	return json.Marshal(members)
}

// snakeCase makes packets_in of PacketsIn.
func snakeCase(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// socketStatus is one socket on the status page.
type socketStatus struct {
	ID        uint64           `json:"id"`         // number of the socket in the stack
	Network   string           `json:"network"`    // network as package net names it, such as "tcp4"
	State     string           `json:"state"`      // TCP state, or the state of a socket for datagrams
	Local     string           `json:"local"`      // local address; "": none
	Remote    string           `json:"remote"`     // address of the peer; "": no peer
	RecvQueue int              `json:"recv_queue"` // bytes that are received and not read
	SendQueue int              `json:"send_queue"` // bytes that are sent and not acknowledged
	Connected string           `json:"connected"`  // time since the connect; "": not connected
	Options   []changes.Option `json:"options"`    // options whose values differ from their defaults
}

func newStatusReport(h host) statusReport {
	report := statusReport{Version: version(), Profile: h.Profile().String(), Sockets: []socketStatus{}, Stats: statistics(h.Stats())}
	for _, info := range h.Sockets() {
		report.Sockets = append(report.Sockets, newSocketStatus(info, h.Profile()))
	}
	return report
}

func newSocketStatus(info endpoint.Info, p options.Profile) socketStatus {
	family, kind := int32(wsa.AF_INET), options.Stream
	if strings.HasSuffix(info.Network, "6") {
		family = wsa.AF_INET6
	}
	if strings.HasPrefix(info.Network, "udp") {
		kind = options.Datagram
	}
	def, network := options.Defaults(p, family, kind), networkText(info)
	if network != info.Network {
		def.V6Only = info.Options.V6Only // the name of the network says it
	}
	s := socketStatus{
		ID: info.ID, Network: network, State: info.State,
		Local: addressText(info.Local), Remote: addressText(info.Remote),
		RecvQueue: info.RecvQueue, SendQueue: info.SendQueue,
		Options: changes.Of(&info.Options, &def),
	}
	if info.Connected > 0 {
		s.Connected = info.Connected.Round(time.Millisecond).String()
	}
	return s
}

// networkText returns the network as package net names it. The network of an AF_INET6 socket with
// an IPv4 peer is "tcp4", and that of an AF_INET6 socket for both families "tcp".
func networkText(info endpoint.Info) string {
	protocol, is6 := strings.CutSuffix(info.Network, "6")
	switch {
	case is6 && info.Local.Addr().Is4In6():
		return protocol + "4"
	case is6 && !info.Options.V6Only && info.Local.Addr().IsUnspecified():
		return protocol
	}
	return info.Network
}

// addressText returns the address as package net prints it: a mapped address is an IPv4 address.
func addressText(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()).String()
}

//go:embed status.html
var statusHTML string

var statusPage = template.Must(template.New("status").Parse(statusHTML))

// statusHandler serves the status page as HTML, or as JSON to clients that prefer JSON.
func statusHandler(h host) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		report := newStatusReport(h)
		header := w.Header()
		header.Set("Cache-Control", "no-store")
		header.Set("Vary", "Accept")
		header.Set("X-Content-Type-Options", "nosniff")
		var body bytes.Buffer // an error must come before the status line
		var err error
		var page []byte
		if prefersJSON(r.Header.Get("Accept")) {
			header.Set("Content-Type", "application/json")
			encoder := json.NewEncoder(&body)
			encoder.SetIndent("", "  ")
			err = encoder.Encode(report)
			page = slices.Concat(body.Bytes(), padding(body.Len()))
		} else {
			header.Set("Content-Type", "text/html; charset=utf-8")
			header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
			err = statusPage.Execute(&body, report)
			page = slices.Concat(padding(body.Len()), body.Bytes()) // a terminal shows what comes last
		}
		if err != nil {
			http.Error(w, "the status page failed: "+err.Error(), http.StatusInternalServerError)
			return
		}
		header.Set("Content-Length", strconv.Itoa(len(page)))
		_, _ = w.Write(page) // the client may be gone
	})
	return mux
}

// pageBlock is the number of bytes of which the length of the page is a multiple. Counters and
// times change from one request to the next; the length then doesn't, so that two downloads can be
// compared.
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
