package tun

import (
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// An opener is one of the ways to a TUN.
type opener func(name string) (Device, error)

// openQueues makes a TUN with four queues, on whatever machine.
func openQueues(name string) (Device, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8))
	return OpenOffload(name)
}

// eachOpener runs a test in a namespace with each of them.
func eachOpener(t *testing.T, body func(t *testing.T, open opener)) {
	for name, open := range map[string]opener{"water": OpenWater, "offload": OpenOffload, "queues": openQueues} {
		t.Run(name, func(t *testing.T) {
			inNetNS(t, func() { body(t, open) })
		})
	}
}

// configured makes and configures an interface.
func (open opener) configured(t testing.TB, name string, c Config) *osDevice {
	t.Helper()
	d, err := open(name)
	require.NoError(t, err)
	require.NoError(t, Configure(name, c))
	require.Equal(t, name, d.(Named).Name())
	return d.(*osDevice)
}

// descriptors counts the open files of the process.
func descriptors(t testing.TB) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(list)
}

// echoRequest is an ICMP or ICMPv6 echo request of 8 + 8 bytes.
func echoRequest(src, dst string) []byte {
	from, to := tcpip.AddrFromSlice(netip.MustParseAddr(src).AsSlice()), tcpip.AddrFromSlice(netip.MustParseAddr(dst).AsSlice())
	if from.Len() == 4 {
		b := make([]byte, header.IPv4MinimumSize+16)
		ip := header.IPv4(b)
		ip.Encode(&header.IPv4Fields{TotalLength: uint16(len(b)), TTL: 64, Protocol: uint8(header.ICMPv4ProtocolNumber), SrcAddr: from, DstAddr: to})
		ip.SetChecksum(^ip.CalculateChecksum())
		icmp := header.ICMPv4(ip.Payload())
		icmp.SetType(header.ICMPv4Echo)
		icmp.SetChecksum(header.ICMPv4Checksum(icmp, 0))
		return b
	}
	b := make([]byte, header.IPv6MinimumSize+16)
	ip := header.IPv6(b)
	ip.Encode(&header.IPv6Fields{PayloadLength: 16, TransportProtocol: header.ICMPv6ProtocolNumber, HopLimit: 64, SrcAddr: from, DstAddr: to})
	icmp := header.ICMPv6(ip.Payload())
	icmp.SetType(header.ICMPv6EchoRequest)
	icmp.SetChecksum(header.ICMPv6Checksum(header.ICMPv6ChecksumParams{Header: icmp, Src: from, Dst: to}))
	return b
}

func sendBytes(t testing.TB, d Device, data []byte) {
	t.Helper()
	send(t, d, Packet{Data: buffer.MakeWithData(data)})
}

// has reports whether a packet that matches arrived.
func (s *sink) has(match func(packet []byte) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, packet := range s.data {
		if match(packet) {
			return true
		}
	}
	return false
}

func TestTUNCarriesPackets(t *testing.T) {
	eachOpener(t, func(t *testing.T, open opener) {
		d := open.configured(t, "wss0", Config{
			Addresses: prefixes("10.9.0.2/24", "fd99::2/64"),
			MTU:       1400,
			NoAddrGen: true,
		})
		var got sink
		require.NoError(t, d.Start(got.receive))
		require.ErrorIs(t, d.Start(got.receive), ErrStarted)
		// Out of the device: the kernel answers.
		sendBytes(t, d, echoRequest("10.9.0.1", "10.9.0.2"))
		sendBytes(t, d, echoRequest("fd99::1", "fd99::2"))
		soon(t, func() bool {
			return got.has(func(p []byte) bool {
				return header.IPVersion(p) == 4 && header.ICMPv4(header.IPv4(p).Payload()).Type() == header.ICMPv4EchoReply
			})
		}, "IPv4 echo reply")
		soon(t, func() bool {
			return got.has(func(p []byte) bool {
				return header.IPVersion(p) == 6 && header.ICMPv6(header.IPv6(p).Payload()).Type() == header.ICMPv6EchoReply
			})
		}, "IPv6 echo reply")

		// Into the device: a socket of the kernel.
		for _, to := range []string{"10.9.0.1:7", "[fd99::1]:7"} {
			conn, err := net.Dial("udp", to)
			require.NoError(t, err)
			_, err = conn.Write([]byte("hello " + to))
			require.NoError(t, err)
			require.NoError(t, conn.Close())
			soon(t, func() bool {
				return got.has(func(p []byte) bool { return string(p[max(0, len(p)-len(to)-6):]) == "hello "+to })
			}, "UDP datagram from the kernel")
		}
		require.Zero(t, d.Drops())
		require.NoError(t, d.Close())
	})
}

// A burst arrives whole, in order, each packet in memory of its own.
func TestTUNBurst(t *testing.T) {
	eachOpener(t, func(t *testing.T, open opener) {
		d := open.configured(t, "wss0", Config{Addresses: prefixes("10.9.0.2/24"), NoAddrGen: true})
		conn, err := net.Dial("udp", "10.9.0.1:7")
		require.NoError(t, err)
		const burst = 3 * batchSize // below the 500 that the interface queues
		for i := range burst {
			_, err = conn.Write([]byte{byte(i)})
			require.NoError(t, err)
		}
		require.NoError(t, conn.Close())
		var got sink
		require.NoError(t, d.Start(got.receive))
		soon(t, func() bool { return got.len() >= burst }, "all arrive")
		require.NoError(t, d.Close())
		n := 0
		for _, p := range got.data {
			if header.IPVersion(p) == 4 && header.IPv4(p).Protocol() == uint8(header.UDPProtocolNumber) {
				require.Equal(t, byte(n), p[28])
				n++
			}
		}
		require.Equal(t, burst, n)
	})
}

func TestOpenTakenName(t *testing.T) {
	eachOpener(t, func(t *testing.T, open opener) {
		d, err := open("wss%d")
		require.NoError(t, err)
		require.Equal(t, "wss0", d.(Named).Name())
		// A persistent interface that nobody has open: water alone would attach.
		la := netlink.NewLinkAttrs()
		la.Name = "wss1"
		require.NoError(t, netlink.LinkAdd(&netlink.Tuntap{LinkAttrs: la, Mode: netlink.TUNTAP_MODE_TUN}))

		before := descriptors(t)
		for _, name := range []string{"wss0", "wss1", "lo"} {
			taken, err := OpenWater(name)
			require.Nil(t, taken)
			var openErr *OpenError
			require.ErrorAs(t, err, &openErr)
			require.ErrorIs(t, err, ErrNameTaken)
			require.ErrorIs(t, err, fs.ErrExist)
			require.Contains(t, openErr.Hint(), name)
		}
		require.Equal(t, before, descriptors(t), "a failed open keeps no descriptor")
		require.NoError(t, d.Close())

		d, err = open("wss0")
		require.NoError(t, err, "the name is free again")
		require.NoError(t, d.Close())
	})
}

func TestOpenWithoutCapability(t *testing.T) {
	eachOpener(t, func(t *testing.T, open opener) {
		hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var caps [2]unix.CapUserData
		require.NoError(t, unix.Capget(&hdr, &caps[0]))
		caps[0].Effective &^= 1 << unix.CAP_NET_ADMIN // of this thread, which is discarded
		require.NoError(t, unix.Capset(&hdr, &caps[0]))
		before := descriptors(t)
		_, err := open("wss0")
		var openErr *OpenError
		require.ErrorAs(t, err, &openErr)
		require.ErrorIs(t, err, unix.EPERM)
		require.Contains(t, openErr.Hint(), "CAP_NET_ADMIN")
		require.Equal(t, before, descriptors(t))
	})
}

func TestOpenWithoutNode(t *testing.T) {
	eachOpener(t, func(t *testing.T, open opener) {
		if err := errors.Join(
			unix.Unshare(unix.CLONE_NEWNS),
			unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
			unix.Mount("none", "/dev/net", "tmpfs", 0, ""),
		); err != nil {
			t.Skipf("the node can't be hidden: %v", err)
		}
		_, err := open("wss0")
		var openErr *OpenError
		require.ErrorAs(t, err, &openErr)
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.Equal(t, "/dev/net/tun", openErr.Path)
		require.Contains(t, openErr.Hint(), "modprobe tun")
	})
}

func TestTUNClose(t *testing.T) {
	eachOpener(t, func(t *testing.T, open opener) {
		warm := open.configured(t, "wss0", Config{}) // the poller's own descriptors
		require.NoError(t, warm.Close())
		before := descriptors(t)
		d := open.configured(t, "wss0", Config{NoAddrGen: true, Addresses: prefixes("10.9.0.2/24")})
		require.NoError(t, d.queues[0].file.SetReadDeadline(time.Time{}))
		inherited := -1
		require.NoError(t, d.queues[0].raw.Control(func(fd uintptr) {
			inherited, _ = unix.FcntlInt(fd, unix.F_GETFD, 0)
		}))
		require.Equal(t, unix.FD_CLOEXEC, inherited, "children don't keep the interface")
		running := make(chan struct{})
		require.NoError(t, d.Start(release))
		var wg sync.WaitGroup
		wg.Go(func() {
			p := Packet{Data: buffer.MakeWithData(echoRequest("10.9.0.1", "10.9.0.2"))}
			defer p.Data.Release()
			for i := 0; ; i++ {
				if i == 100 {
					close(running)
				}
				if err := d.Send([]Packet{p}); err != nil {
					if !errors.Is(err, ErrClosed) {
						t.Errorf("Send beside Close = %v, want %v", err, ErrClosed)
					}
					return
				}
			}
		})
		<-running
		for range 3 {
			wg.Go(func() {
				if err := d.Close(); err != nil {
					t.Errorf("Close = %v", err)
				}
			})
		}
		wg.Wait()
		require.NoError(t, d.Close())
		require.Equal(t, before, descriptors(t))
		_, err := netlink.LinkByName("wss0")
		require.Error(t, err, "the interface is gone")
		require.ErrorIs(t, d.Start(func([]Packet) {}), ErrClosed)
		require.ErrorIs(t, d.Send(nil), ErrClosed)
		require.Equal(t, 1500, d.MTU(), "the last known")
	})
}

func TestTUNCloseJoinsReader(t *testing.T) {
	eachOpener(t, func(t *testing.T, open opener) {
		d := open.configured(t, "wss0", Config{Addresses: prefixes("10.9.0.2/24")})
		requireCloseWaits(t, d, func() { sendBytes(t, d, echoRequest("10.9.0.1", "10.9.0.2")) })
	})
}

func TestTUNOpenCloseLeaksNothing(t *testing.T) {
	eachOpener(t, func(t *testing.T, open opener) {
		warm := open.configured(t, "wss0", Config{})
		require.NoError(t, warm.Close())
		fds, goroutines := descriptors(t), runtime.NumGoroutine()
		for i := range 50 {
			d, err := open("wss0")
			require.NoError(t, err)
			if i%2 == 0 { // a reader that waits
				require.NoError(t, d.Start(func([]Packet) {}))
			}
			require.NoError(t, d.Close())
		}
		require.Equal(t, fds, descriptors(t))
		// One that was joined takes a moment to go, and soon has one itself.
		soon(t, func() bool { return runtime.NumGoroutine() <= goroutines+1 }, "the readers are gone")
	})
}

// A packet that the kernel refuses is dropped; an interface that is gone is an
// error.
func TestTUNSendErrors(t *testing.T) {
	eachOpener(t, func(t *testing.T, open opener) {
		d, err := open("wss0")
		require.NoError(t, err)
		defer d.Close()
		require.NoError(t, d.Start(release))
		sendBytes(t, d, echoRequest("10.9.0.1", "10.9.0.2"))
		require.Equal(t, uint64(1), d.(Dropper).Drops(), "the interface is down")
		require.NoError(t, Configure("wss0", Config{NoAddrGen: true}))
		offloaded := numbered(0, 20)
		offloaded.GSO.NeedsCsum = true
		send(t, d, Packet{}, numbered(0, 20), offloaded, Packet{Data: buffer.MakeWithData(make([]byte, 65536))})
		require.Equal(t, uint64(5), d.(Dropper).Drops(), "no IP packets")
		sendBytes(t, d, echoRequest("10.9.0.1", "10.9.0.2"))
		require.Equal(t, uint64(5), d.(Dropper).Drops())

		link, err := netlink.LinkByName("wss0")
		require.NoError(t, err)
		require.NoError(t, netlink.LinkDel(link))
		p := Packet{Data: buffer.MakeWithData(echoRequest("10.9.0.1", "10.9.0.2"))}
		defer p.Data.Release()
		soon(t, func() bool { return d.Send([]Packet{p}) != nil }, "Send fails")
		require.ErrorContains(t, d.Send([]Packet{p}), "wss0")
		soon(t, func() bool { return d.(*osDevice).failed.Load() != nil }, "the reader ends by itself")
		require.NoError(t, d.Close())
	})
}

func BenchmarkWaterSend(b *testing.B) {
	inNetNS(b, func() {
		d := opener(OpenWater).configured(b, "wss0", Config{Addresses: prefixes("10.9.0.2/24")})
		defer d.Close()
		batch := []Packet{{Data: buffer.MakeWithData(echoRequest("10.9.0.1", "10.9.0.3"))}}
		defer release(batch)
		b.ReportAllocs()
		for b.Loop() {
			if err := d.Send(batch); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
