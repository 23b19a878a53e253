package control

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/wsstack/wsstack/internal/status"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// A Socket is a socket of one of the network's stacks.
type Socket struct {
	Host string `json:"host"`
	status.Socket
}

// Sockets is the answer to GET /v1/sockets.
type Sockets struct {
	Sockets []Socket `json:"sockets"` // by host, and the oldest first
	More    int      `json:"more"`    // how many there are besides, beyond maxSockets
}

// maxSockets bounds the sockets of an answer.
const maxSockets = 10_000

// An OptionChange is the request to set an option of a socket: POST /v1/sockets/{id}/options.
type OptionChange struct {
	Set string `json:"set"` // the option and its value, such as "SO_KEEPALIVE=1"
}

func (s *Server) handleSockets() {
	s.mux.Handle("GET /v1/sockets", JSON(s.listSockets))
	s.mux.Handle("POST /v1/sockets/{id}/options", JSON(s.setOption))
}

// listSockets answers GET /v1/sockets.
func (s *Server) listSockets(r *http.Request) (any, error) {
	query := r.URL.Query()
	match, err := parseFilter(query)
	if err != nil {
		return nil, err
	}
	hosts, err := s.hostsOf(query.Get("host"))
	if err != nil {
		return nil, err
	}
	answer := Sockets{Sockets: []Socket{}}
	for _, h := range hosts {
		for _, info := range h.stack.Sockets() {
			one := status.NewSocket(info, h.stack.Profile())
			switch {
			case !match(&one):
			case len(answer.Sockets) == maxSockets:
				answer.More++
			default:
				answer.Sockets = append(answer.Sockets, Socket{h.name, one})
			}
		}
	}
	return answer, nil
}

// hostsOf returns the hosts; with a name, that one alone.
func (s *Server) hostsOf(name string) ([]host, error) {
	if name != "" {
		st, err := s.stackOf(name)
		return []host{{name, st}}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.hosts), nil
}

// A filter is a parameter of GET /v1/sockets.
type filter func(text string) (func(*status.Socket) bool, error)

// filters are the parameters of GET /v1/sockets besides the host. Where there are several, a socket
// has to match all of them.
var filters = map[string]filter{
	"id": func(text string) (func(*status.Socket) bool, error) {
		id, err := parseID(text)
		return func(s *status.Socket) bool { return s.ID == id }, err
	},
	"network": func(text string) (func(*status.Socket) bool, error) {
		if !slices.Contains(networks, text) {
			return nil, Errorf(http.StatusBadRequest, "write one of "+list(networks), "%q is no network", text)
		}
		return func(s *status.Socket) bool { return strings.HasPrefix(s.Network, text) }, nil
	},
	"state": func(text string) (func(*status.Socket) bool, error) {
		names := strings.Split(strings.ToUpper(text), ",")
		for _, n := range names {
			if !slices.ContainsFunc(states, func(s string) bool { return strings.EqualFold(s, n) }) {
				return nil, Errorf(http.StatusBadRequest, "the states are "+list(states), "%q is no state of a socket", n)
			}
		}
		return func(s *status.Socket) bool { return slices.Contains(names, strings.ToUpper(s.State)) }, nil
	},
	"port": func(text string) (func(*status.Socket) bool, error) {
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return nil, Errorf(http.StatusBadRequest, "write a number up to 65535", "%q is no port", text)
		}
		has := func(a string) bool { p, err := netip.ParseAddrPort(a); return err == nil && p.Port() == uint16(port) }
		return func(s *status.Socket) bool { return has(s.Local) || has(s.Remote) }, nil
	},
	"local": func(text string) (func(*status.Socket) bool, error) {
		match, err := parseAddress(text)
		return func(s *status.Socket) bool { return match(s.Local) }, err
	},
	"remote": func(text string) (func(*status.Socket) bool, error) {
		match, err := parseAddress(text)
		return func(s *status.Socket) bool { return match(s.Remote) }, err
	},
}

var networks = []string{"tcp", "tcp4", "tcp6", "udp", "udp4", "udp6", "ip", "ip4", "ip6"}

// states are the states of sockets, those of TCP as RFC 9293 spells them.
var states = []string{
	"LISTEN", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING", "LAST-ACK",
	"TIME-WAIT", "CLOSED", "unbound", "bound", "connected",
}

// parseAddress reads an address, a prefix, a port such as ":80", or an address with a port.
func parseAddress(text string) (func(string) bool, error) {
	if port, ok := strings.CutPrefix(text, ":"); ok {
		n, err := strconv.ParseUint(port, 10, 16)
		if err == nil {
			return func(a string) bool { p, err := netip.ParseAddrPort(a); return err == nil && p.Port() == uint16(n) }, nil
		}
	}
	if want, err := netip.ParseAddrPort(text); err == nil {
		return func(a string) bool { p, err := netip.ParseAddrPort(a); return err == nil && p == want }, nil
	}
	prefix, err := netip.ParsePrefix(text)
	if addr, single := netip.ParseAddr(text); single == nil {
		prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	if err != nil {
		return nil, Errorf(http.StatusBadRequest, "write an address, a prefix, :PORT, or an address with a port, such as 10.77.0.0/24", "%q is no address", text)
	}
	return func(a string) bool {
		p, err := netip.ParseAddrPort(a)
		return err == nil && prefix.Contains(p.Addr().WithZone(""))
	}, nil
}

// parseFilter returns the function that says which sockets a request is about.
func parseFilter(query url.Values) (func(*status.Socket) bool, error) {
	var all []func(*status.Socket) bool
	for name, texts := range query {
		if name == "host" {
			continue
		}
		make, ok := filters[name]
		if !ok {
			return nil, Errorf(http.StatusBadRequest, "they are host, id, network, state, port, local and remote", "sockets have no filter %q", name)
		}
		for _, text := range texts {
			match, err := make(text)
			if err != nil {
				return nil, err
			}
			all = append(all, match)
		}
	}
	return func(s *status.Socket) bool {
		return !slices.ContainsFunc(all, func(match func(*status.Socket) bool) bool { return !match(s) })
	}, nil
}

// parseID reads the number of a socket.
func parseID(text string) (uint64, error) {
	id, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, Errorf(http.StatusBadRequest, "wsstack stat prints the numbers of the sockets", "%q is no number of a socket", text)
	}
	return id, nil
}

// setOption answers POST /v1/sockets/{id}/options with the socket as it is then.
func (s *Server) setOption(r *http.Request) (any, error) {
	var change OptionChange
	if err := readJSON(r, &change); err != nil {
		return nil, err
	}
	assignment, err := options.ParseAssignment(change.Set)
	if err != nil {
		return nil, badRequest(err)
	}
	id, err := parseID(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	name := r.URL.Query().Get("host")
	st, err := s.stackOf(name)
	if err != nil {
		return nil, err
	}
	h, err := st.Socket(id)
	if err != nil {
		return nil, noSocket(id)
	}
	if err := assignment.Set(h); err != nil {
		return nil, optionError(assignment, id, err)
	}
	return Socket{s.nameOf(st), status.NewSocket(h.Info(), st.Profile())}, nil
}

// nameOf returns the name of the host that has a stack.
func (s *Server) nameOf(st *stack.Stack) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.hosts, func(h host) bool { return h.stack == st })
	return s.hosts[i].name
}

func noSocket(id uint64) *Error {
	e := Errorf(http.StatusNotFound, "wsstack stat prints those that there are", "there is no socket %d", id)
	e.Code = wsa.WSAENOTSOCK
	return e
}

// optionError is the error of setsockopt.
func optionError(a options.Assignment, id uint64, err error) *Error {
	e := failed("set", err)
	if e.Code == wsa.WSAENOTSOCK {
		return noSocket(id)
	}
	e.Message = fmt.Sprintf("socket %d takes no such %v: %v", id, a, e.Code)
	if e.Advice == "" {
		e.Advice = "what sockets have it, in which states and with which values: wsstack options " + a.String()
	}
	return e
}
