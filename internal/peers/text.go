package peers

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/wsstack/wsstack/internal/mistake"
)

// splitText splits "PLACE=REST".
func splitText(text, form string) (before, after string, err error) {
	before, after, ok := strings.Cut(text, "=")
	if !ok || before == "" || after == "" {
		return "", "", mistake.Errorf("write "+form, "%q doesn't say what is at which port", text)
	}
	return before, after, nil
}

// parsePlace reads "[ADDRESS:]PORT", and "/udp" or "/tcp" behind it where datagrams are possible.
func parsePlace(text string, datagrams bool) (place, error) {
	p := place{network: "tcp"}
	rest := text
	if datagrams {
		var network string
		if rest, network, _ = strings.Cut(text, "/"); network != "" {
			if p.network = strings.ToLower(network); p.network != "tcp" && p.network != "udp" {
				return p, mistake.Errorf("write 53/udp or 80/tcp", "%q is neither tcp nor udp", network)
			}
		}
	}
	host, port := "", rest
	if strings.Contains(rest, ":") {
		var err error
		if host, port, err = net.SplitHostPort(rest); err != nil {
			return p, mistake.Errorf("write 10.77.0.1:80 or [fd77::1]:80", "%q is not an address and a port", text)
		}
	}
	if host != "" {
		a, err := netip.ParseAddr(host)
		if err != nil || a.Is4In6() || a.IsMulticast() {
			return p, mistake.Errorf("write 10.77.0.1:80 or [fd77::1]:80, or the port alone", "%q is not the address of a host", host)
		}
		p.address = a
	}
	n, err := parsePort(port)
	p.port = n
	return p, err
}

func parsePort(text string) (uint16, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return 0, mistake.Errorf("ports are from 1 to 65535", "%q is not the number of a port", text)
	}
	return uint16(n), nil
}

// parseTarget reads "HOST:PORT", whose host may be a name.
func parseTarget(text string) (string, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil || host == "" {
		return "", mistake.Errorf("write 127.0.0.1:5432 or localhost:5432", "%q is not a host and a port", text)
	}
	if _, err := parsePort(port); err != nil {
		return "", err
	}
	return text, nil
}

// maxSize bounds what a behaviour sends.
const maxSize = 1 << 50

// parseSize reads a number of bytes, which may end in k, M or G.
func parseSize(text string) (int64, error) {
	digits, factor := text, int64(1)
	for suffix, f := range map[string]int64{"k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9} {
		if cut, ok := strings.CutSuffix(text, suffix); ok {
			digits, factor = cut, f
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > maxSize/factor {
		return 0, mistake.Errorf("write 1000, 64k, 10M or 1G", "%q is not a number of bytes", text)
	}
	return n * factor, nil
}

// parseRate reads a number of bytes a second, 1 or more.
func parseRate(text string) (int64, error) {
	n, err := parseSize(text)
	if err == nil && n == 0 {
		err = mistake.Errorf("the slowest is 1", "%q bytes a second are never done", text)
	}
	return n, err
}

// parseDelay reads a time.
func parseDelay(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, mistake.Errorf("write 500ms, 10s or 2m", "%q is not a time", text)
	}
	return d, nil
}
