package iperf3_test

import (
	"context"
	"encoding/json"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/iperf3"
)

// system is this system as a Network.
type system struct{}

func (system) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, address)
}

func (system) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	return new(net.ListenConfig).Listen(ctx, network, address)
}

func (system) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	return new(net.ListenConfig).ListenPacket(ctx, network, address)
}

// program is the path of the real iperf3.
func program(t *testing.T) string {
	path, err := exec.LookPath("iperf3")
	if err != nil {
		t.Skip("iperf3 is not installed")
	}
	return path
}

// judged are tests that the real iperf3 takes part in: its arguments, and the same as parameters.
var judged = []struct {
	args   string
	params iperf3.Params
}{
	{"-n 256K -b 20M -l 8K", iperf3.Params{Num: 256 << 10, Bandwidth: 20e6, Len: 8 << 10}},
	{"-n 256K -b 10M -l 8K -R -P 3", iperf3.Params{Num: 256 << 10, Bandwidth: 10e6, Len: 8 << 10, Reverse: true, Parallel: 3}},
	{"-n 256K -b 20M -l 8K --bidir", iperf3.Params{Num: 256 << 10, Bandwidth: 20e6, Len: 8 << 10, Bidirectional: true}},
	{"-n 100K -u -b 10M -l 1000", iperf3.Params{UDP: true, Num: 100 << 10, Bandwidth: 10e6, Len: 1000}},
	{"-n 100K -u -b 5M -l 1000 -R -P 2 --udp-counters-64bit",
		iperf3.Params{UDP: true, Num: 100 << 10, Bandwidth: 5e6, Len: 1000, Reverse: true, Parallel: 2, Counters64: 1}},
	{"-k 200 -b 10M -l 1000 -N -w 100K --get-server-output",
		iperf3.Params{BlockCount: 200, Bandwidth: 10e6, Len: 1000, NoDelay: true, Window: 100 << 10, ServerOutput: 1}},
}

// The real iperf3 as the client accepts this package as its server.
func TestReal_Client(t *testing.T) {
	path := program(t)
	ctx, cancel := context.WithCancel(t.Context())
	ready := make(chan net.Addr, 1)
	served := make(chan error, 1)
	reports := make(chan *iperf3.Report, 1)
	go func() {
		served <- iperf3.Serve(ctx, system{}, "127.0.0.1:0", iperf3.ServerConfig{Ready: func(a net.Addr) { ready <- a },
			Done: func(r *iperf3.Report, err error) { assert.NoError(t, err); reports <- r }})
	}()
	defer func() {
		cancel()
		<-served
	}()
	_, port, _ := net.SplitHostPort((<-ready).String())
	for _, c := range judged {
		t.Run(c.args, func(t *testing.T) {
			out, err := exec.CommandContext(t.Context(), path, append([]string{"--json", "-c", "127.0.0.1", "-p", port}, strings.Fields(c.args)...)...).Output()
			require.NoError(t, err, "%s", out)
			var theirs iperf3.Report
			require.NoError(t, json.Unmarshal(out, &theirs), "%s", out)
			report := <-reports
			require.NotNil(t, report)
			require.Empty(t, theirs.Error)
			if !c.params.UDP { // of which its JSON has one sum for both sides
				assert.Equal(t, report.End.Sent.Bytes, theirs.End.Sent.Bytes)
				assert.Equal(t, report.End.Received.Bytes, theirs.End.Received.Bytes)
			}
			assert.Positive(t, moved(report), "%s", out)
			assert.Len(t, theirs.End.Streams, len(report.End.Streams))
			if c.params.ServerOutput != 0 {
				assert.Contains(t, theirs.End.ServerOutput+string(out), "receiver")
			}
		})
	}
}

// This package as the client accepts the real iperf3 as its server.
func TestReal_Server(t *testing.T) {
	path := program(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	_, port, _ := net.SplitHostPort(address)
	cmd := exec.Command(path, "-s", "-B", "127.0.0.1", "-p", port, "--forceflush")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	listening := make([]byte, 100)
	_, err = out.Read(listening)
	require.NoError(t, err)
	require.Contains(t, string(listening), "----")
	go func() { // ends with the program
		buf := make([]byte, 1000)
		for err == nil {
			_, err = out.Read(buf)
		}
	}()
	for _, c := range judged {
		t.Run(c.args, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			report, err := retry(ctx, address, c.params)
			require.NoError(t, err)
			assert.Positive(t, moved(report))
			assert.LessOrEqual(t, report.End.Received.Bytes, report.End.Sent.Bytes)
			if c.params.ServerOutput != 0 {
				assert.Contains(t, report.End.ServerOutput, "receiver")
			}
		})
	}
}

// moved is how many bytes have come. Of two directions, one may have been done before the other
// began.
func moved(r *iperf3.Report) int64 {
	if back := r.End.ReceivedReverse; back != nil {
		return r.End.Received.Bytes + back.Bytes
	}
	return r.End.Received.Bytes
}

// retry waits until the server is done with the test before. It listens anew for each, and resets
// who has come too early.
func retry(ctx context.Context, address string, p iperf3.Params) (report *iperf3.Report, err error) {
	for {
		report, err = iperf3.Run(ctx, system{}, address, p, nil)
		early := err != nil && slices.ContainsFunc([]string{"can't reach", "busy", "control connection"},
			func(words string) bool { return strings.Contains(err.Error(), words) })
		if !early || ctx.Err() != nil {
			return report, err
		}
		time.Sleep(10 * time.Millisecond)
	}
}
