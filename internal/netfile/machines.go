package netfile

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/wsstack/wsstack/internal/machines"
	"github.com/wsstack/wsstack/internal/mistake"
	"github.com/wsstack/wsstack/internal/testbed"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wg"
)

// A machineDraft is a machine as it was read.
type machineDraft struct {
	machine machines.Machine // without its name
}

// machineForm is a machine.
var machineForm = object[machineDraft]{what: "a machine", fields: []field[machineDraft]{
	of("endpoint", endpointForm, func(m *machineDraft, v machines.Machine) { m.machine.Host, m.machine.Port = v.Host, v.Port },
		"Where the other machines reach it: a name or an address, and optionally a UDP port. The default is the name of the "+
			"machine, and port 51820. Its links have the ports after that."),
	of("public-key", keyForm, func(m *machineDraft, v wg.Key) { m.machine.PublicKey = v },
		`The key that the others know it by, which "wsstack wg pubkey" prints.`).required(),
}}

// keyForm is a public key.
var keyForm = parsed("a key of 44 characters in base64", schema{"type": "string", "pattern": "^[A-Za-z0-9+/]{43}=$"}, wg.ParseKey)

// endpointForm is a name or address with a port, or without.
var endpointForm = parsed("a name or an address, such as 192.0.2.1 or lab.example.org:51820", schema{"type": "string"},
	func(s string) (m machines.Machine, err error) {
		m.Host, m.Port, err = machines.SplitEndpoint(s)
		return m, err
	})

// An atDraft is where a host runs.
type atDraft struct {
	user    string // "": whoever
	machine string // "": nothing is said
}

// atForm is the machine of a host, with a user or without.
var atForm = parsed("the name of a machine, or user@machine", schema{"type": "string"}, func(s string) (a atDraft, err error) {
	before, after, found := strings.Cut(s, "@")
	if !found {
		before, after = "", s
	}
	if found && !userName.MatchString(before) || !machines.IsName(after) {
		return a, fmt.Errorf("%q is not the name of a machine", s)
	}
	return atDraft{before, after}, nil
})

// userName is a name as ssh takes it.
var userName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)

// viaForm is the way of a link between two machines: its port, or 0.
var viaForm = parsed("wireguard, or wireguard PORT", schema{"type": "string", "pattern": "^wireguard( +[0-9]+)?$"},
	func(s string) (port int, err error) {
		words := strings.Fields(s)
		if len(words) == 0 || len(words) > 2 || words[0] != "wireguard" {
			return 0, fmt.Errorf("%q is no way of a link", s)
		}
		if len(words) == 2 {
			n, err := strconv.ParseUint(words[1], 10, 16)
			if err != nil || n == 0 {
				return 0, fmt.Errorf("%q is not the number of a port", words[1])
			}
			port = int(n)
		}
		return port, nil
	})

// Machines are the machines of a file, and which of them is the one that it was read for.
type Machines struct {
	All    []machines.Machine // in the order of the file; none: one machine runs the network
	Logins []string           // of All: user@machine, where a host says who the user is, or machine
	Self   int                // that of Options.On; -1: none
	Hosts  map[string]int     // which of All has which host

	links map[int]machines.Link // by their numbers in the Network
}

// Names are the names of the machines.
func (m *Machines) Names() (names []string) {
	for i := range m.All {
		names = append(names, m.All[i].Name)
	}
	return names
}

// Control opens the control tunnel of this machine, for which key is the private key.
func (f *File) Control(key wg.Key, logger *slog.Logger) (*wg.Device, error) {
	m := &f.Machines
	cfg := machines.Control(m.All, m.Self, key)
	cfg.Logger = logger.With("tunnel", "control")
	name := m.All[m.Self].Name
	d, err := open(cfg, "give the machine another port in its endpoint")
	if err != nil {
		return nil, fmt.Errorf("%s: machine %s: can't make the control tunnel: %w", f.Name, name, err)
	}
	return d, nil
}

// open opens a tunnel. elsewhere is how the file would give it another port.
func open(cfg wg.Config, elsewhere string) (*wg.Device, error) {
	d, err := wg.New(cfg)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, mistake.Errorf("end the program that has it, or "+elsewhere+", in the file of all machines", "UDP port %d is taken", cfg.ListenPort)
	}
	return d, err
}

// Connect gives the links to other machines their tunnels, for which key is the private key of this
// one.
func (f *File) Connect(key wg.Key, logger *slog.Logger) {
	for i, l := range f.Machines.links {
		for end, machine := range l.Ends {
			if machine != f.Machines.Self {
				continue
			}
			f.Network.Links[i].Tunnel = func() (tun.Device, error) {
				cfg := l.Tunnel(f.Machines.All, end, key)
				cfg.Logger = logger.With("link", f.Network.Links[i].Name)
				d, err := open(cfg, "give the link a port of its own: via: wireguard PORT")
				if err != nil {
					return nil, err // and no device that is a nil pointer
				}
				return d, nil
			}
		}
	}
}

// readMachines checks the machines of a draft, and finds the one that the file is read for.
func (d *draft) readMachines(r *reader, on string) (m Machines, err error) {
	m.Self, m.Hosts = -1, map[string]int{}
	keys := map[wg.Key]string{}
	for _, e := range d.machines {
		machine := e.value.machine
		machine.Name, machine.Host, machine.Port = e.key, cmp.Or(machine.Host, e.key), cmp.Or(machine.Port, machines.DefaultPort)
		switch other := keys[machine.PublicKey]; {
		case !machines.IsName(e.key):
			return m, r.mistake(e.at, "machines: %q can't be the name of a machine", e.key).
				withHint("take lower-case letters, digits, dashes and dots, such as lab-1.example.org")
		case other != "":
			return m, r.mistake(e.at, "machines: %s has the key of %s", e.key, other).
				withHint("each machine needs a key of its own: wsstack wg genkey")
		case len(m.All) == machines.Most:
			return m, r.mistake(e.at, "machines: there are %d machines", len(d.machines)).withHint("%d are the most", machines.Most)
		}
		if e.key == on {
			m.Self = len(m.All)
		}
		keys[machine.PublicKey] = e.key
		m.All, m.Logins = append(m.All, machine), append(m.Logins, e.key)
	}
	switch {
	case on != "" && len(m.All) == 0:
		return m, &Error{File: r.file, Text: "the file has no machines", hint: "leave out --on, or add machines with their keys"}
	case on != "" && m.Self < 0:
		return m, &Error{File: r.file, Text: fmt.Sprintf("there is no machine %q", on), hint: m.list()}
	}
	return m, nil
}

// list names the machines, for hints.
func (m *Machines) list() string { return "the machines are " + strings.Join(m.Names(), ", ") }

// place finds the machine of a host.
func (m *Machines) place(r *reader, e *entry[hostDraft]) error {
	at, path := e.value.at, "hosts/"+e.key
	switch {
	case at.machine == "" && len(m.All) == 0:
		m.Hosts[e.key] = m.Self
		return nil
	case at.machine == "":
		return r.at(path, fmt.Errorf("host %s: at is missing", e.key)).withHint("say which machine runs it: at: %s", m.All[0].Name)
	case len(m.All) == 0:
		return r.at(path+"/at", fmt.Errorf("host %s: at: the file has no machines", e.key)).
			withHint("add them, each with its public-key: umask 077; wsstack wg genkey | tee %s.key | wsstack wg pubkey", at.machine)
	}
	i := slices.Index(m.Names(), at.machine)
	if i < 0 {
		return r.at(path+"/at", fmt.Errorf("host %s: at: there is no machine %q", e.key, at.machine)).withHint("%s", m.list())
	}
	if at.user != "" && m.Logins[i] == at.machine {
		m.Logins[i] = at.user + "@" + at.machine
	}
	m.Hosts[e.key] = i
	return nil
}

// checkUsed finds a machine without a host, which all others would wait for.
func (m *Machines) checkUsed(r *reader, d *draft) error {
	used := make([]bool, len(m.All))
	for _, i := range m.Hosts {
		if i >= 0 {
			used[i] = true
		}
	}
	if i := slices.Index(used, false); i >= 0 {
		return r.mistake(d.machines[i].at, "machines: %s has no hosts", m.All[i].Name).
			withHint("give it one, with at: %s; or leave the machine out", m.All[i].Name)
	}
	return nil
}

// divide finds the links between machines, and gives them their ports and their MTU.
func (m *Machines) divide(r *reader, d *draft, links []testbed.Link) error {
	m.links = map[int]machines.Link{}
	used := map[string]string{} // what has a port of a machine
	for i := range m.All {
		used[m.portOf(i, m.All[i].Port)] = "machine " + m.All[i].Name
	}
	for i := range links {
		l, via := &links[i], d.links[i].value.via
		path := "links/" + l.Name
		near, known := m.Hosts[l.Ends[0].Host]
		far, both := m.Hosts[l.Ends[1].Host]
		if !known || !both {
			continue // which the check of the network finds
		}
		if near == far {
			if via != nil {
				return r.at(path+"/via", fmt.Errorf("link %s: via: both ends are on one machine", l.Name)).
					withHint("leave it out: via is for links between machines")
			}
			continue
		}
		if l.MTU > machines.MaxMTU {
			return r.at(path+"/mtu", fmt.Errorf("link %s: mtu: %d is too much for a link between machines", l.Name, l.MTU)).
				withHint("%d is the most, and the default", machines.MaxMTU)
		}
		l.MTU = cmp.Or(l.MTU, machines.MaxMTU)
		link := machines.Link{Ends: [2]int{near, far}, MTU: l.MTU}
		for end, machine := range link.Ends {
			port := m.All[machine].Port + 1 + i
			if via != nil && *via != 0 {
				port = *via
			}
			other := used[m.portOf(machine, port)]
			switch {
			case port > 65535:
				return r.at(path, fmt.Errorf("link %s: port %d of machine %s is none", l.Name, port, m.All[machine].Name)).
					withHint("give the machine a smaller port, or the link one of its own: via: wireguard %d", machines.DefaultPort)
			case other != "":
				return r.at(path, fmt.Errorf("link %s: %s has UDP port %d of machine %s already", l.Name, other, port, m.All[machine].Name)).
					withHint("give the link a port of its own: via: wireguard PORT")
			}
			used[m.portOf(machine, port)] = "link " + l.Name
			link.Ports[end] = port
		}
		m.links[i] = link
	}
	return nil
}

// portOf is a port of a machine, as something that only one has.
func (m *Machines) portOf(machine, port int) string {
	return net.JoinHostPort(m.All[machine].Host, strconv.Itoa(port))
}

// keep leaves of a network what this machine does: its hosts, what they send over links to others,
// and the captures of links whose first end is here.
func (m *Machines) keep(n *testbed.Network) {
	for i := range n.Hosts {
		n.Hosts[i].Remote = m.Hosts[n.Hosts[i].Name] != m.Self
	}
	for i := range m.links {
		l := &n.Links[i]
		for end, machine := range m.links[i].Ends {
			if machine != m.Self {
				l.Ends[end].Sends, l.Foreign = tun.Impairment{}, l.Ends[end].Host
			}
		}
		if m.links[i].Ends[0] != m.Self {
			l.Capture = ""
		}
	}
}
