package wg

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"

	"github.com/wsstack/wsstack/stack"
)

// A tap is a Bind that keeps what it sends.
type tap struct {
	conn.Bind
	mu   sync.Mutex
	sent [][]byte
}

func (b *tap) Send(packets [][]byte, to conn.Endpoint) error {
	b.mu.Lock()
	for _, p := range packets {
		b.sent = append(b.sent, slices.Clone(p))
	}
	b.mu.Unlock()
	return b.Bind.Send(packets, to)
}

// Packets of nobody, and those of a peer once more, do nothing: the peers stay where they are, and
// the tunnel works. What has come in is bounded, and nothing of it is kept.
func TestHostile(t *testing.T) {
	recorder := &tap{Bind: conn.NewDefaultBind()}
	a, b := pair(t)
	a.Bind = recorder
	target := open(t, b)
	a.Peers[0].Endpoint = loopback(target)
	stacks := [2]*stack.Stack{newStack(t, a.Stack(open(t, a))), newStack(t, b.Stack(target))}
	exchange(t, stacks, 0)
	before := target.Peers()[0]

	attacker, err := net.Dial("udp4", loopback(target))
	require.NoError(t, err)
	defer attacker.Close()
	recorder.mu.Lock()
	packets := slices.Clone(recorder.sent)
	recorder.mu.Unlock()
	require.GreaterOrEqual(t, len(packets), 2, "an initiation and a datagram")
	random := rand.New(rand.NewPCG(1, 2))
	for _, p := range slices.Clone(packets) {
		changed := slices.Clone(p)
		changed[random.IntN(len(p))] ^= 1
		packets = append(packets, changed, p[:len(p)/2], p[:len(p)-1], append(slices.Clone(p), 0))
	}
	// Whoever knows the public key gets further.
	var macs device.CookieGenerator
	macs.Init(device.NoisePublicKey(target.PublicKey()))
	for range 20 {
		initiation := make([]byte, device.MessageInitiationSize)
		for i := range initiation {
			initiation[i] = byte(random.Uint32())
		}
		binary.LittleEndian.PutUint32(initiation, device.MessageInitiationType)
		macs.AddMacs(initiation)
		packets = append(packets, initiation)
	}
	heap := heapInUse()
	in := target.engine.Bind().(*bind).in
	for range 5000 {
		var p []byte
		if random.IntN(2) == 0 {
			p = packets[random.IntN(len(packets))]
		} else {
			p = make([]byte, random.IntN(1500))
			for i := range p {
				p[i] = byte(random.Uint32())
			}
			if len(p) >= 4 {
				binary.LittleEndian.PutUint32(p, random.Uint32N(6))
			}
		}
		_, err := attacker.Write(p)
		require.NoError(t, err)
		// Garbage may count as stuck, for which nobody waits.
		require.LessOrEqual(t, in.len(), crowd*maxInside()+conn.IdealBatchSize)
	}
	exchange(t, stacks, 0)
	after := target.Peers()[0]
	require.Equal(t, before.At, after.At)
	require.Equal(t, before.LastHandshake, after.LastHandshake)
	require.Less(t, after.Received, before.Received+100_000, "the datagrams of exchange, and keep-alives")
	require.Less(t, heapInUse(), heap+32<<20)
}

// len is how many buffers are counted.
func (f *flight) len() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.inside)
}

// heapInUse is how many bytes are in use when the pools are empty.
func heapInUse() uint64 {
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
