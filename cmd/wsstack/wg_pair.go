package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wsstack/wsstack/internal/control"
	"github.com/wsstack/wsstack/internal/machines"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wg"
)

func newPairCommand() *cobra.Command {
	var folder string
	cmd := &cobra.Command{
		Use:   "pair [flags] NAME[=ADDRESS] NAME[=ADDRESS]",
		Short: "Write the configurations of the two ends of a tunnel",
		Long: `Write NAME.conf for each of two machines, which join them by a tunnel: keys, addresses in
the tunnel (10.88.0.1 and fd88::1 for the first machine, 10.88.0.2 and fd88::2 for the
second), and where they find each other. ADDRESS is the address or name by which the
other machine reaches this one, with a UDP port behind a colon, or else port 51820; one
of the two needs one. The other may sit behind a NAT: it speaks first, and every 25
seconds. Files that are there aren't touched.

wg-quick(8) takes the files as well, and so do the WireGuard apps of phones.`,
		Example: `  wsstack wg pair laptop desktop=192.168.1.20
  wsstack wg pair a=a.example.org:51000 b=[2001:db8::2]:51000`,
		DisableFlagsInUseLine: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usagef("pair needs the names of two machines, and has got %d words", len(args)).
					withHint("wsstack wg pair laptop desktop=192.168.1.20")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var ends [2]tunnelEnd
			for i, text := range args {
				var err error
				if ends[i], err = parseTunnelEnd(text); err != nil {
					return err
				}
			}
			text, err := writePair(folder, ends)
			if err != nil {
				return err
			}
			return write(cmd.OutOrStdout(), text)
		},
	}
	cmd.Flags().StringVar(&folder, "dir", ".", "`DIR` for the files")
	return cmd
}

// A tunnelEnd is a machine at one end of a tunnel, as pair has it.
type tunnelEnd struct {
	name     string
	endpoint string // "host:port"; "": the other machine can't reach it by itself
	port     int    // the port of endpoint
}

// parseTunnelEnd reads NAME or NAME=ADDRESS.
func parseTunnelEnd(text string) (tunnelEnd, error) {
	name, address, reached := strings.Cut(text, "=")
	if control.CheckName(name) != nil || tun.CheckName(name) != nil {
		return tunnelEnd{}, usagef("%q can't be the name of a machine", name).
			withHint(`it becomes the name of a file and of an interface: up to 15 letters, digits, ".", "_" and "-"`)
	}
	end := tunnelEnd{name: name}
	if !reached {
		return end, nil
	}
	host, port, err := machines.SplitEndpoint(address)
	if err != nil {
		return tunnelEnd{}, usagef("%q is no address, with or without a port", address).
			withHint("write one such as %s=192.168.1.20 or %s=[2001:db8::2]:51820", name, name)
	}
	end.port = cmp.Or(port, machines.DefaultPort)
	end.endpoint = net.JoinHostPort(host, strconv.Itoa(end.port))
	return end, nil
}

// The addresses of the two machines of pair in their tunnel.
var pairAddresses = [2][]netip.Prefix{
	{netip.MustParsePrefix("10.88.0.1/24"), netip.MustParsePrefix("fd88::1/64")},
	{netip.MustParsePrefix("10.88.0.2/24"), netip.MustParsePrefix("fd88::2/64")},
}

// pairKeepalive is how often a machine speaks that the other one can't reach by itself. It is what
// WireGuard advises: shorter than NATs remember UDP.
const pairKeepalive = 25 * time.Second

// pairConfigs are the configurations of two machines that join each other.
func pairConfigs(ends [2]tunnelEnd) (configs [2]wg.Config, err error) {
	var keys [2]wg.Key
	for i := range keys {
		if keys[i], err = wg.GeneratePrivateKey(); err != nil {
			return configs, failf("%w", err)
		}
	}
	for i, own := range ends {
		other := ends[1-i]
		peer := wg.Peer{PublicKey: keys[1-i].PublicKey(), Endpoint: other.endpoint}
		for _, p := range pairAddresses[1-i] {
			peer.AllowedIPs = append(peer.AllowedIPs, netip.PrefixFrom(p.Addr(), p.Addr().BitLen()))
		}
		if own.endpoint == "" {
			peer.PersistentKeepalive = pairKeepalive
		}
		configs[i] = wg.Config{PrivateKey: keys[i], ListenPort: own.port, Addresses: pairAddresses[i], Peers: []wg.Peer{peer}}
	}
	return configs, nil
}

// writePair writes the files of two machines, both or none, and returns what to do with them.
func writePair(folder string, ends [2]tunnelEnd) (string, error) {
	switch {
	case ends[0].name == ends[1].name:
		return "", usagef("both machines are called %s", ends[0].name).withHint("give them different names")
	case ends[0].endpoint == "" && ends[1].endpoint == "":
		return "", usagef("neither machine can find the other").
			withHint("say where one of them is: wsstack wg pair %s %s=192.168.1.20", ends[0].name, ends[1].name)
	}
	configs, err := pairConfigs(ends)
	if err != nil {
		return "", err
	}
	var names [2]string
	for i := range ends {
		names[i] = filepath.Join(folder, ends[i].name+".conf")
		if err := writeTunnel(names[i], &configs[i]); err != nil {
			if i == 1 {
				_ = os.Remove(names[0]) // alone it is of no use
			}
			return "", err
		}
	}
	return fmt.Sprintf(`%[1]s and %[2]s are written. Each has the private key of its machine.

  on %[3]s: wsstack up --wireguard %[1]s --publish 8080=80
  on %[4]s: wsstack up --wireguard %[2]s --services

Then "curl http://127.0.0.1:8080/" on %[3]s shows the page that %[4]s serves.
`, names[0], names[1], ends[0].name, ends[1].name), nil
}

// writeTunnel writes a configuration into a new file, which only its owner may read.
func writeTunnel(name string, cfg *wg.Config) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case errors.Is(err, fs.ErrExist):
		return failf("%s is there already", name).withHint("remove it, or choose another name: its key would be lost")
	case errors.Is(err, fs.ErrNotExist):
		return failf("write a configuration: %w", err).withHint("make the folder first: mkdir -p %s", filepath.Dir(name))
	case err != nil:
		return failf("write a configuration: %w", err).withHint("choose another folder: --dir %s", os.TempDir())
	}
	_, err = cfg.WriteTo(file)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		_ = os.Remove(name) // half a file
		return failf("write %s: %w", name, err)
	}
	return nil
}
