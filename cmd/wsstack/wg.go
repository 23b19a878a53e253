package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wsstack/wsstack/wg"
)

func newWGCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "wg COMMAND",
		Short: "Make keys and configurations of WireGuard tunnels, and look at tunnels",
		Long: `Make keys and configurations of WireGuard tunnels, check configurations, and look at the
tunnels of running networks. "wsstack up --wireguard FILE" runs a stack at one end of a
tunnel. Keys and configurations are those of wg(8) and wg-quick(8).`,
		Example: `  wsstack wg pair laptop desktop=192.168.1.20
  wsstack wg genkey > private.key
  wsstack wg pubkey < private.key
  wsstack wg check laptop.conf
  wsstack wg show`,
		DisableFlagsInUseLine: true,
		Args:                  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("wg needs a command").withHint("run %q to see them", "wsstack wg --help")
			}
			return usagef("wg has no command %q", args[0]).withHint("run %q to see those that it has", "wsstack wg --help")
		},
	}
	cmd.AddCommand(newGenkeyCommand(), newPubkeyCommand(), newGenpskCommand(), newPairCommand(), newWGCheckCommand(), newWGShowCommand())
	return cmd
}

func newGenkeyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "genkey",
		Short: "Print a new private key",
		Long: `Print a new private key, in base64. A key is for one machine, and whoever has it is that
machine for its peers.`,
		Example:               `  umask 077; wsstack wg genkey > private.key`,
		DisableFlagsInUseLine: true,
		Args:                  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return printKey(cmd.OutOrStdout(), cmd.ErrOrStderr(), wg.GeneratePrivateKey)
		},
	}
}

func newGenpskCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "genpsk",
		Aliases: []string{"psk"},
		Short:   "Print a new preshared key",
		Long: `Print a new preshared key, in base64. Two peers that have the same one are safe from
whoever records their packets now and breaks Curve25519 later.`,
		Example:               `  umask 077; wsstack wg genpsk > laptop-desktop.psk`,
		DisableFlagsInUseLine: true,
		Args:                  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return printKey(cmd.OutOrStdout(), cmd.ErrOrStderr(), wg.GenerateKey)
		},
	}
}

func newPubkeyCommand() *cobra.Command {
	return &cobra.Command{
		Use:                   "pubkey",
		Short:                 "Read a private key, and print its public key",
		Long:                  `Read a private key from standard input, and print the public key that peers know it by.`,
		Example:               `  wsstack wg pubkey < private.key`,
		DisableFlagsInUseLine: true,
		Args:                  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			private, err := readKey(cmd.InOrStdin())
			if err != nil {
				return err
			}
			return write(cmd.OutOrStdout(), private.PublicKey().String()+"\n")
		},
	}
}

// printKey makes a key and prints it, with a warning where others can read the file that it goes
// to.
func printKey(stdout, stderr io.Writer, generate func() (wg.Key, error)) error {
	key, err := generate()
	if err != nil {
		return failf("%w", err)
	}
	if file, ok := stdout.(*os.File); ok {
		if info, err := file.Stat(); err == nil && readByOthers(info) {
			warn(stderr, "others can read the file that the key is written to", "umask 077 keeps them out")
		}
	}
	return write(stdout, key.String()+"\n")
}

// maxKeyText is how much of standard input is read for a key.
const maxKeyText = 1 << 10

// readKey reads a key with nothing but white space around it.
func readKey(r io.Reader) (wg.Key, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxKeyText))
	if err != nil {
		return wg.Key{}, failf("read the key: %w", err)
	}
	key, err := wg.ParseKey(strings.TrimSpace(string(text)))
	if err != nil {
		return wg.Key{}, failf("standard input has no key: %w", err).withHint("wsstack wg genkey | wsstack wg pubkey")
	}
	return key, nil
}

// readByOthers reports a file that others than its owner and group can read. On Windows the mode
// says nothing about that.
func readByOthers(info fs.FileInfo) bool {
	return info.Mode().IsRegular() && info.Mode().Perm()&0o007 != 0 && os.PathSeparator == '/'
}

// warnOfReaders warns where others can read a file with a private key.
func warnOfReaders(stderr io.Writer, file *os.File) {
	if info, err := file.Stat(); err == nil && readByOthers(info) {
		warn(stderr, "others can read "+file.Name()+", and with it the private key", "chmod 600 "+file.Name())
	}
}

// warn writes a line about something that works, and that the user may not want.
func warn(stderr io.Writer, text, hint string) {
	slog.New(newTextHandler(stderr, slog.LevelWarn)).Warn(text, "hint", hint)
}

// readTunnel reads a configuration of WireGuard, in the form of wg-quick(8), from a file or from
// standard input. Warnings, about a file that others can read for instance, go to stderr.
func readTunnel(name string, stdin io.Reader, stderr io.Writer) (*wg.Config, error) {
	cfg, err := parseTunnel(name, stdin, stderr)
	if err != nil {
		return nil, err
	}
	for _, line := range cfg.Ignored {
		warn(stderr, name+": not done: "+line, "it is about interfaces of the system, and there is none")
	}
	for _, p := range cfg.Peers {
		if len(p.AllowedIPs) == 0 {
			warn(stderr, fmt.Sprintf("%s: peer %s has no AllowedIPs", name, p.PublicKey),
				"nothing is sent to it, and nothing of it is taken, without a line such as: AllowedIPs = 10.88.0.2/32")
		}
	}
	return cfg, nil
}

// parseTunnel reads a configuration as it stands.
func parseTunnel(name string, stdin io.Reader, stderr io.Writer) (*wg.Config, error) {
	in := stdin
	if name != standardInput {
		file, err := openTunnel(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		warnOfReaders(stderr, file)
		in = file
	}
	cfg, err := wg.ParseConfig(in)
	if err != nil {
		return nil, usagef("%w", err) // which names the file
	}
	return cfg, nil
}

// openTunnel opens the file of a configuration.
func openTunnel(name string) (*os.File, error) {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return nil, usagef("%s is a folder", name).withHint("name a file in it")
	}
	file, err := os.Open(name)
	if err != nil {
		f := failf("read the configuration: %w", err)
		if errors.Is(err, fs.ErrNotExist) {
			f = f.withHint("make one, and one for the other end: wsstack wg pair laptop desktop=192.168.1.20")
		}
		return nil, f
	}
	return file, nil
}

func newWGCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE",
		Short: "Look for mistakes in a configuration of WireGuard",
		Long: `Look for mistakes in a configuration in the form of wg-quick(8), and say what is in it. The
private key isn't printed. The exit status is 2 for a mistake.`,
		Example:               `  wsstack wg check laptop.conf`,
		DisableFlagsInUseLine: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("check takes one file, and has got %d words", len(args)).withHint("wsstack wg check laptop.conf")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := readTunnel(args[0], cmd.InOrStdin(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			return write(cmd.OutOrStdout(), describeTunnel(cfg))
		},
	}
}

// describeTunnel says in lines what is in a configuration, but for what is secret.
func describeTunnel(cfg *wg.Config) string {
	var text strings.Builder
	fmt.Fprintf(&text, "no mistakes\n\npublic key: %s\n", cfg.PrivateKey.PublicKey())
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&text, "  %s: %s\n", name, value)
		}
	}
	line("addresses", commaList(cfg.Addresses))
	if cfg.ListenPort != 0 {
		line("listening port", strconv.Itoa(cfg.ListenPort))
	}
	if cfg.MTU != 0 {
		line("mtu", strconv.Itoa(cfg.MTU))
	}
	line("dns", commaList(cfg.DNS))
	for _, p := range cfg.Peers {
		info := peerOf(wg.PeerStatus{Peer: p})
		info.print(&text, time.Time{})
	}
	return text.String()
}

// commaList is a list as files of WireGuard have it.
func commaList[T fmt.Stringer](list []T) string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = v.String()
	}
	return strings.Join(texts, ", ")
}
