package capture

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/buffer"

	"github.com/wsstack/wsstack/internal/record"
	"github.com/wsstack/wsstack/tun"
)

// datagram is a UDP datagram over IPv4 from 10.0.0.x to 10.0.0.y.
func datagram(x, y, ttl byte, id uint16) []byte {
	b := []byte{0x45, 0, 0, 30, byte(id >> 8), byte(id), 0, 0, ttl, 17, 0, 0, 10, 0, 0, x, 10, 0, 0, y, 0, 7, 0, 53, 0, 10, 0, 0, 'h', 'i'}
	return b
}

var start = time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)

// A file of this project names the sender of each packet; the receiver is found out.
func TestRead_Ours(t *testing.T) {
	var file bytes.Buffer
	f := tun.NewCaptureFile(&file, nil)
	nodes := map[string]int{}
	for _, name := range []string{"a", "r", "b"} {
		n, err := f.Interface(name)
		require.NoError(t, err)
		nodes[name] = n
	}
	write := func(ms int, from, comment string, data []byte) {
		p := tun.Packet{Data: buffer.MakeWithData(data)}
		require.NoError(t, f.WriteAt(start.Add(time.Duration(ms)*time.Millisecond), nodes[from], tun.Out, &p, comment))
	}
	write(0, "a", "", datagram(1, 2, 64, 1))
	write(5, "r", "duplicated, reordered", datagram(1, 2, 63, 1))
	write(10, "b", "", datagram(2, 1, 64, 9))
	write(15, "r", "dropped: lost", datagram(2, 1, 63, 9))
	write(20, "a", "dropped: queue full", datagram(1, 2, 64, 2)) // no next hop saw it
	write(25, "a", "a remark", datagram(1, 99, 64, 3))
	require.NoError(t, f.Flush())

	got, err := Read(&file)
	require.NoError(t, err)
	require.NoError(t, got.Cut)
	require.Equal(t, start, got.Start)
	require.Equal(t, []string{"a", "r", "b"}, got.Nodes)
	type hop struct {
		ms       int
		from, to string
		fate     tun.Fate
		comment  string
	}
	var hops []hop
	for _, p := range got.Packets {
		require.Equal(t, 30, p.Size)
		require.Equal(t, record.Never, p.Arrived)
		hops = append(hops, hop{int(p.At.Milliseconds()), p.From, p.To, p.Fate, p.Comment})
	}
	require.Equal(t, []hop{
		{0, "a", "r", 0, ""},
		{5, "r", "b", tun.Duplicated | tun.Reordered, "duplicated, reordered"},
		{10, "b", "r", 0, ""},
		{15, "r", "a", tun.Lost, "dropped: lost"},
		{20, "a", "r", tun.QueueFull, "dropped: queue full"},
		{25, "a", "", 0, "a remark"},
	}, hops)
}

// In files of others, and of one interface in both directions, the nodes are the addresses.
func TestRead_Others(t *testing.T) {
	for application, directions := range map[string][]pcapgo.NgEpbFlag{
		"Dumpcap": {pcapgo.NgEpbFlagDirectionOutbound, pcapgo.NgEpbFlagDirectionOutbound},
		"wsstack": {pcapgo.NgEpbFlagDirectionOutbound, pcapgo.NgEpbFlagDirectionInbound},
	} {
		var file bytes.Buffer
		w, err := pcapgo.NewNgWriterInterface(&file, pcapgo.NgInterface{Name: "eth0", LinkType: layers.LinkTypeRaw},
			pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{Application: application}})
		require.NoError(t, err)
		for i, d := range directions {
			data := datagram(byte(1+i), byte(2-i), 64, 1)
			info := gopacket.CaptureInfo{Timestamp: start, CaptureLength: len(data), Length: len(data)}
			options := pcapgo.NgPacketOptions{Flags: &pcapgo.NgEpbFlags{Direction: d}}
			require.NoError(t, w.WritePacketWithOptions(info, data, options))
		}
		require.NoError(t, w.Flush())
		f, err := Read(&file)
		require.NoError(t, err)
		require.Equal(t, []string{"10.0.0.1", "10.0.0.2"}, f.Nodes, application)
	}
}

// frames are the same packet with the headers of links.
func frames() map[layers.LinkType][]byte {
	ip := datagram(1, 2, 64, 1)
	ethernet := append(bytes.Repeat([]byte{2}, 12), 8, 0)
	vlan := append(bytes.Repeat([]byte{2}, 12), 0x81, 0, 0, 5, 8, 0)
	sll := append(make([]byte, 14), 8, 0)
	sll[5] = 6 // the length of an address
	sll2 := append([]byte{8, 0}, make([]byte, 18)...)
	sll2[9], sll2[11] = 1, 6
	return map[layers.LinkType][]byte{
		layers.LinkTypeRaw: ip, layers.LinkTypeIPv4: ip,
		layers.LinkTypeEthernet:  append(append(ethernet, ip...), 0, 0, 0, 0), // padding
		layers.LinkTypeLinuxSLL:  append(sll, ip...),
		layers.LinkTypeLinuxSLL2: append(sll2, ip...),
		layers.LinkTypeNull:      append([]byte{2, 0, 0, 0}, ip...),
		1000:                     append(vlan, ip...),
	}
}

func TestRead_Links(t *testing.T) {
	for link, frame := range frames() {
		if link == 1000 {
			link = layers.LinkTypeEthernet
		}
		var file bytes.Buffer
		w := pcapgo.NewWriter(&file)
		require.NoError(t, w.WriteFileHeader(65535, link))
		info := gopacket.CaptureInfo{Timestamp: start, CaptureLength: len(frame), Length: len(frame)}
		require.NoError(t, w.WritePacket(info, frame))
		if link == layers.LinkTypeEthernet {
			arp := append(bytes.Repeat([]byte{2}, 12), 8, 6, 0, 1, 8, 0, 6, 4)
			info.CaptureLength, info.Length = len(arp), len(arp)
			require.NoError(t, w.WritePacket(info, arp))
		}
		f, err := Read(&file)
		require.NoError(t, err)
		require.NoError(t, f.Cut, link)
		require.Len(t, f.Packets, 1, link)
		require.Equal(t, datagram(1, 2, 64, 1), f.Packets[0].Data[:30], link)
		require.Equal(t, "10.0.0.1", f.Packets[0].From)
		require.Equal(t, "10.0.0.2", f.Packets[0].To)
		if link == layers.LinkTypeEthernet {
			require.Equal(t, 1, f.NotIP)
		}
	}
}

// Both orders of bytes, and both resolutions of time.
func TestRead_PcapVariants(t *testing.T) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		for magic, unit := range map[uint32]time.Duration{0xa1b2c3d4: time.Microsecond, 0xa1b23c4d: time.Nanosecond} {
			var b []byte
			for _, v := range []uint32{magic} {
				b = order.AppendUint32(b, v)
			}
			b = order.AppendUint16(order.AppendUint16(b, 2), 4)
			for _, v := range []uint32{0, 0, 65535, 101} {
				b = order.AppendUint32(b, v)
			}
			for i := range uint32(2) {
				for _, v := range []uint32{100, i * 7, 30, 30} {
					b = order.AppendUint32(b, v)
				}
				b = append(b, datagram(1, 2, 64, uint16(i))...)
			}
			f, err := Read(bytes.NewReader(b))
			require.NoError(t, err)
			require.Len(t, f.Packets, 2)
			require.Equal(t, 7*unit, f.Packets[1].At)

			f, err = Read(bytes.NewReader(b[:len(b)-1]))
			require.NoError(t, err)
			require.Len(t, f.Packets, 1)
			require.Error(t, f.Cut, "the file is cut off")
		}
	}
}

func TestRead_NoCapture(t *testing.T) {
	for text, want := range map[string]error{
		"": ErrNoCapture, "abc": ErrNoCapture, "#!/bin/sh\n": ErrNoCapture,
		"\x1f\x8b\x08\x00": ErrCompressed, "\x28\xb5\x2f\xfd": ErrCompressed,
	} {
		_, err := Read(strings.NewReader(text))
		require.ErrorIs(t, err, want, "%q", text)
	}
	_, err := Read(strings.NewReader("\x0a\x0d\x0d\x0a"))
	require.Error(t, err)
	_, err = Read(io.MultiReader(strings.NewReader("\xa1\xb2\xc3\xd4")))
	require.Error(t, err)
}

// The bound on packets.
func TestRead_Bounded(t *testing.T) {
	f := &File{Recording: &record.Recording{}}
	f.captured = make([]captured, MaxPackets)
	f.add(datagram(1, 2, 64, 1), gopacket.CaptureInfo{}, frameInfo{link: layers.LinkTypeRaw})
	require.EqualValues(t, 1, f.Left.Packets)
}

// FuzzRead reads any bytes as a file.
func FuzzRead(f *testing.F) {
	for link, frame := range frames() {
		var file bytes.Buffer
		w := pcapgo.NewWriter(&file)
		w.WriteFileHeader(65535, link)
		w.WritePacket(gopacket.CaptureInfo{Timestamp: start, CaptureLength: len(frame), Length: len(frame)}, frame)
		f.Add(file.Bytes())
	}
	var file bytes.Buffer
	ours := tun.NewCaptureFile(&file, nil)
	n, _ := ours.Interface("a")
	p := tun.Packet{Data: buffer.MakeWithData(datagram(1, 2, 3, 4))}
	ours.WriteAt(start, n, tun.Out, &p, "dropped: lost")
	ours.Flush()
	f.Add(file.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		last := time.Duration(-1)
		for _, p := range got.Packets {
			require.LessOrEqual(t, last, p.At)
			require.LessOrEqual(t, len(p.Data), snapLength)
			require.GreaterOrEqual(t, p.Size, 0)
			last = p.At
		}
	})
}
