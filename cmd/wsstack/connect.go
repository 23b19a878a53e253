package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wsstack/wsstack/internal/control"
	"github.com/wsstack/wsstack/options"
)

// talkFlags are what connect and listen share.
type talkFlags struct {
	networkFlags
	udp     bool
	verbose bool
	wait    time.Duration // UDP: how long after the end of the input
	options []string
}

func (f *talkFlags) addFlags(flags *pflag.FlagSet) {
	f.networkFlags.addFlags(flags, true)
	flags.BoolVarP(&f.udp, "udp", "u", false, "datagrams: what one read of standard input gives is one")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "say on standard error what is connected to what")
	flags.DurationVar(&f.wait, "wait", time.Second, "with --udp: `TIME` to wait for answers after the input")
	flags.Var(&textOptionFlag{&f.options}, "sockopt", "option of the socket, such as TCP_NODELAY=1; \"wsstack options\" has all")
}

// transport is the network of the sockets.
func (f *talkFlags) transport() string {
	if f.udp {
		return "udp"
	}
	return "tcp"
}

// A textOptionFlag is an option of a socket of a running network, which may be repeated.
type textOptionFlag struct{ list *[]string }

func (v *textOptionFlag) Set(text string) error {
	if _, err := options.ParseAssignment(text); err != nil {
		return err
	}
	*v.list = append(*v.list, text)
	return nil
}

func (v *textOptionFlag) Type() string   { return "NAME=VALUE" }
func (v *textOptionFlag) String() string { return strings.Join(*v.list, " ") }

func newConnectCommand() *cobra.Command {
	var f talkFlags
	var source string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "connect [flags] ADDRESS PORT",
		Short: "Connect from the stack of a running network, as netcat does",
		Long: `Connect from a stack of a running exec, up or run. Standard input goes to the peer, and
what the peer sends to standard output. The end of the input is a FIN; connect goes on
reading until the peer's FIN. The exit status is 0 then, and 1 if the connection failed
or was reset.

With --udp it ends when nothing has come for --wait after the end of the input.`,
		Example: `  wsstack connect 10.77.0.2 80 < request
  wsstack connect --sockopt SO_KEEPALIVE=1 --sockopt TCP_KEEPIDLE=5 10.77.0.2 22
  echo question | wsstack connect --udp 10.77.0.2 53`,
		DisableFlagsInUseLine: true,
		Args: func(_ *cobra.Command, args []string) error {
			_, err := addressOf(args)
			return err
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			address, err := addressOf(args)
			if err != nil {
				return err
			}
			request := control.DialRequest{Host: f.host, Network: f.transport(), Address: address, Local: source,
				Options: f.options, Timeout: timeout.Milliseconds()}
			return f.withClient(cmd, func(ctx context.Context, client *control.Client) error {
				conn, err := client.Dial(ctx, request)
				if err != nil {
					return talkFailure(ctx, err)
				}
				if f.verbose {
					fmt.Fprintf(cmd.ErrOrStderr(), "connected to %v from %v\n", conn.RemoteAddr(), conn.LocalAddr())
				}
				return f.talk(ctx, newInput(cmd.InOrStdin()), cmd.OutOrStdout(), conn)
			})
		},
	}
	f.addFlags(cmd.Flags())
	cmd.Flags().StringVar(&source, "source", "", "local `ADDRESS:PORT` of the connection")
	cmd.Flags().DurationVar(&timeout, "timeout", 0, "`TIME` that the connect may take (default as long as the stack tries)")
	return cmd
}

// addressOf reads an address with a port, as one word or two.
func addressOf(args []string) (string, error) {
	switch address, ok := joined(args); {
	case ok:
		return address, nil
	case len(args) == 1:
		return "", usagef("%q has no port", args[0]).withHint("wsstack connect 10.77.0.2 80")
	}
	return "", usagef("connect takes an address and a port").withHint("wsstack connect 10.77.0.2 80")
}

// joined returns an address with a port, which are one argument or two; false: they aren't.
func joined(args []string) (string, bool) {
	switch len(args) {
	case 1:
		_, _, err := net.SplitHostPort(args[0])
		return args[0], err == nil
	case 2:
		return net.JoinHostPort(args[0], args[1]), true
	}
	return "", false
}

// An input is standard input, which one connection after the other may get.
type input struct {
	chunks chan []byte // closed at the end
}

// inputChunk is how much is read at a time, in bytes.
const inputChunk = 32 << 10

func newInput(from io.Reader) *input {
	in := &input{chunks: make(chan []byte)}
	go func() { // ends with the input, or with the process
		defer close(in.chunks)
		for {
			b := make([]byte, inputChunk)
			n, err := from.Read(b)
			if n > 0 {
				in.chunks <- b[:n]
			}
			if err != nil {
				return
			}
		}
	}()
	return in
}

// talk passes on the input to a connection, and what comes from there to the output, until both
// have ended.
func (f *talkFlags) talk(ctx context.Context, in *input, out io.Writer, conn net.Conn) error {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	over := make(chan struct{})
	var sender sync.WaitGroup
	sender.Go(func() { f.send(ctx, in, conn, over) }) // ends with the input, or with the connection
	err := receive(out, conn, f.udp)
	if err != nil {
		close(over)
	}
	sender.Wait() // after the peer's FIN the input still goes out
	return talkFailure(ctx, err)
}

// send sends the input.
func (f *talkFlags) send(ctx context.Context, in *input, conn net.Conn, over <-chan struct{}) {
	for {
		select {
		case b, ok := <-in.chunks:
			if !ok {
				f.finish(conn)
				return
			}
			if _, err := conn.Write(b); err != nil {
				return // reading tells why
			}
		case <-over:
			return
		case <-ctx.Done():
			return
		}
	}
}

// finish ends what this side sends.
func (f *talkFlags) finish(conn net.Conn) {
	if f.udp {
		_ = conn.SetReadDeadline(time.Now().Add(f.wait))
		return
	}
	if c, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite()
	}
}

// receive writes what comes, until the peer's FIN.
func receive(out io.Writer, conn net.Conn, datagrams bool) error {
	b := make([]byte, 64<<10)
	for {
		n, err := conn.Read(b)
		if n > 0 {
			if _, err := out.Write(b[:n]); err != nil {
				return failf("write what has come: %w", err)
			}
		}
		switch {
		case errors.Is(err, io.EOF), datagrams && errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case err != nil:
			return err
		}
	}
}

// talkFailure is the error of a conversation: a user who interrupts it knows. A stream that ends in
// the middle is the end of the network.
func talkFailure(ctx context.Context, err error) error {
	switch {
	case err != nil && ctx.Err() != nil:
		return exitStatus(statusSignal + 2)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return failf("the network has ended")
	}
	return err
}
