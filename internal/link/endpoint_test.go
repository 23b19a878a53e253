package link

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/wsstack/wsstack/tun"
)

// protocolNumber is that of the address's family.
func protocolNumber(addr tcpip.FullAddress) tcpip.NetworkProtocolNumber {
	if addr.Addr.Len() == 4 {
		return header.IPv4ProtocolNumber
	}
	return header.IPv6ProtocolNumber
}

// echoTCP sends size bytes from one stack to an echo server on another, and
// checks what comes back.
func echoTCP(t *testing.T, client, server *host, addr tcpip.FullAddress, size int) {
	t.Helper()
	ln, err := gonet.ListenTCP(server.Stack, addr, protocolNumber(addr))
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() {
		conn, err := ln.Accept()
		if err == nil {
			_, err = io.Copy(conn, conn)
			_ = conn.Close()
		}
		served <- err
	}()
	conn, err := gonet.DialTCP(client.Stack, addr, protocolNumber(addr))
	require.NoError(t, err)
	require.NoError(t, conn.SetDeadline(time.Now().Add(2*time.Minute)))
	data := bytes.Repeat([]byte("0123456789abcde\n"), size/16)
	go func() {
		_, _ = conn.Write(data)
		_ = conn.CloseWrite()
	}()
	got, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, got), "echo differs")
	require.NoError(t, conn.Close())
	require.NoError(t, <-served)
	require.NoError(t, ln.Close())
}

// echoUDP sends datagrams, fragmented where they exceed the MTU.
func echoUDP(t *testing.T, client, server *host, addr tcpip.FullAddress) {
	t.Helper()
	pc, err := gonet.DialUDP(server.Stack, &addr, nil, protocolNumber(addr))
	require.NoError(t, err)
	defer pc.Close()
	served := make(chan struct{})
	go func() {
		defer close(served)
		buf := make([]byte, 65536)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = pc.WriteTo(buf[:n], from)
		}
	}()
	conn, err := gonet.DialUDP(client.Stack, nil, &addr, protocolNumber(addr))
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(2*time.Minute)))
	for _, size := range []int{1, 1000, 8000} {
		data := bytes.Repeat([]byte{byte(size)}, size)
		_, err = conn.Write(data)
		require.NoError(t, err)
		got := make([]byte, 65536)
		n, err := conn.Read(got)
		require.NoError(t, err)
		require.Equal(t, data, got[:n])
	}
	require.NoError(t, pc.Close())
	<-served
}

func TestEchoOverPipe(t *testing.T) {
	for _, addr := range []string{"10.0.0.2", "fd00::2"} {
		for _, mtu := range []int{1280, 1500, 65535} {
			t.Run(fmt.Sprintf("%s at MTU %d", addr, mtu), func(t *testing.T) {
				a, b := newPair(t, mtu)
				echoTCP(t, a, b, full(addr, 7), 1<<20)
				echoUDP(t, a, b, full(addr, 7))
				require.Zero(t, a.link.Dropped()+b.link.Dropped())
				require.NoError(t, a.link.Err())
			})
		}
	}
}

func TestEchoOverLoopback(t *testing.T) {
	for _, addr := range []string{"127.0.0.1", "::1"} {
		t.Run(addr, func(t *testing.T) {
			h := newHost(t, nil, "127.0.0.1/8", "::1/128")
			echoTCP(t, h, h, full(addr, 7), 4<<20)
			echoUDP(t, h, h, full(addr, 7))
			require.Zero(t, h.link.Dropped())
		})
	}
}

// An ICMP error that answers a connect comes while the connecting endpoint is
// locked: the deadlock that queueing avoids.
func TestUnreachablePort(t *testing.T) {
	a, _ := newPair(t, 1500)
	_, err := gonet.DialTCP(a.Stack, full("10.0.0.2", 9), header.IPv4ProtocolNumber)
	var opErr *net.OpError
	require.ErrorAs(t, err, &opErr)

	h := newHost(t, nil, "127.0.0.1/8")
	conn, err := gonet.DialUDP(h.Stack, nil, new(full("127.0.0.1", 9)), header.IPv4ProtocolNumber)
	require.NoError(t, err)
	defer conn.Close()
	soon(t, func() bool { // one write causes the ICMP error, a later one reports it
		_, err = conn.Write([]byte("x"))
		return err != nil
	}, "the error comes back")
	require.ErrorContains(t, err, "refused")
}

// fakeDevice records what is sent and claims an offload.
type fakeDevice struct {
	offload tun.Offload
	sent    []tun.Packet
	err     error
	receive func([]tun.Packet)
}

func (d *fakeDevice) MTU() int             { return 1500 }
func (d *fakeDevice) Offload() tun.Offload { return d.offload }
func (d *fakeDevice) Close() error         { return nil }

func (d *fakeDevice) Start(receive func([]tun.Packet)) error {
	d.receive = receive
	return nil
}

func (d *fakeDevice) Send(packets []tun.Packet) error {
	for i := range packets {
		d.sent = append(d.sent, tun.Packet{Data: packets[i].Data.Clone(), GSO: packets[i].GSO})
	}
	return d.err
}

func TestCapabilities(t *testing.T) {
	all := tun.Offload{Checksum: true, TSO4: true, TSO6: true, USO: true}
	for _, c := range []struct {
		name    string
		offload tun.Offload
		gso     stack.SupportedGSO
		max     uint32
	}{
		{"plain", tun.Offload{}, stack.GSONotSupported, 0},
		{"checksum only", tun.Offload{Checksum: true}, stack.GSONotSupported, 0},
		{"one family", tun.Offload{Checksum: true, TSO4: true}, stack.GSONotSupported, 0},
		{"no checksum", tun.Offload{TSO4: true, TSO6: true}, stack.GSONotSupported, 0},
		{"all", all, stack.HostGSOSupported, 65536},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := New(&fakeDevice{offload: c.offload}, Options{})
			require.Equal(t, stack.CapabilityNone, e.Capabilities())
			require.Equal(t, c.gso, e.SupportedGSO())
			require.Equal(t, c.max, e.GSOMaxSize())
			require.Equal(t, uint32(1500), e.MTU())
			require.Equal(t, header.ARPHardwareNone, e.ARPHardwareType())
		})
	}
	e := New(&fakeDevice{}, Options{Loopback: true})
	require.Equal(t, stack.CapabilityLoopback, e.Capabilities())
	e = NewLoopback(0, Options{})
	require.Equal(t, stack.CapabilityLoopback|stack.CapabilityRXChecksumOffload, e.Capabilities())
	require.Equal(t, uint32(LoopbackMTU), e.MTU())
	require.Equal(t, header.ARPHardwareLoopback, e.ARPHardwareType())
	e.SetMTU(1400)
	require.Equal(t, uint32(1400), e.MTU())
	e.SetLinkAddress("abcdef")
	require.Equal(t, tcpip.LinkAddress("abcdef"), e.LinkAddress())
}
