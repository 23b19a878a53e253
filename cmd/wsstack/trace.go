package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	captures "github.com/wsstack/wsstack/internal/capture"
	"github.com/wsstack/wsstack/internal/picture"
)

// traceFlags are the flags of trace.
type traceFlags struct {
	html, svg, ladder, csv string // files to write; "": none
	json                   bool
	list                   bool   // list the connections
	connection             string // number or address of one; "": all packets
}

func newTraceCommand() *cobra.Command {
	var f traceFlags
	cmd := &cobra.Command{
		Use:   "trace [flags] FILE",
		Short: "Show a capture file: lines, diagrams, a page, tables",
		Long: "Show a capture file (pcap or pcapng; - is standard input): those of this program, of\n" +
			"tests with simnet, of tcpdump and Wireshark. Without flags it prints a line for each\n" +
			"packet. The page of --html stands alone and has everything: ladder diagrams, diagrams of\n" +
			"sequence numbers by time, and the list of packets. FILE of a flag may be - for standard\n" +
			"output.",
		Example: `  wsstack trace run.pcapng
  wsstack trace --html run.html run.pcapng
  wsstack trace --connections run.pcapng
  wsstack trace --connection 2 --svg sequence.svg --ladder ladder.svg run.pcapng
  tcpdump -i eth0 -w - -c 100 tcp | wsstack trace -`,
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("trace needs a capture file").
					withHint("wsstack trace FILE.pcapng, or - for standard input; wsstack exec --pcap FILE.pcapng -- COMMAND makes one")
			}
			if len(args) > 1 {
				return usagef("unexpected argument %q", args[1]).withHint("wsstack trace shows one file")
			}
			return showTrace(cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr(), f, args[0])
		},
	}
	cmd.Flags().StringVar(&f.html, "html", "", "write a page with all diagrams and the packets to `FILE`")
	cmd.Flags().StringVar(&f.svg, "svg", "", "write sequence numbers by time to `FILE` (default of the most data)")
	cmd.Flags().StringVar(&f.ladder, "ladder", "", "write the ladder diagram to `FILE`")
	cmd.Flags().StringVar(&f.csv, "csv", "", "write a table of the packets (CSV) to `FILE`")
	cmd.Flags().BoolVar(&f.json, "json", false, "print a JSON array instead of lines")
	cmd.Flags().BoolVar(&f.list, "connections", false, "list the TCP connections instead of the packets")
	cmd.Flags().StringVar(&f.connection, "connection", "", "one connection: its `NUMBER` in --connections, or an address and port")
	return cmd
}

// showTrace is the command: it reads the file and shows it.
func showTrace(stdin io.Reader, stdout, stderr io.Writer, f traceFlags, name string) error {
	if err := f.check(name); err != nil {
		return err
	}
	file, err := readCapture(stdin, stderr, name)
	if err != nil {
		return err
	}
	a := picture.Analyse(file.Recording)
	flow, err := chooseConnection(a, f.connection, name)
	if err != nil {
		return err
	}
	remarks := captureRemarks(file)
	if err := f.show(stdout, a, flow, name, remarks); err != nil {
		return err
	}
	for _, r := range remarks {
		fmt.Fprintf(stderr, "wsstack: note: %s\n", oneLine(r))
	}
	if file.Cut != nil {
		return failf("%s ends after %s that can be read: %w", name, plural(len(file.Packets), "packet", "packets"), file.Cut).
			withHint("what is above, or in the files, is what stands before")
	}
	return nil
}

// check looks for flags that exclude each other.
func (f *traceFlags) check(name string) error {
	outputs := 0
	for _, file := range []string{f.html, f.svg, f.ladder, f.csv} {
		if file == standardOutput {
			outputs++
		}
		if file != "" && file == name && name != standardOutput {
			return usagef("%s is the capture file itself", file).withHint("name another file to write")
		}
	}
	if f.json || f.list {
		outputs++
	}
	if outputs > 1 {
		return usagef("several flags write to standard output").withHint("name files, all but one")
	}
	return nil
}

// readCapture reads a file, or standard input. On a terminal it shows how much of a file it has
// read.
func readCapture(stdin io.Reader, stderr io.Writer, name string) (*captures.File, error) {
	in := stdin
	if name != standardOutput {
		file, err := os.Open(name)
		if err != nil {
			return nil, openFailure(err)
		}
		defer file.Close()
		info, err := file.Stat()
		if err == nil && info.IsDir() {
			return nil, failf("%s is a folder", name).withHint("name a file in it: wsstack trace %s", filepath.Join(name, "FILE.pcapng"))
		}
		in = file
		if err == nil && info.Mode().IsRegular() {
			shown := newProgress(stderr)
			defer shown.end()
			in = &progressReader{Reader: file, progress: shown, name: filepath.Base(name), total: info.Size()}
		}
	}
	file, err := captures.Read(in)
	switch {
	case errors.Is(err, captures.ErrCompressed):
		return nil, failf("%s is compressed", name).withHint("gunzip -c %s | wsstack trace -, or the like", name)
	case errors.Is(err, captures.ErrNoCapture):
		return nil, failf("%s is no capture file: %w", name, err).
			withHint("tcpdump -w FILE makes one, and so does wsstack exec --pcap FILE -- COMMAND")
	case err != nil:
		return nil, failf("read %s: %w", name, err)
	}
	return file, nil
}

// openFailure says what to do about a file that can't be opened.
func openFailure(err error) *failure {
	failure := failf("%w", err)
	if errors.Is(err, fs.ErrNotExist) {
		return failure.withHint("wsstack verify --pcap DIR, wsstack exec --pcap FILE and simnet's Capture make capture files")
	}
	return failure
}

// captureRemarks are what a user should know of a file.
func captureRemarks(file *captures.File) (remarks []string) {
	if file.NotIP > 0 {
		remarks = append(remarks, plural(file.NotIP, "frame isn't an IP packet, and is left out", "frames aren't IP packets, and are left out"))
	}
	if n := file.Left.Packets; n > 0 {
		remarks = append(remarks, fmt.Sprintf("the first %d packets are shown; %d more are not", captures.MaxPackets, n))
	}
	return remarks
}

// chooseConnection finds the connection that a flag names: its index, or -1 for all packets.
func chooseConnection(a *picture.Analysis, choice, name string) (int, error) {
	if choice == "" {
		return -1, nil
	}
	flow := -1
	if n, err := strconv.Atoi(choice); err == nil {
		if n >= 1 && n <= len(a.Flows) {
			flow = n - 1
		}
	} else if end, err := netip.ParseAddrPort(choice); err == nil {
		flow = a.Find(end, netip.AddrPort{})
	} else {
		return -1, usagef("--connection %s is neither a number nor an address with a port", choice).
			withHint("wsstack trace --connections %s lists them", name)
	}
	if flow < 0 {
		return -1, usagef("no connection %s among %s", choice, plural(len(a.Flows), "connection", "connections")).
			withHint("wsstack trace --connections %s lists them", name)
	}
	return flow, nil
}

// show writes what the flags ask for.
func (f *traceFlags) show(stdout io.Writer, a *picture.Analysis, flow int, name string, remarks []string) error {
	title := filepath.Base(name)
	if name == standardOutput {
		title = "standard input"
	}
	type output struct {
		flag, file string
		write      func(io.Writer) error
	}
	outputs := []output{
		{"html", f.html, func(w io.Writer) error { return a.WriteHTML(w, title, remarks...) }},
		{"ladder", f.ladder, func(w io.Writer) error { return a.WriteLadder(w, flow) }},
		{"csv", f.csv, func(w io.Writer) error { return a.WriteCSV(w, flow) }},
	}
	if f.svg != "" {
		shown, dir := flow, 0
		if shown < 0 {
			shown, _ = a.Busiest()
		}
		if shown < 0 {
			return failf("%s has no TCP connection", name).withHint("wsstack trace --ladder %s %s draws other packets", f.svg, name)
		}
		if b := a.Flows[shown].Bytes; b[1] > b[0] {
			dir = 1
		}
		outputs = append(outputs, output{"svg", f.svg, func(w io.Writer) error { return a.WriteSequence(w, shown, dir) }})
	}
	written := false
	for _, o := range outputs {
		if o.file == "" {
			continue
		}
		written = true
		if err := writeOutput(stdout, o.flag, o.file, o.write); err != nil {
			return err
		}
	}
	var err error
	switch {
	case f.list:
		err = listConnections(stdout, a, f.json)
	case f.json:
		err = a.WriteJSON(stdout, flow)
	case !written:
		err = a.WriteText(stdout, flow)
	}
	if err != nil {
		return failf("print the packets: %w", err)
	}
	return nil
}

// writeOutput writes a file, or standard output.
func writeOutput(stdout io.Writer, flag, name string, write func(io.Writer) error) error {
	if name == standardOutput {
		if err := write(stdout); err != nil {
			return failf("print the picture: %w", err)
		}
		return nil
	}
	file, err := os.Create(name)
	if err == nil {
		err = write(file)
		if closed := file.Close(); err == nil {
			err = closed
		}
	}
	if err != nil {
		return failf("can't write the file: %w", err).withFileHint(flag, name)
	}
	return nil
}

// A connectionRow is a connection of the list.
type connectionRow struct {
	Number          int       `json:"number"`
	Ends            [2]string `json:"ends"`  // the one that has sent the first packet comes first
	Bytes           [2]uint64 `json:"bytes"` // of payload, by sender
	Packets         int       `json:"packets"`
	Dropped         int       `json:"dropped"`
	Retransmissions int       `json:"retransmissions"`
}

// listConnections prints the connections.
func listConnections(w io.Writer, a *picture.Analysis, asJSON bool) error {
	rows := make([]connectionRow, len(a.Flows))
	for i, f := range a.Flows {
		rows[i] = connectionRow{i + 1, [2]string{f.Ends[0].String(), f.Ends[1].String()}, f.Bytes, len(f.Packets), f.Lost, f.Resent}
	}
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(rows)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NUMBER\tENDS\tPACKETS\tBYTES\tDROPPED\tRETRANSMISSIONS")
	for _, r := range rows {
		fmt.Fprintf(table, "%d\t%s > %s\t%d\t%d > %d\t%d\t%d\n", r.Number, r.Ends[0], r.Ends[1], r.Packets, r.Bytes[0], r.Bytes[1], r.Dropped, r.Retransmissions)
	}
	return table.Flush()
}
