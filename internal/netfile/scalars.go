package netfile

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/wsstack/wsstack/internal/testbed"
)

// numberForm is a whole number from 0 to most; 0: as far as 64 bits go.
func numberForm(what string, most uint64) scalar[uint64] {
	as := schema{"type": "integer", "minimum": 0}
	if most > 0 {
		as["maximum"] = most
	}
	return parsed(what, as, func(s string) (uint64, error) {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil || most > 0 && n > most {
			return 0, fmt.Errorf("%q is not %s", s, what)
		}
		return n, nil
	})
}

// addressForm is an address without the length of a prefix.
var addressForm = parsed("an address such as 10.0.0.2", schema{"type": "string"}, func(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" || a.Is4In6() {
		return a, fmt.Errorf("%q is not an address", s)
	}
	return a, nil
})

// prefixForm is an address with the length of its prefix.
var prefixForm = parsed("an address with the length of its prefix, such as 10.0.0.2/24", schema{"type": "string", "pattern": "^.+/[0-9]+$"}, parsePrefix)

func parsePrefix(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() {
		return p, fmt.Errorf("%q is not an address with the length of its prefix", s)
	}
	return p, nil
}

// durationForm is a length of time.
var durationForm = parsed("a time such as 10s", schema{"type": "string", "pattern": "^([0-9.]+(ns|us|µs|ms|s|m|h))+$"}, func(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is no length of time", s)
	}
	return d, nil
})

// fileNameForm is the name of a file or folder, relative to the folder of the network file.
var fileNameForm = scalar[string]{what: "the name of a file or folder", as: schema{"type": "string"}, parse: func(r *reader, s string) (string, error) {
	if s == "" || strings.ContainsRune(s, 0) {
		return "", fmt.Errorf("%q is not the name of a file", s)
	}
	return r.beside(s), nil
}}

// captureForm is a capture file; - is standard output.
var captureForm = scalar[string]{what: "the name of a file", as: schema{"type": "string"}, parse: func(r *reader, s string) (string, error) {
	if s == testbed.StandardOutput {
		return s, nil
	}
	return fileNameForm.parse(r, s)
}}

// beside is the name of a file that the network file names.
func (r *reader) beside(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(r.folder, name)
}

// untilForm is a check: tcp ADDRESS:PORT, http URL or exit.
var untilForm = parsed("tcp ADDRESS:PORT, http URL, or exit", schema{"type": "string", "pattern": "^(tcp \\S+|http \\S+|exit)$"},
	func(s string) (testbed.Check, error) {
		words := strings.Fields(s)
		switch {
		case len(words) == 1 && words[0] == "exit":
			return testbed.Check{Kind: testbed.Exit}, nil
		case len(words) == 2 && words[0] == "tcp":
			return testbed.Check{Kind: testbed.TCP, Target: words[1]}, nil
		case len(words) == 2 && words[0] == "http":
			return testbed.Check{Kind: testbed.HTTP, Target: words[1]}, nil
		}
		return testbed.Check{}, fmt.Errorf("%q is no check", s)
	})
