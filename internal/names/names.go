// Package names is the name server of a network: it answers for names that the network was given
// and for the network's hosts, and asks the resolver of the machine about all others where there is
// a way out. It also has what the files about names (resolv.conf, hosts, nsswitch.conf) say in a
// network.
package names

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/wsstack/wsstack/internal/mistake"
)

// Bounds of what a network knows by name.
const (
	maxHosts     = 10000 // names of a Zone
	maxAddresses = 32    // of one name: as many as fit into an answer by UDP
)

// A Host is a name with its addresses.
type Host struct {
	// Name is in lower case and without a dot at its end. "*.example" stands for every name that
	// ends in ".example" and that no other Host has.
	Name      string
	Addresses []netip.Addr
}

func (h Host) String() string {
	texts := make([]string, len(h.Addresses))
	for i, a := range h.Addresses {
		texts[i] = a.String()
	}
	return h.Name + "=" + strings.Join(texts, ",")
}

// HostsOf returns hosts by name, sorted by name.
func HostsOf(addresses map[string][]netip.Addr) []Host {
	hosts := make([]Host, 0, len(addresses))
	for _, name := range slices.Sorted(maps.Keys(addresses)) {
		hosts = append(hosts, Host{Name: strings.ToLower(name), Addresses: addresses[name]})
	}
	return hosts
}

// ParseHost reads NAME=ADDRESS or NAME=ADDRESS,ADDRESS…: what --host says. Errors are
// *mistake.Error.
func ParseHost(text string) (Host, error) {
	h, err := parseHost(text)
	if err != nil {
		hint := "a name and its addresses, such as web.test=10.77.0.1 or web.test=10.77.0.1,fd77::1"
		return Host{}, mistake.Errorf(hint, "%v", err)
	}
	return h, nil
}

func parseHost(text string) (h Host, err error) {
	name, list, found := strings.Cut(text, "=")
	if !found {
		return Host{}, errors.New("there is no =")
	}
	if h.Name, err = parseName(name); err != nil {
		return Host{}, err
	}
	for item := range strings.SplitSeq(list, ",") {
		address, err := parseAddress(strings.TrimSpace(item))
		if err != nil {
			return Host{}, err
		}
		if !slices.Contains(h.Addresses, address) {
			h.Addresses = append(h.Addresses, address)
		}
	}
	if len(h.Addresses) > maxAddresses {
		return Host{}, fmt.Errorf("%d addresses are more than %d", len(h.Addresses), maxAddresses)
	}
	return h, nil
}

// CheckName says what is wrong with a name of a host: it has to be one that programs can ask a name
// server for.
func CheckName(name string) error {
	_, err := parseName(name)
	return err
}

// parseAddress reads an address that a host can have.
func parseAddress(text string) (netip.Addr, error) {
	address, err := netip.ParseAddr(text)
	switch {
	case text == "":
		return netip.Addr{}, errors.New("an address is missing")
	case err != nil:
		return netip.Addr{}, fmt.Errorf("%q is not an IP address", text)
	case address.Zone() != "":
		return netip.Addr{}, fmt.Errorf("%s has a zone, which no answer of a name server can have", text)
	case address.IsUnspecified(), address.IsMulticast():
		return netip.Addr{}, fmt.Errorf("%s is not the address of a host", text)
	}
	return address.Unmap(), nil
}

// parseName checks a name and returns it in lower case, without the dot at its end. Names are
// letters, digits, hyphens and underscores (RFC 1123 §2.1, RFC 8552); others have an ASCII form.
func parseName(text string) (string, error) {
	name := strings.ToLower(strings.TrimSuffix(text, "."))
	switch _, err := netip.ParseAddr(name); {
	case name == "":
		return "", errors.New("the name is missing")
	case err == nil:
		return "", errors.New("the name is an address")
	case isLocalhost(name):
		return "", errors.New("localhost is always the host that asks (RFC 6761)")
	case len(name) > 253:
		return "", fmt.Errorf("the name has %d characters, more than 253", len(name))
	}
	for label := range strings.SplitSeq(strings.TrimPrefix(name, "*."), ".") {
		if err := checkLabel(label); err != nil {
			return "", err
		}
	}
	return name, nil
}

func checkLabel(label string) error {
	switch {
	case label == "":
		return errors.New("the name has an empty part")
	case len(label) > 63:
		return errors.New("the name has a part of more than 63 characters")
	case label[0] == '-' || label[len(label)-1] == '-':
		return errors.New("a part of the name begins or ends with a hyphen")
	}
	for _, r := range label {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == '-', r == '_':
		case r > 127:
			return errors.New("the name isn't ASCII, and its form that begins with xn-- would be")
		default:
			return fmt.Errorf("no name has the character %q", r)
		}
	}
	return nil
}

// isLocalhost reports whether a name in lower case is that of the host that asks (RFC 6761 §6.3).
func isLocalhost(name string) bool {
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}
