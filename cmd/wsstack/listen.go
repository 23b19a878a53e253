package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/wsstack/wsstack/internal/control"
)

func newListenCommand() *cobra.Command {
	var f talkFlags
	var keep bool
	var backlog int
	cmd := &cobra.Command{
		Use:   "listen [flags] [ADDRESS] PORT",
		Short: "Listen on the stack of a running network, as netcat does",
		Long: `Listen on a stack of a running exec, up or run, and talk with the first peer as
"wsstack connect" does. With --keep the next one follows when a connection has ended, until
^C; standard input goes to whoever is there, and when it has ended each peer gets a FIN at
once. With --udp, datagrams of every peer are printed, and standard input goes to the one
that has sent the last one.`,
		Example: `  wsstack listen 8000
  wsstack listen --keep --backlog 1 --sockopt SO_RCVBUF=4096 8000
  wsstack listen --udp --verbose 10.77.0.1 53`,
		DisableFlagsInUseLine: true,
		Args: func(_ *cobra.Command, args []string) error {
			_, err := placeOf(args)
			return err
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			address, err := placeOf(args)
			if err != nil {
				return err
			}
			if backlog < 0 {
				return usagef("--backlog %d is negative", backlog).withHint("--backlog 1 is the shortest")
			}
			request := control.ListenRequest{Host: f.host, Network: f.transport(), Address: address, Options: f.options, Backlog: backlog}
			verbose := io.Discard
			if f.verbose {
				verbose = cmd.ErrOrStderr()
			}
			return f.withClient(cmd, func(ctx context.Context, client *control.Client) error {
				in, out := newInput(cmd.InOrStdin()), cmd.OutOrStdout()
				if f.udp {
					return f.listenPackets(ctx, client, request, in, out, verbose)
				}
				return f.listen(ctx, client, request, in, out, verbose, keep)
			})
		},
	}
	f.addFlags(cmd.Flags())
	cmd.Flags().BoolVarP(&keep, "keep", "k", false, "go on with the next peer when a connection has ended")
	cmd.Flags().IntVar(&backlog, "backlog", 0, "`COUNT` of connections that may wait; others get a RST (default 4096)")
	return cmd
}

// placeOf reads a local address, as one word or two.
func placeOf(args []string) (string, error) {
	switch address, ok := joined(args); {
	case ok:
		return address, nil
	case len(args) == 1:
		return ":" + args[0], nil
	}
	return "", usagef("listen takes a port, and may be an address before it").withHint("wsstack listen 8000")
}

// listen talks with one peer, or with one after the other.
func (f *talkFlags) listen(ctx context.Context, client *control.Client, request control.ListenRequest, in *input, out, verbose io.Writer, keep bool) error {
	l, err := client.Listen(ctx, request)
	if err != nil {
		return talkFailure(ctx, err)
	}
	defer l.Close()
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	fmt.Fprintf(verbose, "listening on %v\n", l.Addr())
	for {
		conn, err := l.Accept()
		switch {
		case err != nil && keep && ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed) && ctx.Err() == nil:
			return failf("the network has ended")
		case err != nil:
			return talkFailure(ctx, err)
		}
		fmt.Fprintf(verbose, "connection from %v\n", conn.RemoteAddr())
		if !keep {
			_ = l.Close() // who comes now is refused
			return f.talk(ctx, in, out, conn)
		}
		if err := f.talk(ctx, in, out, conn); err != nil && ctx.Err() == nil {
			fmt.Fprintf(verbose, "%v: %v\n", conn.RemoteAddr(), err)
		}
	}
}

// listenPackets prints datagrams, and answers the last peer with the input.
func (f *talkFlags) listenPackets(ctx context.Context, client *control.Client, request control.ListenRequest, in *input, out, verbose io.Writer) error {
	c, err := client.ListenPacket(ctx, request)
	if err != nil {
		return talkFailure(ctx, err)
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	fmt.Fprintf(verbose, "listening on %v\n", c.LocalAddr())
	var last atomic.Pointer[net.Addr]
	there := make(chan struct{}) // closed when there is a peer
	go func() {                  // ends with the input, or with the process
		<-there
		for b := range in.chunks {
			_, _ = c.WriteTo(b, *last.Load()) // what can't be sent is lost
		}
		_ = c.SetReadDeadline(time.Now().Add(f.wait))
	}()
	b := make([]byte, 64<<10)
	for {
		n, from, err := c.ReadFrom(b)
		var timeout net.Error
		switch {
		case errors.As(err, &timeout) && timeout.Timeout():
			return nil
		case err != nil:
			return talkFailure(ctx, err)
		}
		if last.Swap(&from) == nil {
			fmt.Fprintf(verbose, "datagram from %v\n", from)
			close(there)
		}
		if _, err := out.Write(b[:n]); err != nil {
			return failf("write what has come: %w", err)
		}
	}
}
