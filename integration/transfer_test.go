//go:build linux

package integration

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// send writes size random bytes in pieces of different lengths, half-closes,
// and returns their sum.
func send(c stream, size int, seed uint64) (sum string, err error) {
	rng := rand.NewChaCha8([32]byte{byte(seed)})
	lengths := rand.New(rand.NewPCG(seed, seed))
	hash := sha256.New()
	buf := make([]byte, 256<<10)
	for size > 0 {
		piece := buf[:min(size, 1+lengths.IntN(len(buf)))]
		rng.Read(piece)
		hash.Write(piece)
		n, err := c.Write(piece)
		if err != nil {
			return "", fmt.Errorf("write, %d bytes before the end: %w", size, err)
		}
		size -= n
	}
	if err := c.CloseWrite(); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// receive reads to the end and returns the number of bytes and their sum.
func receive(c stream) (size int, sum string, err error) {
	hash := sha256.New()
	n, err := io.CopyBuffer(struct{ io.Writer }{hash}, struct{ io.Reader }{c}, make([]byte, 256<<10))
	if err != nil {
		return 0, "", fmt.Errorf("read, after %d bytes: %w", n, err)
	}
	return int(n), hex.EncodeToString(hash.Sum(nil)), nil
}

// transfer sends size bytes from one end to the other and compares sums.
func transfer(t testing.TB, from, to stream, size int, seed uint64) {
	t.Helper()
	var sent string
	var sendErr error
	var wg sync.WaitGroup
	wg.Go(func() { sent, sendErr = send(from, size, seed) })
	n, received, err := receive(to)
	wg.Wait()
	if sendErr != nil || err != nil || n != size || sent != received {
		t.Errorf("transfer of %d bytes: got %d, same sum %t, send error %v, receive error %v", size, n, sent == received, sendErr, err)
	}
}

// bothWays transfers size bytes in each direction at the same time.
func bothWays(t testing.TB, a, b stream, size int) {
	t.Helper()
	deadline := time.Now().Add(patience)
	require.NoError(t, a.SetDeadline(deadline))
	require.NoError(t, b.SetDeadline(deadline))
	var wg sync.WaitGroup
	wg.Go(func() { transfer(t, a, b, size, 1) })
	transfer(t, b, a, size, 2)
	wg.Wait()
}

func rate(bytes int, d time.Duration) string {
	return fmt.Sprintf("%d MiB in %v: %.2f Gbit/s", bytes>>20, d.Round(time.Millisecond), float64(bytes)*8/d.Seconds()/1e9)
}

// Every byte of a large transfer arrives, in one direction after the other,
// each on a connection of its own.
func TestBulkTransfer(t *testing.T) {
	n := newNetwork(t, settings{})
	n.eachRole(t, bulk)
	stats := n.stack.Stats()
	t.Logf("segments: %d in, %d out, %d retransmitted; packets dropped: %d",
		stats.SegmentsIn, stats.SegmentsOut, stats.Retransmits, stats.Dropped)
}

func bulk(t *testing.T, r role) {
	bytes := size(64<<20, 4<<20)
	for _, upload := range []bool{true, false} {
		client, server := r.connect(t)
		from, to, what := client, server, "client to server"
		if !upload {
			from, to, what = server, client, "server to client"
		}
		deadline := time.Now().Add(patience)
		require.NoError(t, from.SetDeadline(deadline))
		require.NoError(t, to.SetDeadline(deadline))
		start := time.Now()
		transfer(t, from, to, bytes, 3)
		t.Logf("%s: %s", what, rate(bytes, time.Since(start)))
	}
}

// Both directions of one connection at the same time.
func TestBulkTransferBothWays(t *testing.T) {
	eachDevice(t, func(t *testing.T, s settings) {
		n := newNetwork(t, s)
		n.eachRole(t, func(t *testing.T, r role) { bulkBothWays(t, r, size(16<<20, 2<<20)) })
	})
}

// Both directions for as long as WSSTACK_BULK says, such as 10m; else a second
// for each role. The sums are compared at the end.
func TestBulkForAWhile(t *testing.T) {
	length := time.Second
	if d, err := time.ParseDuration(os.Getenv("WSSTACK_BULK")); err == nil {
		length = d / 4 // the roles
	}
	n := newNetwork(t, settings{})
	n.eachRole(t, func(t *testing.T, r role) {
		client, server := r.connect(t)
		require.NoError(t, client.SetDeadline(time.Now().Add(length+patience)))
		require.NoError(t, server.SetDeadline(time.Now().Add(length+patience)))
		start := time.Now()
		sent, received := make([]string, 2), make([]string, 2)
		var total atomic.Int64
		var wg sync.WaitGroup
		for i, ends := range [][2]stream{{client, server}, {server, client}} {
			wg.Go(func() {
				sum, err := sendUntil(ends[0], start.Add(length), uint64(i))
				if err != nil {
					t.Error(err)
				}
				sent[i] = sum
			})
			wg.Go(func() {
				n, sum, err := receive(ends[1])
				if err != nil {
					t.Error(err)
				}
				received[i] = sum
				total.Add(int64(n))
			})
		}
		wg.Wait()
		require.Equal(t, sent, received)
		t.Log("together", rate(int(total.Load()), time.Since(start)))
	})
}

// sendUntil sends until a moment, half-closes, and returns the sum.
func sendUntil(c stream, end time.Time, seed uint64) (sum string, err error) {
	hash := sha256.New()
	buf := make([]byte, 256<<10)
	rand.NewChaCha8([32]byte{byte(seed)}).Read(buf)
	lengths := rand.New(rand.NewPCG(seed, seed))
	for time.Now().Before(end) {
		from := lengths.IntN(len(buf)) // any part of it: no two writes are the same
		n, err := c.Write(buf[from:])
		hash.Write(buf[from : from+n])
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(hash.Sum(nil)), c.CloseWrite()
}

func bulkBothWays(t *testing.T, r role, bytes int) {
	client, server := r.connect(t)
	start := time.Now()
	bothWays(t, client, server, bytes)
	t.Log("together", rate(2*bytes, time.Since(start)))
}
