package names

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"
)

// resolvConf is where programs read which name servers there are (resolv.conf(5)).
const resolvConf = "/etc/resolv.conf"

// Bounds of what is read of a resolv.conf: those of the C library.
const (
	maxServers     = 3
	maxSearch      = 6
	maxSearchBytes = 256
)

// A hostFile is the resolv.conf of the machine.
type hostFile struct {
	mu      sync.Mutex
	looked  time.Time // when the file was last looked at; zero: never
	changed time.Time // its time of modification then
	list    []netip.AddrPort
}

// servers are the name servers of the file. It is looked at once in 5 s, and read when it has
// changed: a laptop may be in another network by then.
func (f *hostFile) servers() []netip.AddrPort {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if !f.looked.IsZero() && now.Sub(f.looked) < 5*time.Second {
		return f.list
	}
	f.looked = now
	info, err := os.Stat(resolvConf)
	if err == nil && info.ModTime().Equal(f.changed) && f.list != nil {
		return f.list
	}
	if err == nil {
		f.changed = info.ModTime()
	}
	text, _ := os.ReadFile(resolvConf) // without it there is a server on the machine, or none
	f.list, _ = parseResolvConf(string(text))
	return f.list
}

// parseResolvConf reads the servers and the search list of a resolv.conf. Without a server in it
// there is one on the machine itself, says resolv.conf(5).
func parseResolvConf(text string) (servers []netip.AddrPort, search []string) {
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		line, _, _ = strings.Cut(line, ";")
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		switch fields[0] {
		case "nameserver":
			if a, err := netip.ParseAddr(fields[1]); err == nil && len(servers) < maxServers {
				servers = append(servers, netip.AddrPortFrom(a, 53))
			}
		case "search", "domain":
			search = parseSearch(fields[1:])
		}
	}
	if len(servers) == 0 {
		servers = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:53"), netip.MustParseAddrPort("[::1]:53")}
	}
	return servers, search
}

// parseSearch returns the domains of a search list that are names.
func parseSearch(domains []string) (search []string) {
	size := 0
	for _, d := range domains {
		name, err := parseName(d)
		if size += len(name) + 1; err != nil || len(search) == maxSearch || size > maxSearchBytes {
			continue
		}
		search = append(search, name)
	}
	return search
}

// Files are what the files about names say in a network.
type Files struct {
	ResolvConf string // resolv.conf(5)
	Hosts      string // hosts(5)
	Nsswitch   string // nsswitch.conf(5); "": the machine has none, and its C library needs none
}

// FilesOf returns the files for programs whose name servers are at these addresses: one for each
// family that the network has. Hosts is what the network knows by name. Outside says whether
// there is a way out, so that the machine's search list makes sense.
//
// It reads the files of the machine. Its hosts(5) stays, below what the network knows. In
// nsswitch.conf the hosts come from files and name servers alone: systemd-resolved and others are
// asked over Unix sockets, which reach the machine's own from every network namespace.
func FilesOf(servers []netip.Addr, hosts []Host, outside bool) Files {
	read := func(name string) string {
		text, _ := os.ReadFile(name)
		return string(text)
	}
	search := ""
	if outside {
		search = read(resolvConf)
	}
	return Files{
		ResolvConf: resolvConfText(servers, search),
		Hosts:      hostsText(hosts, read("/etc/hosts")),
		Nsswitch:   nsswitchText(read("/etc/nsswitch.conf")),
	}
}

// resolvConfText is the resolv.conf of a network. The search list is that of the machine's file.
//
// With ndots:0 every name is first asked for as it is, also one without a dot, which the network's
// own names mostly are; else the C library would first ask for it in the search list, and without
// one in the domain of the machine's own name.
func resolvConfText(servers []netip.Addr, machine string) string {
	var b strings.Builder
	if len(servers) == 0 {
		return "# wsstack: there is no name server in this network; use addresses.\n"
	}
	b.WriteString("# wsstack: the name server of this network\n")
	for _, s := range servers[:min(len(servers), maxServers)] {
		fmt.Fprintf(&b, "nameserver %s\n", s)
	}
	if _, search := parseResolvConf(machine); len(search) > 0 {
		fmt.Fprintf(&b, "search %s\n", strings.Join(search, " "))
	}
	b.WriteString("options ndots:0\n")
	return b.String()
}

// hostsText is the hosts file of a network: its own names first, for the first line with a name
// counts. Names with a wildcard are the name server's alone.
func hostsText(hosts []Host, machine string) string {
	var b strings.Builder
	for _, h := range hosts {
		if strings.HasPrefix(h.Name, "*.") {
			continue
		}
		for _, a := range h.Addresses {
			fmt.Fprintf(&b, "%s\t%s\n", a, h.Name)
		}
	}
	if b.Len() == 0 {
		return machine
	}
	return "# wsstack: names of this network\n" + b.String() + "# those of the machine\n" + machine
}

// nsswitchText is the nsswitch.conf of a machine with another line for hosts.
func nsswitchText(machine string) string {
	if machine == "" {
		return ""
	}
	const line = "hosts: files dns # wsstack: not by sockets of the machine\n"
	var b strings.Builder
	for l := range strings.Lines(machine) {
		if !strings.HasPrefix(strings.TrimSpace(l), "hosts:") {
			b.WriteString(strings.TrimSuffix(l, "\n") + "\n")
		}
	}
	return b.String() + line
}
