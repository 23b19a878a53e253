package provider_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// A slowFile keeps those who read it until it is released, at the end of the test at the
// latest. entered tells of each read.
type slowFile struct {
	*strings.Reader
	entered  chan struct{}
	released chan struct{}
	release  func()
	reading  atomic.Int32
}

func newSlowFile(t *testing.T, text string) *slowFile {
	f := &slowFile{Reader: strings.NewReader(text), entered: make(chan struct{}, 100), released: make(chan struct{})}
	f.release = sync.OnceFunc(func() { close(f.released) })
	t.Cleanup(f.release)
	return f
}

func (f *slowFile) ReadAt(b []byte, offset int64) (int, error) {
	f.reading.Add(1)
	defer f.reading.Add(-1)
	f.entered <- struct{}{}
	<-f.released
	return f.Reader.ReadAt(b, offset)
}

// transmit starts to transmit a file on stack a.
func (l *lab) transmit(s wsa.SOCKET, f io.ReaderAt, flags uint32) *provider.Overlapped {
	l.Helper()
	o, err := l.a.TransmitFileAsync(s, f, 0, 0, 0, nil, flags)
	require.NoError(l, err)
	return o
}

// readAll receives on stack b until the end of the stream.
func (l *lab) readAll(s wsa.SOCKET) string {
	l.Helper()
	var all []byte
	for buf := make([]byte, 64<<10); ; {
		n, err := l.b.Recv(s, buf, 0)
		require.NoError(l, err)
		if n == 0 {
			return string(all)
		}
		all = append(all, buf[:n]...)
	}
}

// A file that is slow keeps neither the pump nor other calls on its socket. Four of them
// are read at a time, whatever the number of operations.
func TestTransmitFile_SlowFile(t *testing.T) {
	l := newLab(t)
	slow := newSlowFile(t, "slow")
	var ops []*provider.Overlapped
	var sockets, peers []wsa.SOCKET
	for range 6 {
		s, peer := l.pair(wsa.AF_INET)
		sockets, peers = append(sockets, s), append(peers, peer)
		ops = append(ops, l.transmit(s, slow, wsa.TF_DISCONNECT))
	}
	for range 4 {
		<-slow.entered
	}
	for i, s := range sockets { // receives go on, and so does the memory of others
		_, err := l.b.Send(peers[i], []byte("x"), 0)
		require.NoError(t, err)
		n, err := l.a.Recv(s, make([]byte, 10), 0)
		require.NoError(t, err)
		require.Equal(t, 1, n)
	}
	other, peer := l.pair(wsa.AF_INET6)
	_, err := l.a.TransmitPackets(other, []wsa.TransmitPacketsElement{{Flags: wsa.TP_ELEMENT_MEMORY, Buffer: []byte("memory")}}, 0, 0)
	require.NoError(t, err)
	_, err = l.a.TransmitFile(other, strings.NewReader(", and a file"), 0, 0, nil, wsa.TF_DISCONNECT) // its caller reads
	require.NoError(t, err)
	require.Equal(t, "memory, and a file", l.readAll(peer))
	require.EqualValues(t, 4, slow.reading.Load())

	slow.release()
	for i, o := range ops {
		n, err := o.Wait()
		require.NoError(t, err)
		require.Equal(t, 4, n)
		require.Equal(t, "slow", l.readAll(peers[i]))
	}
}

// Of calls that block the callers read, as many as there are.
func TestTransmitFile_CallersRead(t *testing.T) {
	l := newLab(t)
	slow := newSlowFile(t, "slow")
	done := make(chan error)
	for range 6 {
		s := l.connected(wsa.AF_INET)
		go func() {
			_, err := l.a.TransmitFile(s, slow, 0, 0, nil, 0)
			done <- err
		}()
	}
	for range 6 {
		<-slow.entered
	}
	slow.release()
	for range 6 {
		require.NoError(t, <-done)
	}
}

// What ends an operation doesn't wait for its file.
func TestTransmitFile_EndsDuringARead(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		slow := newSlowFile(t, "slow")
		for name, c := range map[string]struct {
			end  func(s, peer wsa.SOCKET, o *provider.Overlapped) error
			want wsa.Errno
		}{
			"closesocket": {func(s, _ wsa.SOCKET, _ *provider.Overlapped) error { return l.a.CloseSocket(s) }, wsa.WSA_OPERATION_ABORTED},
			"CancelIoEx":  {func(_, _ wsa.SOCKET, o *provider.Overlapped) error { o.Cancel(); return nil }, wsa.WSA_OPERATION_ABORTED},
			"a reset":     {func(_, peer wsa.SOCKET, _ *provider.Overlapped) error { l.hardClose(l.b, peer); return nil }, wsa.WSAECONNRESET},
			"SD_SEND":     {func(s, _ wsa.SOCKET, _ *provider.Overlapped) error { return l.a.Shutdown(s, wsa.SD_SEND) }, wsa.WSAESHUTDOWN},
		} {
			s, peer := l.pair(af)
			o := l.transmit(s, slow, wsa.TF_DISCONNECT|wsa.TF_REUSE_SOCKET)
			<-slow.entered
			require.NoError(t, c.end(s, peer, o), name)
			_, err := o.Wait()
			require.Equal(t, c.want, err, name)
		}
	})
}

// The stack waits for reads in progress, and begins none that wait for their turn.
func TestTransmitFile_StackCloses(t *testing.T) {
	l := newLab(t)
	slow := newSlowFile(t, "slow")
	var ops []*provider.Overlapped
	for range 6 {
		ops = append(ops, l.transmit(l.connected(wsa.AF_INET), slow, 0))
	}
	for range 4 {
		<-slow.entered
	}
	closed := make(chan error)
	go func() { closed <- l.sa.Close() }()
	for _, o := range ops {
		_, err := o.Wait()
		require.Equal(t, wsa.WSAENETDOWN, err)
	}
	slow.release()
	require.NoError(t, <-closed)
	require.Zero(t, slow.reading.Load())
	require.Empty(t, slow.entered)
}

// An os.File, from an offset, over a connection that delivers.
func TestTransmitFile_OfTheSystem(t *testing.T) {
	l := newLab(t)
	text := strings.Repeat("0123456789", 100_000)
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	families(t, func(t *testing.T, af int32) {
		s, peer := l.pair(af)
		around := &wsa.TransmitFileBuffers{Head: []byte("<"), Tail: []byte(">")}
		o, err := l.a.TransmitFileAsync(s, f, 5, 0, 0, around, wsa.TF_DISCONNECT)
		require.NoError(t, err)
		require.True(t, "<"+text[5:]+">" == l.readAll(peer))
		n, err := o.Wait()
		require.NoError(t, err)
		require.Equal(t, len(text)-5+2, n)
		_, err = l.a.TransmitFileAsync(s, f, int64(len(text)+1), 0, 0, nil, 0)
		require.Equal(t, wsa.WSAEINVAL, err)
	})
}

// A wide file counts what is read of it.
type wideFile struct {
	io.ReaderAt
	end, longest int64
}

func (f *wideFile) ReadAt(b []byte, offset int64) (int, error) {
	f.end, f.longest = max(f.end, offset+int64(len(b))), max(f.longest, int64(len(b)))
	return f.ReaderAt.ReadAt(b, offset)
}

// One block is in memory, 64 KiB at most: no more is read of a file than the socket has
// accepted, and that.
func TestTransmitFile_Memory(t *testing.T) {
	n := simnet.New(t)
	h := n.Host("a", "10.0.0.1/24")
	w := n.Wire(h, "w", "10.0.0.2")
	p := startup(t, h.Stack)
	err := n.Do("client", func() {
		peer := w.Listen(80)
		s, err := p.Socket(wsa.AF_INET, wsa.SOCK_STREAM, 0)
		assert.NoError(t, err)
		done := n.Go("connect", func() { assert.NoError(t, p.Connect(s, addr(wsa.AF_INET, "10.0.0.2", "", 80))) })
		peer.Accept("mss 1000")
		done.Wait()
		assert.NoError(t, setInt(p, s, wsa.SOL_SOCKET, wsa.SO_SNDBUF, 1000))
		for perSend, block := range map[uint32]int64{0: 64 << 10, 1 << 30: 64 << 10, 5000: 5000} {
			f := &wideFile{ReaderAt: bytes.NewReader(make([]byte, 10<<20))}
			o, err := p.TransmitFileAsync(s, f, 0, 0, perSend, nil, 0)
			assert.NoError(t, err)
			n.Sleep(time.Second) // the peer acknowledges nothing
			assert.Equal(t, block, f.longest)
			assert.LessOrEqual(t, f.end, 2*block)
			o.Cancel()
		}
	})
	require.NoError(t, err)
}

// A megabyte comes over a link that loses, repeats, reorders and delays, in both
// families, whoever reads the file.
func TestTransmitFile_BadLink(t *testing.T) {
	data := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{}).Read(data)
	for _, blocking := range []bool{false, true} {
		families(t, func(t *testing.T, af int32) {
			n := simnet.New(t)
			a, b := n.Host("a", "10.0.0.1/24", "fd00::1/64"), n.Host("b", "10.0.0.2/24", "fd00::2/64")
			n.Link(a, b, simnet.Delay(10*time.Millisecond), simnet.Jitter(5*time.Millisecond), simnet.Loss(0.03),
				simnet.Duplicate(0.02), simnet.Reorder(0.03, 20*time.Millisecond))
			p, q := startup(t, a.Stack), startup(t, b.Stack)
			listener, err := q.Socket(af, wsa.SOCK_STREAM, 0)
			require.NoError(t, err)
			require.NoError(t, q.Bind(listener, wildcard(af, 80)))
			require.NoError(t, q.Listen(listener, 1))
			sent := n.Go("sender", func() {
				s, err := p.Socket(af, wsa.SOCK_STREAM, 0)
				assert.NoError(t, err)
				assert.NoError(t, p.Connect(s, addrB(af, 80)))
				var count int
				if blocking {
					count, err = p.TransmitFile(s, bytes.NewReader(data), 0, 10_000, nil, wsa.TF_DISCONNECT|wsa.TF_REUSE_SOCKET)
				} else {
					o, failed := p.TransmitFileAsync(s, bytes.NewReader(data), 0, 0, 0, nil, wsa.TF_DISCONNECT|wsa.TF_REUSE_SOCKET)
					assert.NoError(t, failed)
					count, err = o.Wait()
				}
				assert.NoError(t, err)
				assert.Equal(t, len(data), count)
				_, err = p.GetPeerName(s)
				assert.Equal(t, wsa.WSAENOTCONN, err)
			})
			var got []byte
			require.NoError(t, n.Do("receiver", func() {
				c, _, err := q.Accept(listener)
				assert.NoError(t, err)
				for buf := make([]byte, 64<<10); ; {
					k, err := q.Recv(c, buf, 0)
					assert.NoError(t, err)
					if k == 0 {
						break
					}
					got = append(got, buf[:k]...)
				}
				assert.NoError(t, q.CloseSocket(c))
				sent.Wait()
			}))
			require.True(t, bytes.Equal(data, got), "%d bytes, other than those of the file", len(got))
		})
	}
}
