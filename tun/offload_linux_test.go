package tun

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/buffer"
)

// A batch of datagrams that the kernel sends leaves as one packet.
func TestOffloadReceivesDatagrams(t *testing.T) {
	inNetNS(t, func() {
		d := opener(OpenOffload).configured(t, "wss0", Config{Addresses: prefixes("10.9.0.2/24"), NoAddrGen: true})
		defer d.Close()
		require.True(t, d.Offload().Checksum && d.Offload().TSO4 && d.Offload().TSO6)
		if !d.Offload().USO {
			t.Skip("this kernel has no USO")
		}
		var got []Packet
		var sizes sink
		require.NoError(t, d.Start(func(p []Packet) {
			sizes.mu.Lock()
			defer sizes.mu.Unlock()
			got = append(got, p...)
		}))
		conn, err := net.Dial("udp", "10.9.0.1:7")
		require.NoError(t, err)
		defer conn.Close()
		raw, err := conn.(*net.UDPConn).SyscallConn()
		require.NoError(t, err)
		require.NoError(t, raw.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_SEGMENT, 1000)
		}))
		require.NoError(t, err)
		payload := bytes.Repeat([]byte("0123456789"), 350)
		_, err = conn.Write(payload)
		require.NoError(t, err)
		soon(t, func() bool {
			sizes.mu.Lock()
			defer sizes.mu.Unlock()
			return len(got) > 0
		}, "it arrives")
		p := got[0]
		require.Equal(t, GSO{Type: GSOUDP, NeedsCsum: true, CsumStart: 20, CsumOffset: 6, MSS: 1000, HdrLen: 28}, p.GSO)
		require.EqualValues(t, 28+len(payload), p.Data.Size())
		n := 0
		Segments(&p, func(q Packet) {
			n++
			q.Data.Release()
		})
		require.Equal(t, 4, n)
		release(got)
	})
}

// What the device takes, the kernel segments and receives: datagrams here,
// segments in package integration. Packets in many pieces are whole.
func TestOffloadSends(t *testing.T) {
	inNetNS(t, func() {
		d := opener(OpenOffload).configured(t, "wss0", Config{Addresses: prefixes("10.9.0.2/24"), NoAddrGen: true})
		defer d.Close()
		require.NoError(t, d.Start(release))
		conn, err := net.ListenPacket("udp4", "10.9.0.2:2")
		require.NoError(t, err)
		defer conn.Close()
		buf := make([]byte, 1<<16)
		for _, pieces := range []int{1, 2, maxSlices, maxSlices + 1, 1000, 3000} {
			p := bulky{udp: true, payload: 4000}.packet()
			whole := p.Data.Flatten()
			p.Data.Release()
			p.Data = buffer.Buffer{}
			for i := range pieces {
				from, to := i*len(whole)/pieces, (i+1)*len(whole)/pieces
				v := buffer.NewViewWithData(whole[from:to])
				require.NoError(t, p.Data.Append(v))
			}
			send(t, d, p)
			require.NoError(t, conn.SetReadDeadline(soonest()))
			n, _, err := conn.ReadFrom(buf)
			require.NoError(t, err, "%d pieces", pieces)
			require.Equal(t, whole[28:], buf[:n])
		}
		if d.Offload().USO {
			send(t, d, bulky{udp: true, payload: 2500, mss: 1000}.packet())
			for _, want := range []int{1000, 1000, 500} {
				require.NoError(t, conn.SetReadDeadline(soonest()))
				n, _, err := conn.ReadFrom(buf)
				require.NoError(t, err)
				require.Equal(t, want, n)
			}
		}
		require.Zero(t, d.Drops())
	})
}

// Kernels that lack something: a fallback where there is one, and words for it.
func TestOffloadOldKernels(t *testing.T) {
	old := kernelDriver
	old.features = func(int) (int, error) { return unix.IFF_TUN | unix.IFF_NO_PI, nil }
	older := kernelDriver
	older.features = func(int) (int, error) { return 0, os.NewSyscallError("TUNGETFEATURES", unix.EINVAL) }
	noTSO := kernelDriver
	noTSO.setOffload = func(_, offload int) error { return unix.EINVAL }
	noUSO := kernelDriver
	noUSO.setOffload = func(fd, offload int) error {
		if offload&offloadUDP != 0 {
			return unix.EINVAL
		}
		return kernelDriver.setOffload(fd, offload)
	}
	inNetNS(t, func() {
		warm, err := OpenOffload("wss0") // the poller's own descriptors
		require.NoError(t, err)
		require.NoError(t, warm.Close())
		before := descriptors(t)
		for text, d := range map[string]driver{"IFF_VNET_HDR": old, "TUNGETFEATURES": older, "TUNSETOFFLOAD": noTSO} {
			_, _, err := d.open("wss0", 2)
			var openErr *OpenError
			require.ErrorAs(t, err, &openErr)
			require.ErrorIs(t, err, ErrNoOffload)
			require.ErrorIs(t, err, errors.ErrUnsupported)
			require.ErrorContains(t, err, text)
			require.Contains(t, openErr.Hint(), "OpenWater")
			require.Equal(t, before, descriptors(t))

			var log bytes.Buffer
			fallback, err := openBest("wss0", func(string) (Device, error) { return nil, openErr }, OpenWater, slog.New(slog.NewTextHandler(&log, nil)))
			require.NoError(t, err, "the name is free")
			require.Equal(t, Offload{}, fallback.Offload())
			require.Contains(t, log.String(), text)
			require.NoError(t, fallback.Close())
		}
		ports, name, err := noUSO.open("", 1)
		require.NoError(t, err)
		require.Equal(t, "tun0", name)
		require.Equal(t, Offload{Checksum: true, TSO4: true, TSO6: true}, ports[0].offload())
		require.NoError(t, ports[0].close())
	})
}

// Open takes the better one, and doesn't try the other when a name is taken.
func TestOpenPrefersOffload(t *testing.T) {
	inNetNS(t, func() {
		d, err := Open("wss0")
		require.NoError(t, err)
		defer d.Close()
		require.True(t, d.Offload().TSO4)
		_, err = Open("wss0")
		require.ErrorIs(t, err, ErrNameTaken)
		_, err = Open("not/a/name")
		require.ErrorIs(t, err, ErrName)
	})
}

func BenchmarkOffloadSend(b *testing.B) {
	inNetNS(b, func() {
		d := opener(OpenOffload).configured(b, "wss0", Config{Addresses: prefixes("10.9.0.2/24")})
		defer d.Close()
		for name, c := range map[string]bulky{"1 segment": {payload: 1448}, "64 KiB": {payload: 65000, mss: 1448}} {
			p := c.packet()
			b.Run(name, func(b *testing.B) {
				batch := []Packet{p}
				b.SetBytes(p.Data.Size())
				b.ReportAllocs()
				for b.Loop() {
					if err := d.Send(batch); err != nil {
						b.Error(err)
						return
					}
				}
			})
			p.Data.Release()
		}
	})
}
