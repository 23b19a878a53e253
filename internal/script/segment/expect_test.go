package segment_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/internal/script/segment"
	"github.com/wsstack/wsstack/internal/trace"
)

const (
	fin = trace.FIN
	syn = trace.SYN
	rst = trace.RST
	psh = trace.PSH
	ack = trace.ACK
	urg = trace.URG
	ece = trace.ECE
	cwr = trace.CWR
)

// Each field that the script says is compared, and each one that it doesn't say isn't.
func TestOffer_Fields(t *testing.T) {
	plain := seg{flags: ack, seq: 70001, ack: 1001, window: 500}
	with := func(change func(*seg)) seg {
		s := plain
		change(&s)
		return s
	}
	data := with(func(s *seg) { s.payload = []byte("abcde") })
	for _, tt := range []struct {
		script string
		is     seg
		want   string // "": fits
	}{
		{"> . 1:1(0) ack 1", plain, ""},
		{"> . 1:1(0) ack 1 win 500", plain, ""},
		{"> . 1:1(0) ack 1 win 501", plain, "win: expected 501, actual 500"},
		{"> . 1:1(0) ack 2", plain, "ack: expected 2, actual 1"},
		{"> . 1:1(0)", plain, ""}, // no number is said
		{"> . 2:2(0) ack 1", plain, "seq: expected 2:2(0), actual 1:1(0)"},
		{"> . ack 1", data, ""}, // no range is said
		{"> . 1:1(0) ack 1", data, "seq: expected 1:1(0), actual 1:6(5)"},
		{"> . 1:4(3) ack 1", data, "seq: expected 1:4(3), actual 1:6(5)"},
		{"> . 1:6(5) ack 1", data, ""},
		{`> . 1:6(5) ack 1 "abcde"`, data, ""},
		{`> . 1:6(5) ack 1 "abcdf"`, data, `payload: expected "abcdf", actual "abcde"`},
		{"> P. 1:6(5) ack 1", data, "flags: expected P., actual ."},
		{"> F. 1:1(0) ack 1", with(func(s *seg) { s.flags = rst | ack }), "flags: expected F., actual R."},
		{"> F 1:1(0)", with(func(s *seg) { s.flags = 0 }), "flags: expected F, actual -"},
		{"> . 1:1(0) ack 1", with(func(s *seg) { s.flags = 0 }), "flags: expected ., actual -"},
		{"> EW. 1:1(0) ack 1", with(func(s *seg) { s.flags = ack | ece | cwr }), ""},
		{"> . 1:1(0) ack 1", with(func(s *seg) { s.flags = ack | ece }), "flags: expected ., actual E."},
		{"> A. 1:1(0) ack 1", with(func(s *seg) { s.reserved = 1 }), ""},
		{"> . 1:1(0) ack 1", with(func(s *seg) { s.reserved = 1 }), "flags: expected ., actual A."},
		{"> . 1:1(0) ack 1", with(func(s *seg) { s.reserved = 4 }), "reserved bits: expected 0, actual 2"},
		{"> . 1:1(0) ack 1", with(func(s *seg) { s.reserved = 8 }), "reserved bits: expected 0, actual 4"},
		{"> U. 1:1(0) ack 1 urg 3", with(func(s *seg) { s.flags, s.urgent = ack|urg, 3 }), ""},
		{"> U. 1:1(0) ack 1", with(func(s *seg) { s.flags, s.urgent = ack|urg, 3 }), ""},
		{"> U. 1:1(0) ack 1 urg 4", with(func(s *seg) { s.flags, s.urgent = ack|urg, 3 }), "urg: expected 4, actual 3"},
		{
			"> P. 9:9(0) ack 8 win 7", plain,
			"flags: expected P., actual .; seq: expected 9:9(0), actual 1:1(0); ack: expected 8, actual 1; win: expected 7, actual 500",
		},
	} {
		s := established(t, hosts4)
		v, m := s.offer(tt.script, tt.is.encode(hosts4))
		if tt.want == "" {
			assert.Equal(t, segment.Done, v, tt.script)
			assert.Nil(t, m, tt.script)
			continue
		}
		require.Equal(t, segment.Wrong, v, tt.script)
		assert.EqualError(t, m, tt.want, tt.script)
	}
}

// What a script says of the IP header is compared in both families.
func TestOffer_IP(t *testing.T) {
	for _, tt := range []struct {
		script string
		class  uint8
		want   string
	}{
		{"> . 1:1(0) ack 1", 0xff, ""},
		{"> [noecn] . 1:1(0) ack 1", 0xfc, ""},
		{"> [noecn] . 1:1(0) ack 1", 2, "ecn: expected noecn, actual ect0"},
		{"> [ect0] . 1:1(0) ack 1", 2, ""},
		{"> [ect1] . 1:1(0) ack 1", 2, "ecn: expected ect1, actual ect0"},
		{"> [ce] . 1:1(0) ack 1", 3, ""},
		{"> [ect01] . 1:1(0) ack 1", 1, ""},
		{"> [ect01] . 1:1(0) ack 1", 2, ""},
		{"> [ect01] . 1:1(0) ack 1", 3, "ecn: expected ect01, actual ce"},
		{"> [ect01] . 1:1(0) ack 1", 0, "ecn: expected ect01, actual noecn"},
		{"> (tos 0x10) . 1:1(0) ack 1", 0x10, ""},
		{"> (tos 0x10) . 1:1(0) ack 1", 0x12, "tos: expected 0x10, actual 0x12"},
		{"> (ttl 7) . 1:1(0) ack 1", 0, ""},
		{"> (ttl 8) . 1:1(0) ack 1", 0, "ttl: expected 8, actual 7"},
	} {
		for _, c := range []segment.Config{hosts4, hosts6} {
			b := seg{flags: ack, seq: 70001, ack: 1001}.encode(c)
			header := inet.Header{Source: c.Local, Dest: c.Remote, Protocol: 6, TrafficClass: tt.class, TTL: 7}
			_, m := established(t, c).offer(tt.script, header.Encode(b[len(b)-20:]))
			if tt.want == "" {
				assert.Nil(t, m, tt.script)
			} else {
				assert.EqualError(t, m, tt.want, tt.script)
			}
		}
	}
}

// A flow label of a script says only whether it is the one before.
func TestOffer_FlowLabel(t *testing.T) {
	s := established(t, hosts6)
	for _, tt := range []struct {
		script string
		label  uint32
		want   string
	}{
		{"> (flowlabel 0x1) . 1:1(0) ack 1", 0x777, ""},
		{"> (flowlabel 0x1) . 1:1(0) ack 1", 0x777, ""},
		{"> . 1:1(0) ack 1", 0x778, ""},
		{"> (flowlabel 0x1) . 1:1(0) ack 1", 0x778, "flowlabel: expected 0x777, actual 0x778"},
		{"> (flowlabel 0x2) . 1:1(0) ack 1", 0x777, "flowlabel: expected another one than before, actual 0x777"},
		{"> (flowlabel 0x2) . 1:1(0) ack 1", 0, "flowlabel: expected one, actual 0x0"},
		{"> (flowlabel 0x2) . 1:1(0) ack 1", 0x778, ""},
	} {
		b := seg{flags: ack, seq: 70001, ack: 1001}.encode(hosts6)
		header := inet.Header{Source: hosts6.Local, Dest: hosts6.Remote, Protocol: 6, FlowLabel: tt.label}
		_, m := s.offer(tt.script, header.Encode(b[40:]))
		if tt.want == "" {
			assert.Nil(t, m, tt.script)
		} else {
			assert.EqualError(t, m, tt.want, tt.script)
		}
	}
}

// What isn't a whole packet with right checksums is never as expected.
func TestOffer_Damaged(t *testing.T) {
	whole := seg{flags: ack, seq: 70001, ack: 1001}.encode(hosts4)
	for _, tt := range []struct {
		change func(b []byte) []byte
		want   string
	}{
		{func(b []byte) []byte { b[10]++; return b }, "checksum: expected a right one, actual a wrong one"},
		{func(b []byte) []byte { b[36]++; return b }, "checksum: expected a right one, actual a wrong one"},
		{func(b []byte) []byte { b[6] = 0x20; return b }, "packet: expected a whole one, actual a fragment of length 0 at 0"},
		{func(b []byte) []byte { return b[:30] }, "packet: expected one that is well formed, actual short TCP header"},
	} {
		_, m := established(t, hosts4).offer("> . 1:1(0) ack 1", tt.change(append([]byte(nil), whole...)))
		assert.EqualError(t, m, tt.want)
	}
}

// Several packets in a row may be one segment of the script.
func TestOffer_Pieces(t *testing.T) {
	piece := func(from, to int, flags trace.Flags) []byte {
		payload := make([]byte, to-from)
		for i := range payload {
			payload[i] = 'a' + byte(from+i)%26
		}
		return seg{flags: flags, seq: 70000 + uint32(from), ack: 1001, window: 9, payload: payload}.encode(hosts4)
	}
	for _, tt := range []struct {
		script  string
		strict  bool
		packets [][]byte
		want    string
	}{
		{"> P. 1:11(10) ack 1 win 9", false, [][]byte{piece(1, 5, ack), piece(5, 9, ack), piece(9, 11, ack|psh)}, ""},
		{`> P. 1:11(10) ack 1 "bcdefghijk"`, false, [][]byte{piece(1, 5, ack), piece(5, 9, ack), piece(9, 11, ack|psh)}, ""},
		{
			`> P. 1:11(10) ack 1 "bcdefghiXX"`, false, [][]byte{piece(1, 5, ack), piece(5, 9, ack), piece(9, 11, ack|psh)},
			`payload: expected "XX", actual "jk"`,
		},
		{"> FP. 1:9(8) ack 1", false, [][]byte{piece(1, 5, ack|psh), piece(5, 9, ack|psh|fin)}, ""},
		{"> W. 1:9(8) ack 1", false, [][]byte{piece(1, 5, ack|cwr), piece(5, 9, ack)}, ""},
		{"> F. 1:9(8) ack 1", false, [][]byte{piece(1, 5, ack|fin)}, "flags: expected ., actual F."},
		{"> . 1:9(8) ack 1", false, [][]byte{piece(1, 5, ack), piece(5, 9, ack|psh)}, "flags: expected ., actual P."},
		{"> . 1:13(12) ack 1", false, [][]byte{piece(1, 5, ack), piece(5, 8, ack)}, "seq: expected 5:9(4), actual 5:8(3)"},
		{"> . 1:9(8) ack 1", false, [][]byte{piece(1, 5, ack), piece(6, 10, ack)}, "seq: expected 5:9(4), actual 6:10(4)"},
		{"> . 1:9(8) ack 1", false, [][]byte{piece(1, 5, ack), piece(5, 10, ack)}, "seq: expected 5:9(4), actual 5:10(5)"},
		{"> . 1:9(8) ack 1", false, [][]byte{piece(2, 5, ack)}, "seq: expected 1:4(3), actual 2:5(3)"},
		{"> . 1:9(8) ack 1", false, [][]byte{piece(1, 1, ack), piece(1, 9, ack)}, ""}, // a pure ACK in front (packetdrill)
		{"> . 1:9(8) ack 1", true, [][]byte{piece(1, 5, ack)}, "seq: expected 1:9(8), actual 1:5(4)"},
	} {
		c := hosts4
		c.StrictSegments = tt.strict
		v, m := established(t, c).offer(tt.script, tt.packets...)
		if tt.want == "" {
			assert.Equal(t, segment.Done, v, tt.script)
			assert.Nil(t, m, tt.script)
		} else {
			assert.EqualError(t, m, tt.want, tt.script)
		}
	}
	s := established(t, hosts4)
	e, err := s.Expect(packetOf(t, "> 8080 > 40000 . 1:9(8) ack 1"))
	require.NoError(t, err)
	assert.Empty(t, e.Rest())
	v, _ := e.Offer(piece(1, 5, ack))
	assert.Equal(t, segment.Partial, v)
	assert.Equal(t, "4 of 8 bytes came", e.Rest())
	v, _ = e.Offer(seg{flags: ack, seq: 70005, ack: 1001, payload: make([]byte, 4), remote: 5}.encode(hosts4))
	assert.Equal(t, segment.Foreign, v)
	v, _ = e.Offer(piece(5, 9, ack))
	assert.Equal(t, segment.Done, v)
}

// Options count with their values; how they are ordered and filled up does only with StrictOptions.
func TestOffer_Options(t *testing.T) {
	all := []byte{2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 8, 1, 3, 3, 7}
	for _, tt := range []struct {
		script, lax, strict string
		options             []byte
	}{
		{"<mss 1460,sackOK,TS val 1 ecr 8,nop,wscale 7>", "", "", all},
		{"<wscale 7,mss 1460,TS val 1 ecr 8,sackOK>", "", "options: expected <wscale 7,mss 1460,TS val 1 ecr 8,sackOK>, actual <mss 1460,sackOK,TS val 9 ecr 8,nop,wscale 7>", all},
		{"<...>", "", "", all},
		{"<mss 1400,sackOK,TS val 1 ecr 8,nop,wscale 7>", "mss: expected 1400, actual 1460", "mss: expected 1400, actual 1460", all},
		{"<mss 1460,sackOK,TS val 1 ecr 8>", "wscale: expected none, actual 7", "options: expected <mss 1460,sackOK,TS val 1 ecr 8>, actual <mss 1460,sackOK,TS val 9 ecr 8,nop,wscale 7>", all},
		{"<mss 1460>", "mss: expected 1460, actual none", "options: expected <mss 1460>, actual <>", nil},
		{"<nop,nop,sack 1:2 3:4>", "", "", []byte{1, 1, 5, 18, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4}},
		{
			"<nop,nop,sack 3:4 1:2>", "sack: expected 3:4 1:2, actual 1:2 3:4", "sack: expected 3:4 1:2, actual 1:2 3:4",
			[]byte{1, 1, 5, 18, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4},
		},
		{"<mss 1460,sackOK,nop,nop>", "sackOK: expected set, actual none", "options: expected <mss 1460,sackOK,nop,nop>, actual <mss 1460>", []byte{2, 4, 5, 180}},
		{"<FO a1b2,FOEXP c3d4>", "", "", []byte{34, 4, 0xa1, 0xb2, 254, 6, 0xf9, 0x89, 0xc3, 0xd4, 1, 1}},
		{"<unknown 30 0102>", "", "", []byte{30, 4, 1, 2}},
		{"<unknown 30 0102>", "unknown: expected 30 0102, actual 30 0103", "unknown: expected 30 0102, actual 30 0103", []byte{30, 4, 1, 3}},
		{
			"<unknown 31 0102>", "unknown: expected 31 0102, actual none; unknown: expected none, actual 30 0102",
			"options: expected <unknown 31 0102>, actual <unknown 30 0102>", []byte{30, 4, 1, 2},
		},
		{"<unknown 2 010203>", "", "", []byte{2, 5, 1, 2, 3, 1, 1, 1}}, // an MSS of three bytes
		{"<mss 1460>", "options: expected such as are well formed, actual 02 09 05 b4", "options: expected such as are well formed, actual 02 09 05 b4", []byte{2, 9, 5, 180}},
	} {
		for _, strict := range []bool{false, true} {
			c := hosts4
			c.StrictOptions = strict
			want := tt.lax
			if strict {
				want = tt.strict
				if tt.script == "<FO a1b2,FOEXP c3d4>" || tt.script == "<unknown 2 010203>" {
					continue // padding that isn't written
				}
			}
			is := seg{flags: syn | ack, seq: 1, ack: 1, options: tt.options}
			s := newStage(t, c)
			s.in("< S 0:0(0) win 9")
			_, m := s.offer("> S. 0:0(0) ack 1 "+tt.script, is.encode(c))
			if want == "" {
				assert.Nil(t, m, "%s strict=%t", tt.script, strict)
			} else {
				assert.EqualError(t, m, want, "%s strict=%t", tt.script, strict)
			}
		}
	}
}

// The first timestamp of the stack fixes the script's; the others are compared if a tick is known.
func TestOffer_Timestamps(t *testing.T) {
	for _, tt := range []struct {
		tick, tolerance time.Duration
		script          string
		val, ecr        uint32
		want            string
	}{
		{0, 0, "TS val 999 ecr 999", 7001, 3, ""},
		{time.Millisecond, 0, "TS val 150 ecr 3", 7050, 3, ""},
		{time.Millisecond, 0, "TS val 151 ecr 3", 7050, 3, "TS: expected val 151 ecr 3, actual val 150 ecr 3"},
		{time.Millisecond, 0, "TS val 150 ecr 4", 7050, 3, "TS: expected val 150 ecr 4, actual val 150 ecr 3"},
		{time.Millisecond, 4 * time.Millisecond, "TS val 154 ecr 3", 7050, 3, ""},
		{time.Millisecond, 4 * time.Millisecond, "TS val 146 ecr 3", 7050, 3, ""},
		{time.Millisecond, 4 * time.Millisecond, "TS val 145 ecr 3", 7050, 3, "TS: expected val 145 ecr 3, actual val 150 ecr 3"},
		{10 * time.Millisecond, 15 * time.Millisecond, "TS val 152 ecr 3", 7050, 3, "TS: expected val 152 ecr 3, actual val 150 ecr 3"},
	} {
		c := hosts4
		c.Tick, c.Tolerance = tt.tick, tt.tolerance
		s := newStage(t, c)
		s.in("< S 0:0(0) win 9 <TS val 3 ecr 0,nop,nop>")
		s.out("> S. 0:0(0) ack 1 <TS val 100 ecr 3>", seg{flags: syn | ack, seq: 5, ack: 1, options: stamp(7000, 3)})
		_, m := s.offer("> . 1:1(0) ack 1 <nop,nop,"+tt.script+">", seg{flags: ack, seq: 6, ack: 1, options: stamp(tt.val, tt.ecr)}.encode(c))
		if tt.want == "" {
			assert.Nil(t, m, tt.script)
		} else {
			assert.EqualError(t, m, tt.want, tt.script)
		}
	}
}
