package wg

import (
	"io"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/stack"
)

// pair returns the configurations of two ends on the loopback of the host, which know each other; a
// knows where b is once b is open.
func pair(t *testing.T) (a, b Config) {
	t.Helper()
	keys := [2]Key{}
	for i := range keys {
		var err error
		keys[i], err = GeneratePrivateKey()
		require.NoError(t, err)
	}
	a = Config{
		PrivateKey: keys[0],
		Addresses:  []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24"), netip.MustParsePrefix("fd00::1/64")},
		Peers: []Peer{{
			PublicKey:  keys[1].PublicKey(),
			AllowedIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.2/32"), netip.MustParsePrefix("fd00::2/128")},
		}},
	}
	b = Config{
		PrivateKey: keys[1],
		Addresses:  []netip.Prefix{netip.MustParsePrefix("10.0.0.2/24"), netip.MustParsePrefix("fd00::2/64")},
		Peers: []Peer{{
			PublicKey:  keys[0].PublicKey(),
			AllowedIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32"), netip.MustParsePrefix("fd00::1/128")},
		}},
	}
	return a, b
}

// open opens a tunnel until the end of the test.
func open(t *testing.T, cfg Config) *Device {
	t.Helper()
	d, err := New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

// loopback is where a device is on the host.
func loopback(d *Device) string {
	return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(d.ListenPort())).String()
}

// joined opens two ends with a stack each, of which the first knows where the second is.
func joined(t *testing.T) (devices [2]*Device, stacks [2]*stack.Stack) {
	t.Helper()
	a, b := pair(t)
	devices[1] = open(t, b)
	a.Peers[0].Endpoint = loopback(devices[1])
	devices[0] = open(t, a)
	for i, cfg := range []Config{a, b} {
		stacks[i] = newStack(t, cfg.Stack(devices[i]))
	}
	return devices, stacks
}

// newStack makes a stack until the end of the test.
func newStack(t *testing.T, cfg stack.Config) *stack.Stack {
	t.Helper()
	s, err := stack.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// Two stacks speak over a tunnel, in both families, and the ends know of each other.
func TestDevice(t *testing.T) {
	devices, stacks := joined(t)
	for _, address := range []string{"10.0.0.2:80", "[fd00::2]:80"} {
		l, err := stacks[1].Listen("tcp", address)
		require.NoError(t, err)
		go func() {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.Copy(c, c)
			c.Close()
		}()
		c, err := stacks[0].Dial("tcp", address)
		require.NoError(t, err)
		text := make([]byte, 1<<20)
		for i := range text {
			text[i] = byte(i * i >> 8)
		}
		go func() {
			c.Write(text)
			c.(interface{ CloseWrite() error }).CloseWrite()
		}()
		back, err := io.ReadAll(c)
		require.NoError(t, err)
		require.Equal(t, text, back)
		require.NoError(t, c.Close())
		require.NoError(t, l.Close())
	}
	for i, d := range devices {
		peers := d.Peers()
		require.Len(t, peers, 1)
		require.Equal(t, devices[1-i].PublicKey(), peers[0].PublicKey)
		require.Equal(t, loopback(devices[1-i]), peers[0].At.String())
		require.False(t, peers[0].LastHandshake.IsZero())
		require.Greater(t, peers[0].Received, uint64(2<<20))
		require.Greater(t, peers[0].Sent, uint64(2<<20))
		require.Len(t, peers[0].AllowedIPs, 2)
	}
}
