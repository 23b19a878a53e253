package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/wsstack/wsstack/internal/control"
	"github.com/wsstack/wsstack/internal/testbed"
)

// captureFlags are the flags of capture.
type captureFlags struct {
	networkFlags
	link string
}

func newCaptureCommand() *cobra.Command {
	var f captureFlags
	cmd := &cobra.Command{
		Use:   "capture [flags] on FILE | off [FILE] | -",
		Short: "Record the packets of a link in a running network",
		Long: `Record the packets of a link of a running exec, up or run, as a pcapng file with the
packets that a wire would carry, lost ones with a comment. "on FILE" begins, and the network goes
on writing until "off" or its end; FILE must not exist. "-" writes the packets to
standard output until ^C or the end of the network. A reader that is too slow for that
misses packets, and is told how many.

A recording whose disk is full ends, and the network goes on; "wsstack link" says so.`,
		Example: `  wsstack capture on run.pcapng
  wsstack capture off
  wsstack capture - | tcpdump -n -r -
  wsstack capture --link uplink - | wireshark -k -i -`,
		DisableFlagsInUseLine: true,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 2 && args[0] == "on", len(args) > 0 && len(args) <= 2 && args[0] == "off", len(args) == 1 && args[0] == standardOutput:
				return nil
			case len(args) == 1 && args[0] == "on":
				return usagef("capture on needs a file").withHint("such as: wsstack capture on run.pcapng")
			}
			return usagef("capture is on FILE, off, or - for standard output").
				withHint("such as: wsstack capture on run.pcapng")
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] == standardOutput && isTerminal(cmd.OutOrStdout()) {
				return usagef("capture - writes packets to standard output, which is a terminal").
					withHint("give them to a program: wsstack capture - | tcpdump -n -r -")
			}
			return f.withClient(cmd, func(ctx context.Context, client *control.Client) (err error) {
				if f.link, err = linkName(client, f.link); err != nil {
					return err
				}
				switch args[0] {
				case "on":
					return f.on(ctx, client, args[1])
				case "off":
					return f.off(ctx, client, args[1:])
				}
				return f.toOutput(ctx, client, cmd.OutOrStdout(), cmd.ErrOrStderr())
			})
		},
	}
	f.addFlags(cmd.Flags(), false)
	cmd.Flags().StringVar(&f.link, "link", "", "`NAME` of the link, where the network has several")
	return cmd
}

// on has the network record the packets in a new file. The file is made here, by the rights of
// whoever asks, and not where somebody else has put one or a link.
func (f *captureFlags) on(ctx context.Context, client *control.Client, name string) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, os.ErrExist) {
		return failf("%s is there already", name).withHint("remove it first: rm %s", name)
	}
	if err != nil {
		return failf("can't record packets: %w", err).withHint("%s", testbed.FileHint(name, err))
	}
	defer file.Close()
	full, err := filepath.Abs(name)
	if err == nil {
		err = client.CaptureTo(ctx, f.link, file, full)
	}
	if err != nil {
		_ = os.Remove(name) // nobody writes to it
		return err
	}
	return nil
}

// off ends the recording in one file, or in all.
func (f *captureFlags) off(ctx context.Context, client *control.Client, names []string) error {
	name := ""
	if len(names) == 1 {
		var err error
		if name, err = filepath.Abs(names[0]); err != nil {
			return failf("find %s: %w", names[0], err)
		}
	}
	return client.CaptureOff(ctx, f.link, name)
}

// toOutput writes the packets to standard output.
func (f *captureFlags) toOutput(ctx context.Context, client *control.Client, w, stderr io.Writer) error {
	if file, ok := w.(*os.File); ok {
		// Under another number: a write to descriptor 1 whose reader is gone kills the process.
		own, err := duplicate(file)
		if err != nil {
			return failf("open standard output for the packets: %w", err)
		}
		defer own.Close()
		w = own
	}
	missed, err := client.Capture(ctx, f.link, w)
	switch {
	case errors.Is(err, syscall.EPIPE):
		return nil // the reader has seen enough
	case err != nil:
		return failf("record the packets of the link %s: %w", f.link, err)
	case missed > 0:
		fmt.Fprintf(stderr, "wsstack: warning: %d packets were too many for the reader\n", missed)
	}
	return nil
}
