package conform

import (
	"fmt"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

func has(flags trace.Flags) func(simnet.Line) bool {
	return func(l simnet.Line) bool { return l.Kind == trace.TCP && l.Segment.Flags&flags == flags }
}

func data(l simnet.Line) bool { return l.Kind == trace.TCP && l.Segment.Len > 0 }

var shScenarios = []Scenario{
	{ID: "SH-1", Title: "SD_SEND delivers, then FIN", Source: "API-shutdown", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			_, err := e.P.Send(c, make([]byte, 5000), 0)
			e.Code("Send", err, 0)
			e.Code("Shutdown", e.P.Shutdown(c, wsa.SD_SEND), 0)
			_, err = e.P.Send(c, []byte("x"), 0)
			e.Code("Send after SD_SEND", err, wsa.WSAESHUTDOWN)
			n, err := e.Q.Recv(s, make([]byte, 8000), wsa.MSG_WAITALL)
			e.Code("Recv", err, 0)
			Equal(e, "bytes", n, 5000)
			_, err = e.Q.Send(s, []byte("back"), 0)
			e.Code("the peer's Send", err, 0)
			n, err = e.P.Recv(c, make([]byte, 9), 0)
			e.Code("Recv after SD_SEND", err, 0)
			Equal(e, "bytes back", n, 4)
		})
		Equal(e, "FINs of a", e.Count("a", has(trace.FIN)), 1)
		var end uint32
		for _, l := range e.Segments("a") {
			if l.Segment.Flags&trace.FIN != 0 {
				end = l.Segment.Seq + uint32(l.Segment.Len)
			}
		}
		Equal(e, "SEQ of the FIN", end, 5001)
		e.Notef("5000 bytes, FIN at SEQ 5001; later send WSAESHUTDOWN, receiving goes on")
	}},
	{ID: "SH-2", Title: "SD_RECEIVE with an empty queue", Source: "API-shutdown, C-47", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			e.Net.Sleep(time.Second)
			before := len(e.Segments(""))
			e.Code("Shutdown", e.P.Shutdown(c, wsa.SD_RECEIVE), 0)
			_, err := e.P.Recv(c, make([]byte, 1), 0)
			e.Code("Recv", err, wsa.WSAESHUTDOWN)
			e.Net.Sleep(time.Second)
			Equal(e, "segments after the call", len(e.Segments(""))-before, 0)
			_, err = e.Q.Send(s, []byte("too late"), 0)
			e.Code("the peer's Send", err, 0)
			_, err = e.Q.Recv(s, make([]byte, 1), 0)
			e.Code("the peer's Recv", err, wsa.WSAECONNRESET)
		})
		Equal(e, "RSTs of a", e.Count("a", has(trace.RST)), 1)
		e.Notef("nothing at the call; data that came later drew a RST")
	}},
	{ID: "SH-2", Title: "SD_RECEIVE with data queued", Source: "API-shutdown", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			_, err := e.Q.Send(s, []byte("unread"), 0)
			e.Code("Send", err, 0)
			e.Net.Sleep(time.Second)
			at := e.Net.Now()
			e.Code("Shutdown", e.P.Shutdown(c, wsa.SD_RECEIVE), 0)
			_, err = e.Q.Recv(s, make([]byte, 1), 0)
			e.Code("the peer's Recv", err, wsa.WSAECONNRESET)
			for _, l := range e.Segments("a") {
				if l.Segment.Flags&trace.RST != 0 {
					Equal(e, "time of the RST", l.At, at)
				}
			}
			for range 2 {
				e.recvOn(e.P, c, 1, wsa.WSAESHUTDOWN)
			}
		})
		Equal(e, "RSTs of a", e.Count("a", has(trace.RST)), 1)
		e.Notef("RST at the call")
	}},
	{ID: "SH-3", Title: "shutdown of datagram sockets", Source: "API-shutdown", Run: func(e *Env) {
		e.Pair()
		s := e.Socket(e.Q, wsa.SOCK_DGRAM)
		e.Code("Bind", e.Q.Bind(s, e.Any(53)), 0)
		e.Code("Shutdown SD_RECEIVE", e.Q.Shutdown(s, wsa.SD_RECEIVE), 0)
		c := e.Datagram()
		_, err := e.P.SendTo(c, []byte("x"), 0, e.Addr(2, 53))
		e.Code("SendTo", err, 0)
		e.Net.Advance(time.Second)
		_, err = e.Q.Recv(s, make([]byte, 9), 0)
		e.Code("Recv", err, wsa.WSAESHUTDOWN)
		Equal(e, "packets of b", len(e.Segments("b")), 0)
		e.Code("Shutdown SD_SEND", e.P.Shutdown(c, wsa.SD_SEND), 0)
		_, err = e.P.SendTo(c, []byte("x"), 0, e.Addr(2, 53))
		e.Code("SendTo", err, wsa.WSAESHUTDOWN)
		e.Notef("WSAESHUTDOWN both ways; no ICMP for the datagram")
	}},
	{ID: "SH-4", Title: "SD_BOTH is both", Source: "API-shutdown", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, _ := e.Connected()
			e.Code("Shutdown", e.P.Shutdown(c, wsa.SD_BOTH), 0)
			_, err := e.P.Send(c, []byte("x"), 0)
			e.Code("Send", err, wsa.WSAESHUTDOWN)
			_, err = e.P.Recv(c, make([]byte, 1), 0)
			e.Code("Recv", err, wsa.WSAESHUTDOWN)
		})
		Equal(e, "FINs of a", e.Count("a", has(trace.FIN)), 1)
		e.Notef("one FIN, WSAESHUTDOWN both ways")
	}},
	{ID: "SH-5", Title: "repeating succeeds", Source: "API-shutdown", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, _ := e.Connected()
			for _, how := range []int32{wsa.SD_SEND, wsa.SD_SEND, wsa.SD_RECEIVE, wsa.SD_BOTH, wsa.SD_SEND} {
				e.Code(fmt.Sprintf("Shutdown(%d)", how), e.P.Shutdown(c, how), 0)
			}
			_, err := e.P.Send(c, []byte("x"), 0)
			e.Code("Send", err, wsa.WSAESHUTDOWN)
		})
		Equal(e, "FINs of a", e.Count("a", has(trace.FIN)), 1)
		e.Notef("five calls, one FIN")
	}},
	{ID: "SH-6", Title: "codes of shutdown", Source: "API-shutdown", Run: func(e *Env) {
		e.Pair()
		s := e.Stream()
		e.Code("bad how", e.P.Shutdown(s, 3), wsa.WSAEINVAL)
		e.Code("bad how", e.P.Shutdown(s, -1), wsa.WSAEINVAL)
		e.Code("unconnected", e.P.Shutdown(s, wsa.SD_SEND), wsa.WSAENOTCONN)
		e.Code("listening", e.P.Shutdown(e.Listener(e.P, 70), wsa.SD_BOTH), wsa.WSAENOTCONN)
		e.Code("datagram", e.P.Shutdown(e.Datagram(), wsa.SD_BOTH), 0)
		e.Code("no socket", e.P.Shutdown(bogus, wsa.SD_SEND), wsa.WSAENOTSOCK)
		e.Do(func() {
			c, srv := e.Connected()
			e.resetBy(srv)
			e.Code("reset", e.P.Shutdown(c, wsa.SD_SEND), wsa.WSAECONNRESET)
		})
		e.Notef("WSAEINVAL, WSAENOTCONN, WSAENOTSOCK, WSAECONNRESET")
	}},
	{ID: "SH-7", Title: "the handle stays", Source: "OBS", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, _ := e.Connected()
			e.Code("Shutdown", e.P.Shutdown(c, wsa.SD_BOTH), 0)
			peer, err := e.P.GetPeerName(c)
			e.Code("GetPeerName", err, 0)
			Equal(e, "peer", peer, e.Addr(2, 80))
			e.Code("Connect", e.P.Connect(c, e.Addr(2, 80)), wsa.WSAEISCONN)
			e.Code("CloseSocket", e.P.CloseSocket(c), 0)
		})
		e.Notef("getpeername works, connect is WSAEISCONN")
	}},
	{ID: "SH-8", Title: "the peer of SD_SEND", Source: "API-shutdown", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			_, err := e.P.Send(c, []byte("data"), 0)
			e.Code("Send", err, 0)
			e.Code("Shutdown", e.P.Shutdown(c, wsa.SD_SEND), 0)
			n, err := e.Q.Recv(s, make([]byte, 9), 0)
			e.Code("Recv", err, 0)
			Equal(e, "bytes", n, 4)
			for range 2 {
				n, err = e.Q.Recv(s, make([]byte, 9), 0)
				e.Code("Recv at the end", err, 0)
				Equal(e, "bytes at the end", n, 0)
			}
		})
		e.Notef("4 bytes, then 0, and 0 again")
	}},
	{ID: "SH-9", Title: "the graceful pattern", Source: "API-shutdown", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			_, err := e.P.Send(c, make([]byte, 3000), 0)
			e.Code("Send", err, 0)
			e.Code("Shutdown", e.P.Shutdown(c, wsa.SD_SEND), 0)
			server := e.Go("server", func() {
				for {
					n, err := e.Q.Recv(s, make([]byte, 1000), 0)
					e.Code("Recv", err, 0)
					if n == 0 {
						break
					}
				}
				_, err := e.Q.Send(s, []byte("bye"), 0)
				e.Code("Send", err, 0)
				e.Code("CloseSocket", e.Q.CloseSocket(s), 0)
			})
			for {
				n, err := e.P.Recv(c, make([]byte, 1000), 0)
				e.Code("Recv", err, 0)
				if n == 0 {
					break
				}
			}
			e.Code("CloseSocket", e.P.CloseSocket(c), 0)
			server.Wait()
		})
		e.Net.Advance(5 * time.Second)
		Equal(e, "RSTs", e.Count("", has(trace.RST)), 0)
		Equal(e, "FINs", e.Count("", has(trace.FIN)), 2)
		e.Notef("a FIN from each side, no RST")
	}},
}

var rsScenarios = []Scenario{
	{ID: "RS-1", Title: "RST received", Source: "API-recv", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			_, err := e.Q.Send(s, []byte("never read"), 0)
			e.Code("Send", err, 0)
			e.Net.Sleep(time.Second)
			blocked := e.Go("recv", func() {
				// The bytes above are read first; then the call is pending.
				_, err := e.P.Recv(c, make([]byte, 10), wsa.MSG_WAITALL)
				e.Code("Recv", err, 0)
				_, err = e.P.Recv(c, make([]byte, 10), 0)
				e.Code("the pending Recv", err, wsa.WSAECONNRESET)
			})
			e.Net.Sleep(time.Second)
			e.Linger(e.Q, s, 0)
			e.Code("CloseSocket", e.Q.CloseSocket(s), 0)
			blocked.Wait()
			for range 2 {
				_, err = e.P.Recv(c, make([]byte, 1), 0)
				e.Code("Recv", err, wsa.WSAECONNRESET)
				_, err = e.P.Send(c, []byte("x"), 0)
				e.Code("Send", err, wsa.WSAECONNRESET)
			}
		})
		e.Notef("WSAECONNRESET for the pending and every later call")
	}},
	{ID: "RS-1", Title: "unread data is discarded", Source: "API-recv", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			_, err := e.Q.Send(s, []byte("never read"), 0)
			e.Code("Send", err, 0)
			e.Net.Sleep(time.Second)
			e.resetBy(s)
			_, err = e.P.Recv(c, make([]byte, 10), 0)
			e.Code("Recv", err, wsa.WSAECONNRESET)
		})
		e.Notef("WSAECONNRESET, not the queued bytes")
	}},
	{ID: "RS-2", Title: "retransmission limit", Source: "W-ERR", Run: func(e *Env) {
		link := e.Pair()
		e.Do(func() {
			c, _ := e.Connected()
			e.Net.Sleep(time.Second)
			link.Partition()
			start := e.Start()
			_, err := e.P.Send(c, []byte("into the void"), 0)
			e.Code("Send", err, 0)
			_, err = e.P.Recv(c, make([]byte, 1), 0)
			e.Code("Recv", err, wsa.WSAECONNABORTED)
			e.Check(e.Net.Now()-start > time.Minute, "given up after %v", e.Net.Now()-start)
			_, err = e.P.Send(c, []byte("x"), 0)
			e.Code("Send", err, wsa.WSAECONNABORTED)
			Equal(e, "SO_ERROR", wsa.Errno(e.Get(e.P, c, wsa.SOL_SOCKET, wsa.SO_ERROR)), wsa.WSAECONNABORTED)
			e.Notef("given up after %s: WSAECONNABORTED", seconds(e.Net.Now()-start))
		})
		e.Check(e.Count("a", data) > 5, "only %d transmissions", e.Count("a", data))
	}},
	{ID: "RS-3", Title: "sending to a peer that has closed", Source: "OBS", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			e.Code("CloseSocket", e.Q.CloseSocket(s), 0)
			e.Net.Sleep(time.Second)
			_, err := e.P.Send(c, []byte("x"), 0)
			e.Code("the first Send", err, 0)
			e.Net.Sleep(time.Second)
			_, err = e.P.Send(c, []byte("x"), 0)
			e.Code("the next Send", err, wsa.WSAECONNRESET)
			_, err = e.P.Recv(c, make([]byte, 1), 0)
			e.Code("Recv", err, wsa.WSAECONNRESET)
		})
		Equal(e, "RSTs of b", e.Count("b", has(trace.RST)), 1)
		e.Notef("the peer answers RST; then WSAECONNRESET")
	}},
	{ID: "RS-4", Title: "select after RST", Source: "OBS", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			e.resetBy(s)
			set := []wsa.SOCKET{c}
			r, w, x, err := e.P.Select(set, set, set, 0)
			e.Code("Select", err, 0)
			Equal(e, "readable, writable, except", fmt.Sprint(len(r), len(w), len(x)), "1 1 0")
		})
		e.Notef("readable and writable, not except")
	}},
}
