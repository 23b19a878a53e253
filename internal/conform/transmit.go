package conform

import (
	"io"
	"strings"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// letters are n bytes, alphabet is a file of them.
func letters(n int) string { return strings.Repeat("abcdefghijklmnopqrstuvwxyz", n/26+1)[:n] }

func alphabet(n int) io.ReaderAt { return strings.NewReader(letters(n)) }

// unread is a file that nobody can read.
type unread struct{}

func (unread) ReadAt([]byte, int64) (int, error) { return 0, io.ErrClosedPipe }

// memory and file are elements of TransmitPackets, packets a list of them.
func memory(text string, flags uint32) wsa.TransmitPacketsElement {
	return wsa.TransmitPacketsElement{Flags: wsa.TP_ELEMENT_MEMORY | flags, Buffer: []byte(text)}
}

func file(n int, flags uint32) wsa.TransmitPacketsElement {
	return wsa.TransmitPacketsElement{Flags: wsa.TP_ELEMENT_FILE | flags, File: alphabet(n)}
}

type packets []wsa.TransmitPacketsElement

// transmitFile and transmitPackets are the calls without an OVERLAPPED.
func (h handle) transmitFile(f io.ReaderAt, around *wsa.TransmitFileBuffers, flags uint32, want ...wsa.Errno) int {
	n, err := h.p.TransmitFile(h.s, f, 0, 0, around, flags)
	h.outcome("TransmitFile", err, want)
	return n
}

func (h handle) transmitPackets(elements packets, sendSize, flags uint32, want ...wsa.Errno) int {
	n, err := h.p.TransmitPackets(h.s, elements, sendSize, flags)
	h.outcome("TransmitPackets", err, want)
	return n
}

func (h handle) transmitFileAsync(f io.ReaderAt, around *wsa.TransmitFileBuffers, flags uint32, want ...wsa.Errno) *provider.Overlapped {
	o, err := h.p.TransmitFileAsync(h.s, f, 0, 0, 0, around, flags)
	h.outcome("TransmitFileAsync", err, want)
	return o
}

func (h handle) transmitPacketsAsync(elements packets, sendSize, flags uint32, want ...wsa.Errno) *provider.Overlapped {
	o, err := h.p.TransmitPacketsAsync(h.s, elements, sendSize, flags)
	h.outcome("TransmitPacketsAsync", err, want)
	return o
}

// carries wants a segment with these bytes.
func (e *Env) carries(p *simnet.Peer, segment, text string) {
	a, _ := p.Expect(segment)
	Equal(e, "payload", string(a.Payload), text)
}

// drained opens the window of a peer of stuckAt until n more bytes have come, and returns them.
func (e *Env) drained(p *simnet.Peer, n int) string {
	got := make([]byte, n)
	for end := 0; end < n; {
		a, _ := p.Receive(time.Minute)
		at := int(a.Segment.Seq) - 3001
		e.Check(at+len(a.Payload) <= n, "more than %d bytes", n)
		if at >= 0 { // no probe of the window
			copy(got[at:], a.Payload)
			end = max(end, at+len(a.Payload))
		}
		p.Send("[.] win 65535")
	}
	return string(got)
}

const reuseFlags = wsa.TF_DISCONNECT | wsa.TF_REUSE_SOCKET

// transmitScenarios are TF: TransmitFile and TransmitPackets.
var transmitScenarios = []Scenario{
	{ID: "TF-1", Title: "head, file, tail", Source: "API-TransmitFile", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			s, p := e.connectTo(w, 80)
			around := &wsa.TransmitFileBuffers{Head: []byte("<"), Tail: []byte(">")}
			for _, c := range []struct {
				file   io.ReaderAt
				offset int64
				bytes  uint32
				around *wsa.TransmitFileBuffers
				want   string
			}{
				{alphabet(5), 0, 0, nil, "abcde"},
				{alphabet(5), 0, 0, around, "<abcde>"},
				{alphabet(5), 2, 0, around, "<cde>"},
				{alphabet(5), 2, 2, around, "<cd>"},
				{alphabet(5), 2, 9, around, "<cde>"}, // the file ends before
				{alphabet(5), 5, 0, around, "<>"},
				{nil, 0, 0, around, "<>"},
				{nil, 0, 0, &wsa.TransmitFileBuffers{Tail: []byte(">")}, ">"},
				{struct{ io.ReaderAt }{alphabet(5)}, 0, 0, nil, "abcde"}, // of unknown size
			} {
				o, err := e.P.TransmitFileAsync(s.s, c.file, c.offset, c.bytes, 0, c.around, 0)
				e.Code("TransmitFileAsync", err, 0)
				n, err := o.Result() // there is room: nothing waits for the peer
				e.Code("outcome", err, 0)
				Equal(e, "bytes", n, len(c.want))
				e.carries(p, "[P.]", c.want)
				e.arrive(p, "[.]")
			}
			s.as("nothing").transmitFile(nil, nil, 0)
			s.as("an empty file").transmitFile(alphabet(0), nil, 0)
			p.ExpectSilence(time.Minute)
		})
		e.Notef("one segment each; the number of bytes is that of all three")
	}},
	{ID: "TF-1", Title: "what it waits for", Source: "API-TransmitFile", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			s, p := e.stuckAt(w, 80) // 1000 of 3000 bytes have left
			s.sndbuf(2500)
			o := s.transmitFileAsync(alphabet(100_000), nil, 0)
			next := s.sendAsync([]byte("next"))
			blocked := e.Go("TransmitFile", func() { Equal(e, "bytes", s.transmitFile(alphabet(26), nil, 0), 26) })
			e.settles()
			e.pending("no room", o)
			p.Send("[.] ack 3001 win 65535")
			text := e.drained(p, 100_030)
			e.Check(text == letters(100_000)+"next"+letters(26), "other bytes than those of the files, or in another order")
			blocked.Wait()
			Equal(e, "outcome", e.outcome(o), "100000 success")
			Equal(e, "a send that was started later", e.outcome(next), "4 success")
		})
		e.Notef("100,000 bytes through a quota of 2,500, then a send that was started later")
	}},
	{ID: "TF-1", Title: "SO_SNDBUF 0 and TF_WRITE_BEHIND", Source: "API-TransmitFile", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			for i, flags := range []uint32{0, wsa.TF_WRITE_BEHIND} {
				s, p := e.connectTo(w, uint16(80+i))
				s.sndbuf(0)
				o := s.transmitFileAsync(alphabet(500), nil, flags)
				p.Expect("[P.] seq 1:501")
				e.settles()
				if flags == 0 {
					e.pending("not acknowledged", o)
					e.arrive(p, "[.] ack 501")
				}
				_, err := o.Result()
				e.Code("outcome", err, 0)
			}
		})
		e.Notef("done when it is acknowledged, with TF_WRITE_BEHIND before")
	}},
	{ID: "TF-2", Title: "blocks", Source: "API-TransmitFile", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			s, p := e.connectTo(w, 80)
			s.set(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1)
			around := &wsa.TransmitFileBuffers{Head: []byte("123"), Tail: []byte("4567")}
			for _, mode := range []bool{false, true} {
				s.nonblocking(mode)
				n, err := e.P.TransmitFile(s.s, alphabet(26), 0, 10, around, 0)
				e.Code("TransmitFile", err, 0)
				Equal(e, "bytes", n, 33)
				for _, text := range []string{"123abcdefg", "hijklmnopq", "rstuvwxyz4", "567"} {
					e.carries(p, "[P.]", text)
				}
				p.Send("[.]")
			}
			n := s.transmitPackets(packets{memory("one", wsa.TP_ELEMENT_EOP), memory("two", 0), memory("three", 0)}, 0, 0)
			Equal(e, "bytes", n, 11)
			e.carries(p, "[P.]", "one")
			e.carries(p, "[P.]", "twothree")
		})
		e.Notef("with TCP_NODELAY segments of 10, 10, 10 and 3 bytes, in both modes; TP_ELEMENT_EOP begins another")
	}},
	{ID: "TF-3", Title: "TF_DISCONNECT", Source: "API-TransmitFile", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			s, p := e.stuckAt(w, 80)
			s.sndbuf(2500)
			o := s.transmitFileAsync(alphabet(100_000), &wsa.TransmitFileBuffers{Tail: []byte("end")}, wsa.TF_DISCONNECT)
			e.pending("no room", o)
			s.as("Send while it is pending").say("x", wsa.WSAESHUTDOWN)
			s.sendAsync([]byte("x"), wsa.WSAESHUTDOWN)
			s.transmitFile(nil, nil, 0, wsa.WSAESHUTDOWN)
			p.Send("[.] ack 3001 win 65535")
			e.Check(strings.HasSuffix(e.drained(p, 100_003), "end"), "the tail isn't the end")
			lines := e.Segments("a")
			last := lines[len(lines)-1].Segment
			e.Check(last.Flags&trace.FIN != 0, "the FIN isn't with the last byte")
			Equal(e, "the end", last.Seq+uint32(last.Len), 103_004)
			Equal(e, "outcome", e.outcome(o), "100003 success") // nobody has acknowledged the FIN
			p.Send("[P.] seq 1:6 ack 103005", []byte("still")...)
			p.Expect("[.] seq 103005 ack 6")
			s.recv(5)
			s.peerName()
			s.say("x", wsa.WSAESHUTDOWN)
			s.transmitPackets(nil, 0, 0, wsa.WSAESHUTDOWN)

			s, p = e.connectTo(w, 81)
			Equal(e, "bytes", s.transmitPackets(packets{memory("bye", 0)}, 0, wsa.TP_DISCONNECT), 3)
			e.carries(p, "[P.] seq 1:4", "bye")
			p.Expect("[F.] seq 4")
			s, p = e.connectTo(w, 82)
			s.as("without data").transmitFile(nil, nil, wsa.TF_DISCONNECT)
			p.Expect("[F.] seq 1")
		})
		e.Notef("the FIN follows the last byte; done before it is acknowledged; WSAESHUTDOWN for later sends")
	}},
	{ID: "TF-3", Title: "cancelled", Source: "API-TransmitFile", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			s, p := e.stuckAt(w, 80)
			s.sndbuf(byProfile(e, uint32(2500), 2000)) // where a file is accepted whole, it finds no room (C-07)
			o := s.transmitFileAsync(alphabet(5000), nil, wsa.TF_DISCONNECT)
			e.Check(o.Cancel(), "nothing to cancel")
			Equal(e, "outcome", e.outcome(o), "0 WSA_OPERATION_ABORTED")
			next := s.sendAsync([]byte("next")) // the sending side has not ended
			p.Send("[.] ack 3001 win 65535")
			e.Check(strings.HasSuffix(e.drained(p, byProfile(e, 504, 4)), "next"), "bytes of the file are behind what is sent later")
			Equal(e, "next", e.outcome(next), "4 success")
			p.ExpectSilence(time.Minute)

			s, p = e.connectTo(w, 81)
			o = s.transmitFileAsync(alphabet(10), nil, reuseFlags)
			p.Expect("[P.] seq 1:11")
			p.Expect("[F.] seq 11")
			e.Check(o.Cancel(), "nothing to cancel")
			Equal(e, "outcome", e.outcome(o), "0 WSA_OPERATION_ABORTED")
			p.Send("[F.] ack 12")
			p.Expect("[.] seq 12 ack 2")
			s.peerName() // it isn't made good for another connection
		})
		e.Notef("what was accepted is sent, no FIN; after the FIN the socket stays connected")
	}},
	{ID: "TF-4", Title: "after ConnectEx", Source: "API-TransmitFile", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			s := e.stream()
			s.bind(e.Any(5000))
			for i, start := range []func() *provider.Overlapped{
				func() *provider.Overlapped { return s.transmitFileAsync(alphabet(10), nil, reuseFlags) },
				func() *provider.Overlapped { return s.transmitPacketsAsync(packets{file(10, 0)}, 0, reuseFlags) },
			} {
				port := uint16(80 + i)
				p := w.Listen(port)
				o := s.connectEx(e.Addr(9, port), nil)
				p.Accept("mss 1000")
				Equal(e, "ConnectEx", e.outcome(o), "0 success")
				s.setBytes(wsa.SOL_SOCKET, wsa.SO_UPDATE_CONNECT_CONTEXT, nil, 0)
				o = start()
				p.Expect("[P.] seq 1:11")
				p.Expect("[F.] seq 11")
				p.Send("[.] ack 12")
				e.Net.Sleep(time.Minute)
				e.pending("the peer hasn't closed", o)
				p.Send("[P.] seq 1:4 ack 12", []byte("bye")...)
				p.Expect("[.] seq 12 ack 4")
				p.Send("[F.] seq 4 ack 12")
				p.Expect("[.] seq 12 ack 5")
				e.Net.Sleep(time.Second)
				e.pending("nobody has read what it has sent", o)
				Equal(e, "read", s.read(0), "bye")
				Equal(e, "outcome", e.outcome(o), "10 success")
				s.peerName(wsa.WSAENOTCONN)
				Equal(e, "it is bound to", s.sockName(), e.Any(5000))
				e.listener(e.P, uint16(90+i)).acceptEx(s, nil, wsa.WSAEINVAL)
			}
			Equal(e, "RSTs", e.Count("a", has(trace.RST)), 0)
		})
		e.Notef("two connections, each done when the peer's FIN has come and all of its data is read")
	}},
	{ID: "TF-4", Title: "after AcceptEx", Source: "API-TransmitFile", Run: func(e *Env) {
		e.paired(func() {
			l, s := e.listener(e.P, 80), e.stream()
			for i := range 3 {
				o := l.acceptEx(s, nil)
				c := e.peerStream()
				c.connect(e.Addr(1, 80))
				Equal(e, "AcceptEx", e.outcome(o), "0 success")
				start := e.Start()
				done := e.Go("TransmitFile", func() { // the context isn't updated
					Equal(e, "bytes", s.transmitFile(alphabet(100_000*i), nil, reuseFlags), 100_000*i)
				})
				got := 0
				for n := -1; n != 0; got += n {
					n = len(c.recv(64 << 10))
				}
				Equal(e, "bytes received", got, 100_000*i)
				e.Net.Sleep(time.Second)
				c.close()
				done.Wait()
				e.Check(e.Net.Now()-start > time.Second, "it hasn't waited for the client's FIN")
				s.sockName(wsa.WSAEINVAL)
				s.connectEx(e.Addr(2, 80), nil, wsa.WSAEINVAL)
			}
			Equal(e, "RSTs", e.Count("a", has(trace.RST)), 0)
		})
		e.Notef("three clients with one socket, which is neither bound nor connected between them")
	}},
	{ID: "TF-5", Title: "parameters and sockets", Source: "API-TransmitFile, API-TransmitPackets", Run: func(e *Env) {
		e.paired(func() {
			e.serve(80)
			plain := e.plain(wsa.SOCK_STREAM, 0)
			connecting, shut, closed := e.stream(), e.stream(), e.stream()
			connecting.nonblocking(true)
			connecting.connect(e.Addr(3, 80), wsa.WSAEWOULDBLOCK)
			shut.connect(e.Addr(2, 80))
			shut.shutdown(wsa.SD_SEND)
			closed.close()
			plain.connect(e.Addr(2, 80))
			for what, c := range map[string]struct {
				s         handle
				call, ovl wsa.Errno
			}{
				"fresh":                 {e.stream(), wsa.WSAENOTCONN, wsa.WSAENOTCONN},
				"bound":                 {e.bound(0), wsa.WSAENOTCONN, wsa.WSAENOTCONN},
				"listening":             {e.listener(e.P, 0), wsa.WSAENOTCONN, wsa.WSAENOTCONN},
				"connecting":            {connecting, wsa.WSAENOTCONN, wsa.WSAENOTCONN},
				"after SD_SEND":         {shut, wsa.WSAESHUTDOWN, wsa.WSAESHUTDOWN},
				"closed":                {closed, wsa.WSAENOTSOCK, wsa.WSAENOTSOCK},
				"no socket":             {e.noSocket(), wsa.WSAENOTSOCK, wsa.WSAENOTSOCK},
				"without the attribute": {plain, 0, wsa.WSAEINVAL},
			} {
				for _, flags := range []uint32{0, wsa.TF_WRITE_BEHIND, wsa.TF_USE_KERNEL_APC | wsa.TF_USE_SYSTEM_THREAD | wsa.TF_USE_DEFAULT_WORKER} {
					c.s.as(what).transmitFile(alphabet(1), nil, flags, c.call)
					c.s.as(what+", overlapped").transmitFileAsync(alphabet(1), nil, flags, c.ovl)
				}
				c.s.as(what+", packets").transmitPackets(nil, 0, 0, c.call)
				c.s.as(what+", packets, overlapped").transmitPacketsAsync(nil, 0, 0, c.ovl)
			}
			good, head := e.stream(), &wsa.TransmitFileBuffers{Head: []byte{0}}
			good.connect(e.Addr(2, 80))
			for _, h := range []handle{good, e.stream()} { // before the state is looked at
				h.as("TF_REUSE_SOCKET alone").transmitFile(alphabet(1), nil, wsa.TF_REUSE_SOCKET, wsa.WSAEINVAL)
				h.as("the same, overlapped").transmitFileAsync(alphabet(1), nil, wsa.TF_REUSE_SOCKET, wsa.WSAEINVAL)
				h.as("TP_REUSE_SOCKET alone").transmitPackets(nil, 0, wsa.TP_REUSE_SOCKET, wsa.WSAEINVAL)
				h.as("an unknown flag").transmitFile(alphabet(1), nil, 8, wsa.WSAEINVAL)
				h.as("TF_WRITE_BEHIND, packets").transmitPackets(nil, 0, wsa.TF_WRITE_BEHIND, wsa.WSAEINVAL)
				h.as("two kinds").transmitPackets(packets{memory("x", wsa.TP_ELEMENT_FILE)}, 0, 0, wsa.WSAEINVAL)
				h.as("no file").transmitPackets(packets{{Flags: wsa.TP_ELEMENT_FILE}}, 0, 0, wsa.WSAEINVAL)
				h.as("an offset behind it").transmitPackets(packets{{File: alphabet(1), Offset: 2}}, 0, 0, wsa.WSAEINVAL)
				for what, err := range map[string]error{
					"an offset behind the end": second(e.P.TransmitFileAsync(h.s, alphabet(1), 2, 0, 0, nil, 0)),
					"2 GB less one byte":       second(e.P.TransmitFile(h.s, alphabet(1), 1<<31-1, 0, nil, 0)),
					"one less, and a head":     second(e.P.TransmitFile(h.s, alphabet(1), 1<<31-2, 0, head, 0)),
				} {
					e.Code(what, err, wsa.WSAEINVAL)
				}
			}
			e.Net.Sleep(time.Second)
			Equal(e, "bytes that were sent", e.bytesFrom("a"), 3) // by the socket without the attribute
		})
		e.Notef("WSAEINVAL, WSAENOTCONN, WSAESHUTDOWN, WSAENOTSOCK")
	}},
	{ID: "TF-5", Title: "a file that can't be read", Source: "API-TransmitFile", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			s, p := e.connectTo(w, 80)
			head := &wsa.TransmitFileBuffers{Head: []byte("head")}
			s.transmitFile(unread{}, head, wsa.TF_DISCONNECT, wsa.WSASYSCALLFAILURE)
			Equal(e, "overlapped", e.outcome(s.transmitFileAsync(unread{}, nil, reuseFlags)), "0 WSASYSCALLFAILURE")
			s.say("goes on")
			e.carries(p, "[P.] seq 1:8", "goes on")
			e.arrive(p, "[.]")
			p.ExpectSilence(time.Minute)
		})
		e.Notef("WSASYSCALLFAILURE; no FIN follows")
	}},
	{ID: "TF-6", Title: "datagrams", Source: "API-TransmitPackets", Run: func(e *Env) {
		e.paired(func() {
			c, s := e.datagram(), e.peerDatagram()
			s.bind(e.Any(80))
			c.as("without a peer").transmitPackets(packets{memory("x", 0)}, 0, 0, wsa.WSAENOTCONN)
			c.connect(e.Addr(2, 80))
			const eop = wsa.TP_ELEMENT_EOP
			for _, x := range []struct {
				elements packets
				sendSize uint32
				want     []string
			}{
				{nil, 0, nil},
				{packets{memory("one", eop), memory("two", eop), memory("three", 0)}, 0, []string{"one", "two", "three"}},
				{packets{memory("<", 0), file(3, 0), memory(">", eop), file(2, eop)}, 0xFFFFFFFF, []string{"<abc>", "ab"}},
				{packets{file(7, 0), memory("-", eop), memory("x", 0)}, 3, []string{"abc", "def", "g-", "x"}},
				{packets{file(6, eop), memory("x", 0)}, 3, []string{"abc", "def", "x"}},
				{packets{memory("", eop), memory("x", eop), memory("", 0)}, 0, []string{"", "x"}},
				{packets{file(5, 0), {File: alphabet(5), Offset: 3, Length: 1}, {File: alphabet(5), Offset: -1, Length: 2}}, 0, []string{"abcdedab"}},
			} {
				total := len(strings.Join(x.want, ""))
				Equal(e, "bytes", c.transmitPackets(x.elements, x.sendSize, 0), total)
				n, err := c.transmitPacketsAsync(x.elements, x.sendSize, wsa.TP_USE_KERNEL_APC).Wait()
				e.Code("outcome", err, 0)
				Equal(e, "bytes, overlapped", n, total)
				for range 2 {
					for _, want := range x.want {
						Equal(e, "datagram", string(s.recv(100)), want)
					}
				}
				s.nonblocking(true)
				s.recv(1, wsa.WSAEWOULDBLOCK)
				s.nonblocking(false)
			}
			long := packets{memory("before", eop), file(70_000, eop), memory("after", 0)}
			c.as("too long").transmitPackets(long, 0xFFFFFFFF, 0, wsa.WSAEMSGSIZE)
			Equal(e, "datagram", string(s.recv(100)), "before")
			Equal(e, "cut", c.transmitPackets(long, 0, 0), 70_011)
			Equal(e, "datagram", string(s.recv(100)), "before")
			first := string(s.recv(1 << 16))
			Equal(e, "the length of the first", uint32(len(first)), c.get(wsa.SOL_SOCKET, wsa.SO_MAX_MSG_SIZE))
			e.Check(first+string(s.recv(1<<16)) == letters(70_000), "other bytes than those of the file")
			Equal(e, "datagram", string(s.recv(100)), "after")
			c.transmitPackets(nil, 0, wsa.TF_DISCONNECT, wsa.WSAEINVAL)
			c.transmitFile(alphabet(1), nil, 0, wsa.WSAEINVAL)
			c.shutdown(wsa.SD_SEND)
			c.transmitPackets(nil, 0, 0, wsa.WSAESHUTDOWN)
		})
		e.Notef("one datagram for each TP_ELEMENT_EOP, and for nSendSize bytes; WSAEMSGSIZE for one that is too long")
	}},
}
