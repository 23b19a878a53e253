package status

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The bounds of a server.
const (
	headerTimeout = 10 * time.Second // for a request
	writeTimeout  = 30 * time.Second // for an answer
	idleTimeout   = 2 * time.Minute  // between two requests
	maxHeader     = 16 << 10         // bytes of the header of a request
)

// NewServer returns a server for a Handler, with time-outs for clients that are slow. Who listens
// bounds how many there are.
func NewServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler: handler, ReadTimeout: headerTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
	}
}

// Guard returns a handler that refuses what other sites may have a browser ask for, and passes on
// the rest to next:
//
//   - A Host field with a name that isn't localhost and that names hasn't got is refused with status
//     421, because the owner of a name can have it mean any address (DNS rebinding). Addresses are
//     served, all of them, because a page that came from elsewhere has another one. The name
//     "*.test" stands for all names below test.
//   - An Origin that isn't the Host, and a request that a browser says comes from another site, are
//     refused with status 403, unless somebody has followed a link.
//   - A body is refused with status 413.
//
// Answers have headers that keep browsers from showing and using them elsewhere.
func Guard(next http.Handler, names func() []string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
		switch {
		case !ownHost(r.Host, names):
			refuse(w, http.StatusMisdirectedRequest, "this host has no such name; use its address")
		case !ownOrigin(r):
			refuse(w, http.StatusForbidden, "requests of other sites aren't answered")
		case r.ContentLength != 0:
			refuse(w, http.StatusRequestEntityTooLarge, "a request has no body here")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func refuse(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Connection", "close") // nothing of a body is read
	http.Error(w, text, status)
}

// ownHost reports whether a Host field is an address, localhost, or one of names. A client of
// HTTP/1.0 has none; a browser always has one.
func ownHost(field string, names func() []string) bool {
	host := field
	if h, _, err := net.SplitHostPort(field); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if _, err := netip.ParseAddr(host); err == nil || host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	return slices.ContainsFunc(names(), func(name string) bool {
		name = strings.ToLower(name)
		if below, ok := strings.CutPrefix(name, "*"); ok {
			return strings.HasPrefix(below, ".") && strings.HasSuffix(host, below)
		}
		return name == host
	})
}

// ownOrigin reports whether a request comes from a page of this server, from no page, or from
// somebody who has followed a link (Fetch Metadata Request Headers §2).
func ownOrigin(r *http.Request) bool {
	if origin := r.Header.Get("Origin"); origin != "" {
		u, err := url.Parse(origin)
		return err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host)
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site":
		return r.Header.Get("Sec-Fetch-Mode") == "navigate"
	}
	return true
}
