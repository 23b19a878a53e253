//go:build linux

package integration

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// A capture keeps every packet that crosses an interface.
type capture struct {
	file *os.File

	mu      sync.Mutex
	packets []captured
}

// captured is one packet, IP header first.
type captured struct {
	at        time.Time // when it was read, a moment later
	fromStack bool
	data      []byte
}

// newCapture starts a capture of an interface, which may be down still.
func newCapture(t testing.TB, name string) *capture {
	t.Helper()
	ifi, err := net.InterfaceByName(name)
	require.NoError(t, err)
	const all = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8 // network byte order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20) != nil { // in a user namespace
		require.NoError(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 64<<20)) // up to rmem_max
	}
	require.NoError(t, unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: ifi.Index}))
	c := &capture{file: os.NewFile(uintptr(fd), "capture of "+name)}
	raw, err := c.file.SyscallConn()
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() { // ends when the file is closed
		for raw.Read(c.read) == nil {
		}
	})
	t.Cleanup(func() {
		c.file.Close()
		wg.Wait()
	})
	return c
}

// read takes what there is; false makes the poller wait.
func (c *capture) read(fd uintptr) bool {
	buf := make([]byte, 1<<16)
	for {
		n, from, err := unix.Recvfrom(int(fd), buf, 0)
		if errors.Is(err, unix.EINTR) || errors.Is(err, unix.ENETDOWN) {
			continue // the interface was or went down
		}
		if err != nil {
			return !errors.Is(err, unix.EAGAIN)
		}
		link, ok := from.(*unix.SockaddrLinklayer)
		if !ok {
			continue
		}
		c.mu.Lock()
		c.packets = append(c.packets, captured{time.Now(), link.Pkttype != unix.PACKET_OUTGOING, append([]byte(nil), buf[:n]...)})
		c.mu.Unlock()
	}
}

// all returns the packets so far.
func (c *capture) all() []captured {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]captured(nil), c.packets...)
}

// fromStack returns what the stack has sent so far.
func (c *capture) fromStack() (list []captured) {
	for _, p := range c.all() {
		if p.fromStack {
			list = append(list, p)
		}
	}
	return list
}

// ttl is the TTL or hop limit.
func (p captured) ttl() uint8 {
	if p.v6() {
		return header.IPv6(p.data).HopLimit()
	}
	return header.IPv4(p.data).TTL()
}

func (p captured) v6() bool { return header.IPVersion(p.data) == header.IPv6Version }

// source is the sender's address.
func (p captured) source() netip.Addr {
	at, size := 12, 4
	if p.v6() {
		at, size = 8, 16
	}
	a, _ := netip.AddrFromSlice(p.data[at : at+size])
	return a
}

// tcp is the TCP segment in the packet, or false.
func (p captured) tcp() (header.TCP, bool) {
	var payload []byte
	if p.v6() {
		ip := header.IPv6(p.data)
		if next, ok := ip.TryParseTransportProtocol(); !ok || next != header.TCPProtocolNumber {
			return nil, false
		}
		payload = ip.Payload()
	} else {
		ip := header.IPv4(p.data)
		if ip.TransportProtocol() != header.TCPProtocolNumber {
			return nil, false
		}
		payload = ip.Payload()
	}
	return header.TCP(payload), len(payload) >= header.TCPMinimumSize
}
