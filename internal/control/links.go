package control

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/wsstack/wsstack/internal/status"
	"github.com/wsstack/wsstack/tun"
)

// A LinkInfo is a link of the network: GET /v1/links/{name}.
type LinkInfo struct {
	status.LinkReport
	Foreign  string        `json:"foreign,omitempty"` // the host whose packets another machine impairs
	Captures []CaptureInfo `json:"captures"`          // what its packets are recorded in
}

// Links is the answer to GET /v1/links.
type Links struct {
	Links []LinkInfo `json:"links"`
}

// A LinkChange changes the impairments of a link that runs: PUT /v1/links/{name}. The lists are as
// tun.Impairment.Set reads them, and change what they name. Either all of it happens, or nothing.
type LinkChange struct {
	Reset bool   `json:"reset,omitempty"` // take all impairments away first
	Both  string `json:"both,omitempty"`  // for both directions, or that of the host that isn't foreign
	There string `json:"there,omitempty"` // for what the first host sends; goes before Both
	Back  string `json:"back,omitempty"`  // for what the second host sends; goes before Both
}

// A link is a Link with what is done to it.
type link struct {
	Link

	mu       sync.Mutex // serialises changes
	captures []*capture
}

func (s *Server) handleLinks() {
	s.mux.Handle("GET /v1/links", JSON(func(*http.Request) (any, error) { return s.listLinks(), nil }))
	s.mux.Handle("GET /v1/links/{name}", s.ofLink(func(l *link, _ *http.Request) (any, error) { return l.info(), nil }))
	s.mux.Handle("PUT /v1/links/{name}", s.ofLink((*link).change))
	s.handleCaptures()
}

// AddLink adds a link.
func (s *Server) AddLink(l Link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links = append(s.links, &link{Link: l})
}

// ofLink is the handler of requests about a link.
func (s *Server) ofLink(f func(*link, *http.Request) (any, error)) http.Handler {
	return JSON(func(r *http.Request) (any, error) {
		l, err := s.linkOf(r.PathValue("name"))
		if err != nil {
			return nil, err
		}
		return f(l, r)
	})
}

// linkOf returns the link of a name.
func (s *Server) linkOf(name string) (*link, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, l := range s.links {
		if l.Name == name {
			return l, nil
		}
		names = append(names, l.Name)
	}
	return nil, Errorf(http.StatusNotFound, "its links: "+list(names), "the network has no link %q", name)
}

func (s *Server) listLinks() Links {
	s.mu.Lock()
	all := slices.Clone(s.links)
	s.mu.Unlock()
	answer := Links{Links: []LinkInfo{}}
	for _, l := range all {
		answer.Links = append(answer.Links, l.info())
	}
	return answer
}

// info describes a link.
func (l *link) info() LinkInfo {
	n := status.Network{Links: []status.Link{{Name: l.Name, Hosts: l.Ends, Device: l.Impaired}}}
	info := LinkInfo{LinkReport: status.NewReport(n, 0).Links[0], Foreign: l.Foreign, Captures: []CaptureInfo{}}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.captures {
		info.Captures = append(info.Captures, c.info())
	}
	return info
}

// change answers PUT /v1/links/{name} with the link as it is then.
func (l *link) change(r *http.Request) (any, error) {
	var c LinkChange
	if err := readJSON(r, &c); err != nil {
		return nil, err
	}
	l.mu.Lock()
	err := l.changeLocked(c)
	l.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return l.info(), nil
}

func (l *link) changeLocked(c LinkChange) error {
	there, back := l.Impaired.Impairments()
	before := there
	if c.Reset {
		there, back = tun.Impairment{Filter: there.Filter}, tun.Impairment{Filter: back.Filter}
	}
	for i, d := range []struct {
		m    *tun.Impairment
		list string
	}{{&there, c.There}, {&back, c.Back}} {
		both := c.Both
		if l.Ends[i] == l.Foreign {
			if d.list != "" {
				return Errorf(http.StatusBadRequest, "set it on the machine of "+l.Foreign, "another machine impairs what %s sends", l.Foreign)
			}
			both = ""
		}
		for _, list := range []string{both, d.list} {
			if err := setImpairment(d.m, list); err != nil {
				return err
			}
		}
	}
	for _, m := range []*tun.Impairment{&there, &back} {
		if err := checkImpairment(m); err != nil {
			return err
		}
	}
	if err := l.Impaired.SetOut(there); err != nil {
		return badRequest(err)
	}
	if err := l.Impaired.SetIn(back); err != nil {
		return errors.Join(badRequest(err), l.Impaired.SetOut(before))
	}
	return nil
}

// allImpairments says where the parameters of links are.
const allImpairments = "all parameters of a link: wsstack help impairments"

// setImpairment changes what a list names.
func setImpairment(m *tun.Impairment, words string) error {
	if words == "" {
		return nil
	}
	for word := range strings.SplitSeq(words, ",") {
		// A file of the client's choice, in the client's directory, read by the network.
		if name, _, _ := strings.Cut(word, "="); name == "rate-trace" {
			return Errorf(http.StatusBadRequest, "set a rate, or give the trace when the network starts", "rate-trace can't change while the link runs")
		}
	}
	if err := m.Set(words); err != nil {
		return Errorf(http.StatusBadRequest, allImpairments, "%v", err)
	}
	return nil
}

// checkImpairment refuses values that don't go together, and parameters without an effect.
func checkImpairment(m *tun.Impairment) error {
	for _, p := range tun.Parameters() {
		if err := p.Check(m); err != nil {
			return Errorf(http.StatusBadRequest, allImpairments, "%s: %v", p.Name, err)
		}
		if p.Text(m) == "" || len(p.Needs) == 0 {
			continue
		}
		if !slices.ContainsFunc(p.Needs, func(name string) bool {
			needed, _ := tun.FindParameter(name)
			return needed.Text(m) != ""
		}) {
			needed, _ := tun.FindParameter(p.Needs[0])
			return Errorf(http.StatusBadRequest, "add "+needed.Name+"="+needed.Placeholder, "%s has no effect without %s", p.Name, strings.Join(p.Needs, " or "))
		}
	}
	return nil
}
