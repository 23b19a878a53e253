package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wsstack/wsstack/internal/control"
)

func newSetCommand() *cobra.Command {
	var n networkFlags
	cmd := &cobra.Command{
		Use:   "set [flags] SOCKET OPTION=VALUE",
		Short: "Set an option of a socket in a running network",
		Long: `Set an option of a socket of a running exec, up or run, as setsockopt does: with the
same effects, and the same errors. SOCKET is the number that "wsstack stat" prints, with
the host in front where the network has several stacks, as in router:7. The names of
options, and the types of their values, are those that "wsstack options" prints.`,
		Example: `  wsstack set 7 SO_KEEPALIVE=1
  wsstack set 7 TCP_KEEPIDLE=5
  wsstack set 7 SO_RCVBUF=0
  wsstack set router:12 SO_LINGER='{1, 0}'`,
		DisableFlagsInUseLine: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 {
				return nil
			}
			return usagef("set takes a socket and one option, and has got %d words", len(args)).
				withHint("such as: wsstack set 7 SO_KEEPALIVE=1; wsstack stat prints the sockets")
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			host, id, err := parseSocket(args[0])
			if err != nil {
				return err
			}
			if host == "" {
				host = n.host
			}
			return n.withClient(cmd, func(ctx context.Context, client *control.Client) error {
				socket, err := client.SetOption(ctx, host, id, args[1])
				if err != nil {
					return err
				}
				return printOption(cmd.OutOrStdout(), socket, args[1])
			})
		},
	}
	n.addFlags(cmd.Flags(), true)
	return cmd
}

// parseSocket reads the number of a socket, maybe with the name of a host in front.
func parseSocket(text string) (host string, id uint64, err error) {
	host, number, ok := strings.Cut(text, ":")
	if !ok {
		host, number = "", text
	}
	id, err = strconv.ParseUint(number, 10, 64)
	if err != nil {
		return "", 0, usagef("%q is no socket", text).withHint("write its number, as wsstack stat prints it")
	}
	return host, id, nil
}

// printOption says what the option of a socket is now: a stack may provide another value than the
// one that it was asked for.
func printOption(w io.Writer, s control.Socket, assignment string) (err error) {
	name, _, _ := strings.Cut(assignment, "=")
	if _, symbol, ok := strings.Cut(name, "/"); ok {
		name = symbol
	}
	name = strings.ToUpper(strings.TrimSpace(name))
	for _, o := range s.Options {
		if o.Symbol == name || strings.HasPrefix(o.Symbol, name+" ") {
			if _, err = fmt.Fprintf(w, "socket %d: %s %s\n", s.ID, o.Symbol, o.Value); err != nil {
				return failf("print the option: %w", err)
			}
			name = ""
		}
	}
	if name != "" {
		_, err = fmt.Fprintf(w, "socket %d: %s as at first\n", s.ID, name)
	}
	return err
}
