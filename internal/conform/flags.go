package conform

import (
	"fmt"

	"github.com/wsstack/wsstack/wsa"
)

func init() { smallScenarios = append(smallScenarios, flagScenarios...) }

// A flagged call is one of the calls that take flags, and those that it knows.
type flagged struct {
	name       string
	known      int32
	overlapped bool
	message    bool // WSARecvMsg or WSASendMsg: not for streams
	call       func(e *Env, s wsa.SOCKET, flags int32) error
}

// unknownFlag is one that no page names; MSG_TRUNC is returned and never passed.
const unknownFlag = 0x4000_0000 | wsa.MSG_TRUNC

const (
	receiveFlags = wsa.MSG_OOB | wsa.MSG_PEEK | wsa.MSG_WAITALL | wsa.MSG_PARTIAL | wsa.MSG_PUSH_IMMEDIATE | wsa.MSG_DONTROUTE
	sendingFlags = wsa.MSG_OOB | wsa.MSG_PARTIAL | wsa.MSG_DONTROUTE
)

var flaggedCalls = []flagged{
	{"Recv", receiveFlags, false, false, func(e *Env, s wsa.SOCKET, flags int32) error {
		return second(e.P.Recv(s, make([]byte, 4), flags))
	}},
	{"RecvFrom", receiveFlags, false, false, func(e *Env, s wsa.SOCKET, flags int32) error {
		_, _, err := e.P.RecvFrom(s, make([]byte, 4), flags)
		return err
	}},
	{"RecvAsync", receiveFlags, true, false, func(e *Env, s wsa.SOCKET, flags int32) error {
		o, err := e.P.RecvAsync(s, make([]byte, 4), flags)
		if err == nil {
			e.Check(o.Cancel(), "RecvAsync with flags %#x was done without data", flags)
		}
		return err
	}},
	{"RecvMsg", receiveFlags | wsa.MSG_ERRQUEUE, false, true, func(e *Env, s wsa.SOCKET, flags int32) error {
		return second(e.P.RecvMsg(s, make([]byte, 4), nil, flags))
	}},
	{"Send", sendingFlags, false, false, func(e *Env, s wsa.SOCKET, flags int32) error {
		return second(e.P.Send(s, []byte{1}, flags))
	}},
	{"SendTo", sendingFlags, false, false, func(e *Env, s wsa.SOCKET, flags int32) error {
		return second(e.P.SendTo(s, []byte{1}, flags, e.Addr(2, 7)))
	}},
	{"SendAsync", sendingFlags, true, false, func(e *Env, s wsa.SOCKET, flags int32) error {
		return second(e.P.SendAsync(s, []byte{1}, flags))
	}},
	{"SendToAsync", sendingFlags, true, false, func(e *Env, s wsa.SOCKET, flags int32) error {
		return second(e.P.SendToAsync(s, []byte{1}, flags, e.Addr(2, 7)))
	}},
	{"SendMsg", sendingFlags, false, true, func(e *Env, s wsa.SOCKET, flags int32) error {
		return second(e.P.SendMsg(s, []byte{1}, nil, flags, e.Addr(2, 7)))
	}},
}

// flagCode is what the pages say of a call, rule by rule.
func flagCode(c flagged, stream, nonblocking bool, flags int32) wsa.Errno {
	has := func(flag int32) bool { return flags&flag != 0 }
	receives := c.known&wsa.MSG_WAITALL != 0
	switch {
	case c.message && stream:
		return wsa.WSAEOPNOTSUPP
	case has(^c.known):
		return wsa.WSAEINVAL
	case has(wsa.MSG_OOB) && !stream,
		has(wsa.MSG_PARTIAL) && !receives,
		has(wsa.MSG_PEEK) && c.overlapped,
		has(wsa.MSG_WAITALL) && (!stream || nonblocking || has(wsa.MSG_OOB|wsa.MSG_PEEK|wsa.MSG_PARTIAL)):
		return wsa.WSAEOPNOTSUPP
	}
	return 0
}

// everyFlags are all combinations of the flags and an unknown one.
func everyFlags() (all []int32) {
	flags := []int32{wsa.MSG_OOB, wsa.MSG_PEEK, wsa.MSG_WAITALL, wsa.MSG_PARTIAL, wsa.MSG_PUSH_IMMEDIATE, wsa.MSG_DONTROUTE,
		wsa.MSG_ERRQUEUE, unknownFlag}
	for bits := range 1 << len(flags) {
		var set int32
		for i, flag := range flags {
			if bits>>i&1 == 1 {
				set |= flag
			}
		}
		all = append(all, set)
	}
	return all
}

// flagSockets are a connected socket of each kind, none of which has data.
func (e *Env) flagSockets() map[string]wsa.SOCKET {
	stream, _ := e.Connected()
	sockets := map[string]wsa.SOCKET{"stream": stream}
	for name, kind := range map[string]struct{ typ, protocol int32 }{"datagram": {wsa.SOCK_DGRAM, 0}, "raw": {wsa.SOCK_RAW, 200}} {
		s, err := e.P.Socket(e.Family, kind.typ, kind.protocol)
		e.Code("Socket", err, 0)
		q, err := e.Q.Socket(e.Family, kind.typ, kind.protocol)
		e.Code("Socket", err, 0)
		e.Code("Bind", e.Q.Bind(q, e.Any(7)), 0)
		e.Code("Connect", e.P.Connect(s, e.Addr(2, 7)), 0)
		sockets[name] = s
	}
	for _, s := range sockets {
		e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 1)
	}
	return sockets
}

var flagScenarios = []Scenario{
	{ID: "MS-4", Title: "every call with every combination of flags", Source: "API-WSARecv, API-WSASend", Run: func(e *Env) {
		e.Pair()
		calls := 0
		e.Do(func() {
			sockets := e.flagSockets()
			for _, kind := range []string{"stream", "datagram", "raw"} {
				s := sockets[kind]
				for _, nonblocking := range []bool{false, true} {
					e.Nonblocking(e.P, s, nonblocking)
					for _, c := range flaggedCalls {
						for _, flags := range everyFlags() {
							err := c.call(e, s, flags)
							if err == wsa.WSAEWOULDBLOCK || err == wsa.WSAETIMEDOUT { // it takes the flags, and finds nothing
								err = nil
							}
							what := fmt.Sprintf("%s on a %s socket, non-blocking %v, flags %#x", c.name, kind, nonblocking, flags)
							e.Code(what, err, flagCode(c, kind == "stream", nonblocking, flags))
							calls++
						}
					}
				}
			}
		})
		e.Notef("%d calls", calls)
	}},
	{ID: "MS-4", Title: "flags come before the state", Source: "API-WSARecv", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			reset, peer := e.Connected()
			e.resetBy(peer)
			for what, s := range map[string]wsa.SOCKET{"fresh": e.Stream(), "listening": e.Listener(e.P, 81), "reset": reset} {
				for _, c := range flaggedCalls {
					for _, flags := range everyFlags() {
						if want := flagCode(c, true, false, flags); want != 0 {
							e.Code(fmt.Sprintf("%s, %s, flags %#x", c.name, what, flags), c.call(e, s, flags), want)
						}
					}
				}
			}
			// What a call in progress does isn't changed by a later mode.
			c, s := e.Connected()
			e.Go("peer", func() {
				e.sendFrom(e.Q, s, 2)
				e.Net.Sleep(5 * Delay)
				e.Nonblocking(e.P, c, true)
				e.sendFrom(e.Q, s, 2)
			})
			n, err := e.P.Recv(c, make([]byte, 4), wsa.MSG_WAITALL)
			e.Code("MSG_WAITALL in progress", err, 0)
			Equal(e, "bytes", n, 4)
		})
		e.Notef("the same codes on sockets that aren't connected any more, or not yet")
	}},
}
