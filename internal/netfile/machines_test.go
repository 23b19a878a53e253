package netfile_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/machines"
	"github.com/wsstack/wsstack/internal/mistake"
	"github.com/wsstack/wsstack/internal/netfile"
	"github.com/wsstack/wsstack/wg"
)

// The private keys of the machines of divided, and their public keys.
const (
	keyA    = "0AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEA="
	publicA = "0GmeFTPyspAB7taygcbJM7Lz4dQmpR8nOEuO+nI7HgM="
	publicB = "6QJ49hiB0SMUP4YtdtGRWwqha1v6iqj6DfQl4yPEngU="
)

// divided is a file of two machines.
const divided = `
machines:
  a: {endpoint: 192.0.2.1, public-key: ` + publicA + `}
  b.example.org: {public-key: ` + publicB + `}
hosts:
  web: {at: a, serve: {80: "exec:cat"}}
  gw: {at: b.example.org, kind: router}
  client: {at: test@b.example.org, command: [no-such-program], after: web}
links:
  inside: {ends: [gw, client], capture: inside.pcapng}
  between:
    ends: [gw, web]
    impair: {delay: 20ms}
    capture: between.pcapng
`

func parseOn(text, machine string) (*netfile.File, error) {
	return netfile.Parse("net.yaml", "/folder", []byte(text), netfile.Options{On: machine})
}

// Each machine has its hosts, what they send, and the captures of the links that begin there.
func TestMachines(t *testing.T) {
	f, err := parseOn(divided, "a")
	require.NoError(t, err)
	require.Equal(t, []machines.Machine{
		{Name: "a", Host: "192.0.2.1", Port: 51820, PublicKey: mustKey(t, publicA)},
		{Name: "b.example.org", Host: "b.example.org", Port: 51820, PublicKey: mustKey(t, publicB)},
	}, f.Machines.All)
	require.Equal(t, []string{"a", "test@b.example.org"}, f.Machines.Logins)
	require.Equal(t, 0, f.Machines.Self)
	require.Equal(t, "web", remote(f, false))
	require.Equal(t, "gw client", remote(f, true))
	between := &f.Network.Links[1]
	require.Equal(t, machines.MaxMTU, between.MTU)
	require.Empty(t, between.Capture, "the link begins at the other machine")
	require.Zero(t, between.Ends[0].Sends.Delay, "gw sends from the other machine")
	require.Equal(t, "gw", between.Foreign)
	require.Empty(t, f.Network.Links[0].Foreign)
	require.Equal(t, 20*time.Millisecond, between.Ends[1].Sends.Delay)
	require.Zero(t, f.Network.Links[0].MTU)
	f.Connect(mustKey(t, keyA), slog.New(slog.DiscardHandler))
	require.NotNil(t, between.Tunnel)
	require.Nil(t, f.Network.Links[0].Tunnel)

	_, err = parseOn(divided, "b.example.org")
	require.ErrorContains(t, err, `host client: command: command "no-such-program" not found`)
	f, err = parseOn(strings.Replace(divided, "no-such-program", "sh", 1), "b.example.org")
	require.NoError(t, err)
	require.Equal(t, "gw client", remote(f, false))
	require.Equal(t, "/folder/between.pcapng", f.Network.Links[1].Capture)
	require.Equal(t, 20*time.Millisecond, f.Network.Links[1].Ends[0].Sends.Delay)
	require.Zero(t, f.Network.Links[1].Ends[1].Sends.Delay)
}

// Without a machine the file is read as a whole, and no command has to be there.
func TestMachines_Whole(t *testing.T) {
	f, err := parseOn(divided, "")
	require.NoError(t, err)
	require.Equal(t, -1, f.Machines.Self)
	require.Equal(t, "web gw client", remote(f, false))
	g, err := parseOn(divided+"\n", "")
	require.NoError(t, err)
	require.NotEqual(t, f.Digest, g.Digest)
}

func mustKey(t *testing.T, text string) wg.Key {
	t.Helper()
	key, err := wg.ParseKey(text)
	require.NoError(t, err)
	return key
}

// remote are the names of the hosts that are remote, or aren't.
func remote(f *netfile.File, want bool) string {
	var names []string
	for _, h := range f.Network.Hosts {
		if h.Remote == want {
			names = append(names, h.Name)
		}
	}
	return strings.Join(names, " ")
}

// What the machines of a file can't be.
func TestMachines_Mistakes(t *testing.T) {
	const three = "machines: {a: {public-key: " + publicA + "}, b: {public-key: " + publicB + ", endpoint: \"x:65535\"}}\n"
	for _, tt := range []struct{ name, on, text, want string }{
		{"no key", "", "machines: {a: }\nhosts: {x: {at: a}}", "net.yaml:1:15: machines: a: public-key is missing"},
		{"a short key", "", "machines: {a: {public-key: AAAA}}", "net.yaml:1:28: machines: a: public-key: "},
		{"the same key", "", "machines: {a: {public-key: " + publicA + "}, b: {public-key: " + publicA + "}}\nhosts: {x: {at: a}}",
			"net.yaml:1:75: machines: b has the key of a"},
		{"no name", "", "machines: {a_b: {public-key: " + publicA + "}}\nhosts: {x: }", `net.yaml:1:12: machines: "a_b" can't be the name`},
		{"no endpoint", "", "machines: {a: {endpoint: \"a b\", public-key: " + publicA + "}}", `net.yaml:1:26: machines: a: endpoint: "a b" is not a name`},
		{"no port", "", "machines: {a: {endpoint: \"a:0\"}}", `net.yaml:1:26: machines: a: endpoint: "0" is not the number of a port`},
		{"no at", "", three + "hosts:\n  x:", "net.yaml:3:3: host x: at is missing"},
		{"no machines", "", "hosts: {x: {at: a}}", "net.yaml:1:13: host x: at: the file has no machines"},
		{"no machine", "", three + "hosts: {x: {at: c}}", `net.yaml:2:13: host x: at: there is no machine "c"`},
		{"no user", "", three + "hosts: {x: {at: \"@a\"}}", `net.yaml:2:17: host x: at: "@a" is not the name of a machine`},
		{"no host", "", three + "hosts: {x: {at: a}}", "net.yaml:1:75: machines: b has no hosts"},
		{"on no machine", "c", three + "hosts: {x: {at: a}}", `net.yaml: there is no machine "c"`},
		{"on without machines", "c", "hosts: {x: }", "net.yaml: the file has no machines"},
		{"via inside", "", three + "hosts: {x: {at: a}, y: {at: a}, z: {at: b}}\nlinks: {l: {ends: [x, y], via: wireguard}}",
			"net.yaml:3:27: link l: via: both ends are on one machine"},
		{"via without machines", "", "hosts: {x: , y: }\nlinks: {l: {ends: [x, y], via: wireguard}}", "net.yaml:2:27: link l: via: both ends are on one machine"},
		{"no way", "", "hosts: {x: , y: }\nlinks: {l: {ends: [x, y], via: ipsec}}", `net.yaml:2:32: link l: via: "ipsec" is no way of a link`},
		{"via no port", "", "hosts: {x: , y: }\nlinks: {l: {ends: [x, y], via: wireguard 70000}}", `net.yaml:2:32: link l: via: "70000" is not the number of a port`},
		{"too large an MTU", "", three + "hosts: {x: {at: a}, y: {at: b}}\nlinks: {l: {ends: [x, y], mtu: 1500}}",
			"net.yaml:3:27: link l: mtu: 1500 is too much for a link between machines"},
		{"no port left", "", three + "hosts: {x: {at: a}, y: {at: b}}\nlinks: {l: {ends: [x, y]}}", "net.yaml:3:9: link l: port 65536 of machine b is none"},
		{"a port twice", "", three + "hosts: {x: {at: a}, y: {at: b}}\nlinks: {l: {ends: [x, y], via: wireguard 51820}}",
			"net.yaml:3:9: link l: machine a has UDP port 51820 of machine a already"},
		{"what testbed finds", "", three + "hosts: {x: {at: a}, z: {at: b}}\nlinks: {l: {ends: [x, y]}}", `net.yaml:3:13: link l: ends: there is no host "y"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseOn(tt.text, tt.on)
			e, ok := errors.AsType[*netfile.Error](err)
			if !ok || !strings.HasPrefix(err.Error(), tt.want) {
				t.Fatalf("Parse: %v\nwant %s…", err, tt.want)
			}
			if e.Hint() == "" || e.ExitStatus() != 2 {
				t.Errorf("%v: hint %q, exit status %d", err, e.Hint(), e.ExitStatus())
			}
		})
	}
}

// The ends of a tunnel know each other's key and port.
func TestMachines_Tunnel(t *testing.T) {
	f, err := parseOn(divided, "a")
	require.NoError(t, err)
	all := f.Machines.All
	hub, other := machines.Control(all, 0, wg.Key{1}), machines.Control(all, 1, wg.Key{2})
	require.Equal(t, "b.example.org:51820", hub.Peers[0].Endpoint)
	require.Equal(t, "192.0.2.1:51820", other.Peers[0].Endpoint)
	require.Equal(t, 51820, hub.ListenPort)
	require.Equal(t, "fd77:7773::2/128", hub.Peers[0].AllowedIPs[0].String())
	l := machines.Link{Ends: [2]int{1, 0}, Ports: [2]int{51822, 51900}, MTU: 1400}
	b, a := l.Tunnel(all, 0, wg.Key{2}), l.Tunnel(all, 1, wg.Key{1})
	require.Equal(t, "192.0.2.1:51900", b.Peers[0].Endpoint)
	require.Equal(t, "b.example.org:51822", a.Peers[0].Endpoint)
	require.Equal(t, 51900, a.ListenPort)
	require.True(t, slices.Contains(strings.Fields("0.0.0.0/0 ::/0"), a.Peers[0].AllowedIPs[0].String()))
}

// Where somebody else has a port of this machine, the error says which, and the hint where the file
// has ports.
func TestMachines_Taken(t *testing.T) {
	other, err := net.ListenUDP("udp4", nil)
	require.NoError(t, err)
	defer other.Close()
	port := other.LocalAddr().(*net.UDPAddr).Port
	taken := fmt.Sprintf("UDP port %d is taken", port)
	key, err := wg.ParseKey(keyA)
	require.NoError(t, err)
	text := strings.Replace(divided, "{public-key", `{endpoint: "192.0.2.2:9", public-key`, 1) // no name to look up

	f, err := parseOn(strings.Replace(text, "endpoint: 192.0.2.1", fmt.Sprintf(`endpoint: "192.0.2.1:%d"`, port), 1), "a")
	require.NoError(t, err)
	_, err = f.Control(key, slog.New(slog.DiscardHandler))
	require.EqualError(t, err, "net.yaml: machine a: can't make the control tunnel: "+taken)
	require.Contains(t, mistake.HintOf(err), "another port in its endpoint")

	f, err = parseOn(strings.Replace(text, "[gw, web]", fmt.Sprintf("[gw, web]\n    via: wireguard %d", port), 1), "a")
	require.NoError(t, err)
	f.Connect(key, slog.New(slog.DiscardHandler))
	d, err := f.Network.Links[1].Tunnel()
	require.EqualError(t, err, taken)
	require.Nil(t, d)
	require.Contains(t, mistake.HintOf(err), "via: wireguard PORT")
}
