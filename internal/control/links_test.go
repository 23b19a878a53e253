package control_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopacket/gopacket/pcapgo"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/control"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// A link changes while packets pass, in the directions that are named, and says what it does.
func TestSetLink(t *testing.T) {
	b := newBed(t)
	set := func(c control.LinkChange) control.LinkInfo {
		t.Helper()
		info, err := b.client.SetLink(t.Context(), "link", c)
		require.NoError(t, err)
		return info
	}
	talk(t, b)
	before, err := b.client.Link(t.Context(), "link")
	require.NoError(t, err)
	require.Equal(t, [2]string{"near", "far"}, before.Hosts)
	require.NotZero(t, before.There.Packets)
	require.NotZero(t, before.Back.Packets)
	require.Empty(t, before.There.Impairment)

	info := set(control.LinkChange{Both: "delay=1ms", There: "loss=1", Back: "duplicate=0.5"})
	require.Equal(t, "loss=1,delay=1ms", info.There.Impairment)
	require.Equal(t, "duplicate=0.5,delay=1ms", info.Back.Impairment)
	_, err = ping(b, 100*time.Millisecond)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	info = set(control.LinkChange{There: "loss=0"})
	require.Equal(t, "delay=1ms", info.There.Impairment)
	require.NotZero(t, info.There.Fates["lost"])
	took, err := ping(b, time.Minute)
	require.NoError(t, err)
	require.GreaterOrEqual(t, took, 2*time.Millisecond)
	info = set(control.LinkChange{Reset: true, Back: "rate=1M"})
	require.Empty(t, info.There.Impairment)
	require.Equal(t, "rate=1M", info.Back.Impairment)
	set(control.LinkChange{Reset: true})
	talk(t, b) // segments of 64 KiB again
}

func ping(b *bed, within time.Duration) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	r, err := b.near.Ping(ctx, netip.MustParseAddr("10.0.0.2"))
	return r.RTT, err
}

// talk sends a megabyte from near to far.
func talk(t *testing.T, b *bed) {
	t.Helper()
	l, err := b.far.Listen("tcp", "10.0.0.2:9")
	require.NoError(t, err)
	defer l.Close()
	c, err := b.near.Dial("tcp", "10.0.0.2:9")
	require.NoError(t, err)
	go func() {
		defer c.Close()
		_, _ = c.Write(make([]byte, 1<<20))
	}()
	s, err := l.Accept()
	require.NoError(t, err)
	n, err := io.Copy(io.Discard, s)
	require.NoError(t, err)
	require.EqualValues(t, 1<<20, n)
	require.NoError(t, s.Close()) // its FIN is of the conversation
	stack.Settle(b.near, b.far)
}

// A change that is wrong in one place changes nothing.
func TestSetLinkFails(t *testing.T) {
	b := newBed(t)
	_, err := b.client.SetLink(t.Context(), "link", control.LinkChange{Both: "loss=0.25"})
	require.NoError(t, err)
	for _, c := range []struct {
		change        control.LinkChange
		message, hint string
	}{
		{control.LinkChange{There: "loss=0.5", Back: "loss=2"}, `loss "2": not a probability`, "help impairments"},
		{control.LinkChange{Reset: true, Both: "los=1"}, `"los" is not a parameter`, "help impairments"},
		{control.LinkChange{There: "jitter-reorder"}, "no effect without jitter", "jitter=DURATION"},
		{control.LinkChange{Back: "loss=0,loss-correlation=0.5"}, "no effect without loss", "loss=PROBABILITY"},
		{control.LinkChange{There: "rate=1M", Back: "burst-enter=0.5"}, "never ends a burst", ""},
		{control.LinkChange{Both: "rate-trace=/etc/passwd"}, "rate-trace can't change", "when the network starts"},
		{control.LinkChange{Both: "delay=48h"}, "delay", ""},
	} {
		_, err := b.client.SetLink(t.Context(), "link", c.change)
		requireError(t, err, c.message, c.hint)
	}
	info, err := b.client.Link(t.Context(), "link")
	require.NoError(t, err)
	require.Equal(t, "loss=0.25", info.There.Impairment)
	require.Equal(t, "loss=0.25", info.Back.Impairment)
	_, err = b.client.SetLink(t.Context(), "x/../link", control.LinkChange{})
	requireError(t, err, `no link "x/../link"`, "link")
}

// What a foreign host sends isn't impaired here, and stays so.
func TestSetLink_Foreign(t *testing.T) {
	b := newBed(t)
	a, _ := tun.Pipe(1500)
	impaired, err := tun.Impair(a, tun.ImpairConfig{Whole: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, impaired.Close()) })
	b.server.AddLink(control.Link{Name: "way", Ends: [2]string{"far", "near"}, Foreign: "far", Impaired: impaired})
	info, err := b.client.SetLink(t.Context(), "way", control.LinkChange{Reset: true, Both: "delay=1ms", Back: "loss=1"})
	require.NoError(t, err)
	require.Equal(t, "far", info.Foreign)
	require.Empty(t, info.There.Impairment)
	require.Equal(t, "loss=1,delay=1ms", info.Back.Impairment)
	_, err = b.client.SetLink(t.Context(), "way", control.LinkChange{Both: "loss=0", There: "delay=1ms"})
	requireError(t, err, "another machine impairs what far sends", "on the machine of far")
	info, err = b.client.Link(t.Context(), "way")
	require.NoError(t, err)
	require.Equal(t, "loss=1,delay=1ms", info.Back.Impairment)
}

// count returns the number of packets in a capture, whole or not.
func count(t *testing.T, file []byte) (n int) {
	t.Helper()
	r, err := pcapgo.NewNgReader(bytes.NewReader(file), pcapgo.DefaultNgReaderOptions)
	require.NoError(t, err)
	for {
		data, _, err := r.ReadPacketData()
		if err != nil {
			require.ErrorIs(t, err, io.EOF, "no block is cut off")
			return n
		}
		require.LessOrEqual(t, len(data), 1500, "as on a wire")
		n++
	}
}

// A client's file has the packets from on to off, and one client may read them meanwhile.
func TestCapture(t *testing.T) {
	b := newBed(t)
	dir := t.TempDir()
	name := filepath.Join(dir, "a.pcapng")
	file, err := os.Create(name)
	require.NoError(t, err)
	talk(t, b)
	require.NoError(t, b.client.CaptureTo(t.Context(), "link", file, name))
	require.NoError(t, file.Close())

	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	streamed := make(chan error, 1)
	go func() {
		_, err := b.client.Capture(ctx, "link", w)
		_ = w.Close()
		streamed <- err
	}()
	_, err = io.ReadFull(r, make([]byte, 4)) // it has begun
	require.NoError(t, err)
	var streamedBytes atomic.Int64
	reading := make(chan error, 1)
	go func() {
		_, err := io.Copy(writerFunc(func(b []byte) (int, error) {
			streamedBytes.Add(int64(len(b)))
			return len(b), nil
		}), r)
		reading <- err
	}()

	info, err := b.client.Link(t.Context(), "link")
	require.NoError(t, err)
	require.Len(t, info.Captures, 2)
	require.Equal(t, name, info.Captures[0].File)
	require.Empty(t, info.Captures[1].File)
	talk(t, b)
	after, err := b.client.Link(t.Context(), "link")
	require.NoError(t, err)
	passed := int(after.There.Packets - info.There.Packets + after.Back.Packets - info.Back.Packets)
	soon(t, func() bool { return streamedBytes.Load() > 1<<20 }, "the stream has it")
	cancel()
	require.NoError(t, <-streamed)
	require.NoError(t, <-reading)

	require.NoError(t, b.client.CaptureOff(t.Context(), "link", name))
	talk(t, b)
	got, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, passed, count(t, got))
	requireError(t, b.client.CaptureOff(t.Context(), "link", name), "isn't recorded in "+name, "wsstack link")
	soon(t, func() bool { i, _ := b.client.Link(t.Context(), "link"); return len(i.Captures) == 0 }, "the stream has ended")
}

// A writerFunc is a function as an io.Writer.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// Recordings that can't be are refused, and leave nothing.
func TestCaptureFails(t *testing.T) {
	b := newBed(t)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	defer w.Close()
	requireError(t, b.client.CaptureTo(t.Context(), "link", w, "pipe"), "pipe is no ordinary file", "capture -")
	requireError(t, b.client.CaptureTo(t.Context(), "lunk", w, "pipe"), `no link "lunk"`, "link")
	file, err := os.Open("main_test.go") // for reading
	require.NoError(t, err)
	defer file.Close()
	requireError(t, b.client.CaptureTo(t.Context(), "link", file, "main_test.go"), "bad file descriptor", "")
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err == nil {
		requireError(t, b.client.CaptureTo(t.Context(), "link", full, "/dev/full"), "no ordinary file", "")
		_ = full.Close()
	}
	_, err = b.client.Capture(t.Context(), "lunk", io.Discard)
	requireError(t, err, `no link "lunk"`, "")
	info, err := b.client.Link(t.Context(), "link")
	require.NoError(t, err)
	require.Empty(t, info.Captures)
	talk(t, b)

	var files []*os.File
	for range 16 {
		f, err := os.CreateTemp(t.TempDir(), "")
		require.NoError(t, err)
		defer f.Close()
		files = append(files, f)
		require.NoError(t, b.client.CaptureTo(t.Context(), "link", f, f.Name()))
	}
	requireError(t, b.client.CaptureTo(t.Context(), "link", files[0], "one more"), "recorded 16 times", "capture off")
	_, err = b.client.Capture(t.Context(), "link", io.Discard)
	requireError(t, err, "recorded 16 times", "capture off")
	require.NoError(t, b.client.CaptureOff(t.Context(), "link", ""))
}

// A reader that reads nothing loses packets, and the network none.
func TestCaptureSlowReader(t *testing.T) {
	b := newBed(t)
	conn, err := net.Dial("unix", b.server.Path())
	require.NoError(t, err)
	_, err = conn.Write([]byte("GET /v1/links/link/capture HTTP/1.1\r\nHost: localhost\r\n\r\n"))
	require.NoError(t, err)
	soon(t, func() bool { i, _ := b.client.Link(t.Context(), "link"); return len(i.Captures) == 1 }, "it has begun")
	for range 12 {
		talk(t, b)
	}
	require.NoError(t, conn.Close())
	soon(t, func() bool { i, _ := b.client.Link(t.Context(), "link"); return len(i.Captures) == 0 }, "it is over")
}

// The end of the network completes the recordings.
func TestCaptureUntilClose(t *testing.T) {
	dir := shortDir(t)
	server, err := control.Listen(control.Config{Name: "test", Dir: dir})
	require.NoError(t, err)
	near, far := tun.Pipe(1500)
	captured, err := tun.Capture(near, nil, "link")
	require.NoError(t, err)
	impaired, err := tun.Impair(captured, tun.ImpairConfig{Whole: true})
	require.NoError(t, err)
	server.AddLink(control.Link{Name: "link", Ends: [2]string{"a", "b"}, Impaired: impaired, Captured: captured})
	server.Start()
	client, err := control.Open(t.Context(), server.Path())
	require.NoError(t, err)
	defer client.Close()
	file, err := os.CreateTemp(t.TempDir(), "")
	require.NoError(t, err)
	require.NoError(t, client.CaptureTo(t.Context(), "link", file, file.Name()))
	require.NoError(t, file.Close())
	streamed := make(chan error, 1)
	r, w := io.Pipe()
	go func() {
		missed, err := client.Capture(t.Context(), "link", w)
		_ = w.Close()
		if missed != 0 {
			err = errors.Join(err, errors.New("packets were missed"))
		}
		streamed <- err
	}()
	_, err = io.ReadFull(r, make([]byte, 4))
	require.NoError(t, err)
	go func() { _, _ = io.Copy(io.Discard, r) }()
	require.NoError(t, server.Close())
	require.NoError(t, <-streamed, "the stream has a good end")
	require.NoError(t, impaired.Close())
	require.NoError(t, far.Close())
	got, err := os.ReadFile(file.Name())
	require.NoError(t, err)
	require.Zero(t, count(t, got))
}
