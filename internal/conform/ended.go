package conform

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/wsa"
)

// noCount is the error of a call that counts bytes: one that fails must not count any.
func noCount(n int, err error) error {
	if n != 0 && err != nil {
		return fmt.Errorf("%w with a count of %d", err, n)
	}
	return err
}

// live are the outcomes of getting and setting every option of a socket, in the
// order of the table; values are all zero.
func (h handle) live() (gets, sets []error) {
	for _, o := range options.Table() {
		n := int32(700)
		gets = append(gets, h.p.GetSockOpt(h.s, o.Level, o.Number, make([]byte, n), &n))
		sets = append(sets, h.p.SetSockOpt(h.s, o.Level, o.Number, make([]byte, 700), 700))
	}
	return gets, sets
}

// refusedOption reports a code that comes before the connection is looked at (AV-1).
func refusedOption(err error) bool { return err == wsa.WSAENOPROTOOPT || err == wsa.WSAEFAULT }

// refusedSet reports that a set which ended with err comes to no connection,
// because a stream doesn't have the option.
func refusedSet(o options.Info, err error) bool {
	otherKind := err == wsa.WSAEINVAL && !slices.Contains(o.Kinds, "stream") // C-39
	return refusedOption(err) || o.Unsupported != "" || otherKind
}

// endedCodes has every call and every control code of the contract, on a
// connection that keep-alive has dropped (KA-31), on one that its peer has
// reset (RS-1), and on one that was reset while SO_KEEPALIVE was TRUE (KA-33). A
// cell is the code without "WSAE", or "ok"; "A/B" is A in profile Documented and
// B in the measured ones (C-05, C-12).
//
// What no row of KA-31 excepts is WSAENOTCONN after a drop. "Notification calls
// and FIONBIO don't use the connection" (C-12). What isn't supported at all is
// so before the connection is looked at (AV-1).
const endedCodes = `
                                  dropped            reset      resetAlive
Accept                            NOTCONN            INVAL      INVAL
AcceptCond                        NOTCONN            INVAL      INVAL
AcceptEx                          NOTCONN            INVAL      INVAL
AcceptEx-into                     NOTCONN            INVAL      INVAL
Bind                              NOTCONN            INVAL      INVAL
Connect                           NOTCONN            ISCONN     ISCONN
ConnectEx                         NOTCONN            ISCONN     ISCONN
Disconnect                        NOTCONN            NOTCONN    NOTCONN
Disconnect-reuse                  NOTCONN            NOTCONN    NOTCONN
DisconnectEx                      NOTCONN            NOTCONN    NOTCONN
EnumNetworkEvents                 ok                 ok         ok
EventSelect                       ok                 ok         ok
GetPeerName                       NOTCONN            ok         ok
GetSockName                       ok                 ok         ok
GetSockOpt                        NOTCONN/ok         ok         ok
Listen                            NOTCONN            ISCONN     ISCONN
Poll                              ok                 ok         ok
Recv                              NOTCONN/CONNRESET  CONNRESET  CONNRESET
Recv-none                         NOTCONN/CONNRESET  CONNRESET  CONNRESET
Recv-peek                         NOTCONN/CONNRESET  CONNRESET  CONNRESET
Recv-oob                          NOTCONN/CONNRESET  CONNRESET  CONNRESET
Recv-all                          NOTCONN/CONNRESET  CONNRESET  CONNRESET
RecvAsync                         NOTCONN/CONNRESET  CONNRESET  CONNRESET
RecvFrom                          NOTCONN/CONNRESET  CONNRESET  CONNRESET
RecvMsg                           OPNOTSUPP          OPNOTSUPP  OPNOTSUPP
Select                            ok                 ok         ok
Send                              NOTCONN/CONNRESET  CONNRESET  CONNRESET
Send-none                         NOTCONN/CONNRESET  CONNRESET  CONNRESET
Send-oob                          NOTCONN/CONNRESET  CONNRESET  CONNRESET
SendAsync                         NOTCONN/CONNRESET  CONNRESET  CONNRESET
SendMsg                           OPNOTSUPP/INVAL    OPNOTSUPP/INVAL OPNOTSUPP/INVAL
SendTo                            NOTCONN/CONNRESET  CONNRESET  CONNRESET
SendToAsync                       NOTCONN/CONNRESET  CONNRESET  CONNRESET
SetSockOpt                        NOTCONN            ok         NOTCONN
Shutdown-receive                  NOTCONN/CONNRESET  CONNRESET  CONNRESET
Shutdown                          NOTCONN/CONNRESET  CONNRESET  CONNRESET
Shutdown-both                     NOTCONN/CONNRESET  CONNRESET  CONNRESET
TransmitFile                      NOTCONN/CONNRESET  CONNRESET  CONNRESET
TransmitFileAsync                 NOTCONN/CONNRESET  CONNRESET  CONNRESET
TransmitPackets                   NOTCONN/CONNRESET  CONNRESET  CONNRESET
TransmitPacketsAsync              NOTCONN/CONNRESET  CONNRESET  CONNRESET
SIO_KEEPALIVE_VALS                NOTCONN            ok         NOTCONN
SIO_UDP_CONNRESET                 OPNOTSUPP          OPNOTSUPP  OPNOTSUPP
SIO_UDP_NETRESET                  OPNOTSUPP          OPNOTSUPP  OPNOTSUPP
SIO_LOOPBACK_FAST_PATH            NOTCONN            ok         NOTCONN
SIO_TCP_INFO                      NOTCONN            NOTCONN    NOTCONN
SIO_IDEAL_SEND_BACKLOG_QUERY      NOTCONN            NOTCONN    NOTCONN
SIO_TCP_INITIAL_RTO               NOTCONN            INVAL      NOTCONN
SIO_TCP_SET_ICW                   NOTCONN            ok         NOTCONN
SIO_TCP_SET_ACK_FREQUENCY         NOTCONN            ok         NOTCONN
SIO_SET_COMPATIBILITY_MODE        NOTCONN            ok         NOTCONN
SIO_ADDRESS_LIST_QUERY            NOTCONN            ok         ok
SIO_ROUTING_INTERFACE_QUERY       NOTCONN            ok         ok
SIO_GET_INTERFACE_LIST            NOTCONN            ok         ok
SIO_GET_BROADCAST_ADDRESS         NOTCONN            ok         ok
SIO_BASE_HANDLE                   NOTCONN            ok         ok
SIO_GET_EXTENSION_FUNCTION_POINTER OPNOTSUPP         OPNOTSUPP  OPNOTSUPP
SIO_IDEAL_SEND_BACKLOG_CHANGE     OPNOTSUPP          OPNOTSUPP  OPNOTSUPP
SIO_FLUSH                         OPNOTSUPP          OPNOTSUPP  OPNOTSUPP
SIO_GET_QOS                       OPNOTSUPP          OPNOTSUPP  OPNOTSUPP
SIO_SET_QOS                       OPNOTSUPP          OPNOTSUPP  OPNOTSUPP
SIO_GET_GROUP_QOS                 OPNOTSUPP          OPNOTSUPP  OPNOTSUPP
SIO_SET_GROUP_QOS                 OPNOTSUPP          OPNOTSUPP  OPNOTSUPP
FIOASYNC                          OPNOTSUPP          OPNOTSUPP  OPNOTSUPP
FIONBIO                           ok                 ok         ok
FIONREAD                          NOTCONN            NOTCONN    NOTCONN
SIOCATMARK                        NOTCONN            NOTCONN    NOTCONN
SIO_ADDRESS_LIST_CHANGE           NOTCONN            WOULDBLOCK WOULDBLOCK
SIO_ROUTING_INTERFACE_CHANGE      NOTCONN            WOULDBLOCK WOULDBLOCK
CloseSocket                       ok                 ok         ok
`

// noConnection are the exported methods of a provider that take no socket.
var noConnection = []string{"Ioctl" /* has a row for each code */, "Cleanup", "SetOwner", "Socket", "SocketEx", "Thread", "Version", "WaitForMultipleEvents"}

// endedScenario walks one column of the table.
func endedScenario(id, title, column, source string) Scenario {
	return Scenario{ID: id, Title: title, Source: source, Run: func(e *Env) {
		link := e.Pair()
		e.Do(func() {
			e.ended(column, func() handle {
				s, peer := e.connection()
				switch column {
				case "dropped":
					e.Net.Sleep(time.Second)
					link.Partition()
					s.keepAliveVals(time.Second, 200*time.Millisecond)
					e.Go("recv", func() { e.P.Recv(s.s, make([]byte, 1), 0) }) // it is told of the drop (C-10)
					e.Net.Sleep(5 * time.Second)
					link.Heal()
				case "resetAlive":
					s.set(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1)
					peer.reset()
				default:
					peer.reset()
				}
				return s
			})
		})
	}}
}

// ended makes every call of the table twice, on a non-blocking socket, so that
// none waits.
func (e *Env) ended(column string, end func() handle) {
	lines := strings.Split(strings.Trim(endedCodes, "\n"), "\n")
	index := slices.Index(strings.Fields(lines[0]), column)
	rows := map[string]string{}
	s := end()
	var calls int
	var wrong []string
	for _, line := range lines[1:] {
		f := strings.Fields(line)
		rows[f[0]] = f[index+1]
		call := endedCalls[f[0]]
		if i := slices.IndexFunc(options.Controls(), func(c options.ControlInfo) bool { return c.Symbol == f[0] }); i >= 0 {
			call = controlCall(options.Controls()[i])
		}
		if call == nil {
			e.Fatalf("no call %s", f[0])
		}
		want := f[index+1]
		if documented, measured, ok := strings.Cut(want, "/"); ok {
			want = byProfile(e, documented, measured)
		}
		if f[0] == "SIO_GET_BROADCAST_ADDRESS" && e.Family == wsa.AF_INET6 {
			want = "OPNOTSUPP"
		}
		for _, nonblocking := range []bool{true, false} {
			if f[0] == "CloseSocket" && !nonblocking || want == "WOULDBLOCK" && !nonblocking {
				continue
			}
			e.P.EventSelect(s.s, nil, 0)
			s.nonblocking(nonblocking)
			mayNot := nonblocking && f[0] == "Recv-all" // MSG_WAITALL is for blocking sockets
			at := e.Net.Now()
			got := symbolOf(call(e, s))
			if got != want && !mayNot {
				wrong = append(wrong, fmt.Sprintf("%s, non-blocking %v = %s, want %s", f[0], nonblocking, got, want))
			}
			Equal(e, "the time it took", e.Net.Now()-at, 0)
			calls++
		}
	}
	e.Check(wrong == nil, "%s", strings.Join(wrong, "; "))
	e.tableIsWhole(rows)
	e.Notef("%d calls", calls)
}

// tableIsWhole checks that no method and no control code lacks a row.
func (e *Env) tableIsWhole(rows map[string]string) {
	for m := range reflect.TypeFor[*provider.Provider]().Methods() {
		e.Check(rows[m.Name] != "" || slices.Contains(noConnection, m.Name), "no row for %s", m.Name)
	}
	for _, c := range options.Controls() {
		e.Check(rows[c.Symbol] != "", "no row for %s", c.Symbol)
	}
}

// symbolOf is the spelling of the table.
func symbolOf(err error) string {
	var code wsa.Errno
	if errors.As(err, &code) {
		return strings.TrimPrefix(code.Symbol(), "WSAE")
	}
	return "ok"
}

// endedCalls are the calls of the rows of endedCodes that are no control codes.
var endedCalls = map[string]func(e *Env, s handle) error{
	"Accept": func(e *Env, s handle) error {
		_, _, err := e.P.Accept(s.s)
		return err
	},
	"AcceptCond": func(e *Env, s handle) error {
		_, _, err := e.P.AcceptCond(s.s, nil)
		return err
	},
	"AcceptEx": func(e *Env, s handle) error {
		into := e.stream()
		defer e.P.CloseSocket(into.s)
		return second(e.P.AcceptEx(s.s, into.s, nil))
	},
	"AcceptEx-into": func(e *Env, s handle) error {
		l := e.listener(e.P, 0)
		defer e.P.CloseSocket(l.s)
		return second(e.P.AcceptEx(l.s, s.s, nil))
	},
	"Bind":             func(e *Env, s handle) error { return e.P.Bind(s.s, e.Any(0)) },
	"CloseSocket":      func(e *Env, s handle) error { return e.P.CloseSocket(s.s) },
	"Connect":          func(e *Env, s handle) error { return e.P.Connect(s.s, e.Addr(2, 80)) },
	"ConnectEx":        func(e *Env, s handle) error { return second(e.P.ConnectEx(s.s, e.Addr(2, 80), nil)) },
	"Disconnect":       func(e *Env, s handle) error { return e.P.Disconnect(s.s, 0, 0) },
	"Disconnect-reuse": func(e *Env, s handle) error { return e.P.Disconnect(s.s, wsa.TF_REUSE_SOCKET, 0) },
	"DisconnectEx":     func(e *Env, s handle) error { return second(e.P.DisconnectEx(s.s, 0, 0)) },
	"TransmitFile":     func(e *Env, s handle) error { return second(e.P.TransmitFile(s.s, alphabet(1), 0, 0, nil, 0)) },
	"TransmitFileAsync": func(e *Env, s handle) error {
		return second(e.P.TransmitFileAsync(s.s, alphabet(1), 0, 0, 0, nil, 0))
	},
	"TransmitPackets": func(e *Env, s handle) error { return second(e.P.TransmitPackets(s.s, packets{file(1, 0)}, 0, 0)) },
	"TransmitPacketsAsync": func(e *Env, s handle) error {
		return second(e.P.TransmitPacketsAsync(s.s, packets{file(1, 0)}, 0, 0))
	},
	"EnumNetworkEvents": func(e *Env, s handle) error {
		return second(e.P.EnumNetworkEvents(s.s, nil))
	},
	"EventSelect": func(e *Env, s handle) error {
		return e.P.EventSelect(s.s, provider.NewEvent(), wsa.FD_READ|wsa.FD_CLOSE)
	},
	"GetPeerName": func(e *Env, s handle) error { return second(e.P.GetPeerName(s.s)) },
	"GetSockName": func(e *Env, s handle) error { return second(e.P.GetSockName(s.s)) },
	"GetSockOpt":  func(e *Env, s handle) error { return second(s.tryGet(wsa.SOL_SOCKET, wsa.SO_RCVBUF)) },
	"Listen":      func(e *Env, s handle) error { return e.P.Listen(s.s, 5) },
	"Poll": func(e *Env, s handle) error {
		return second(e.P.Poll([]provider.PollFD{{Socket: s.s, Events: wsa.POLLIN}}, 0))
	},
	"Recv":      recvOf(9, 0),
	"Recv-none": recvOf(0, 0),
	"Recv-peek": recvOf(9, wsa.MSG_PEEK),
	"Recv-oob":  recvOf(9, wsa.MSG_OOB),
	"Recv-all":  recvOf(9, wsa.MSG_WAITALL),
	"RecvAsync": func(e *Env, s handle) error { return second(e.P.RecvAsync(s.s, make([]byte, 9), 0)) },
	"RecvFrom": func(e *Env, s handle) error {
		n, _, err := e.P.RecvFrom(s.s, make([]byte, 9), 0)
		return noCount(n, err)
	},
	"RecvMsg": func(e *Env, s handle) error { return second(e.P.RecvMsg(s.s, make([]byte, 9), nil, 0)) },
	"Select": func(e *Env, s handle) error {
		set := raw([]handle{s})
		_, _, _, err := e.P.Select(set, set, set, 0)
		return err
	},
	"Send":      sendOf(9, 0),
	"Send-none": sendOf(0, 0),
	"Send-oob":  sendOf(9, wsa.MSG_OOB),
	"SendAsync": func(e *Env, s handle) error { return second(e.P.SendAsync(s.s, make([]byte, 9), 0)) },
	"SendMsg": func(e *Env, s handle) error {
		return second(e.P.SendMsg(s.s, make([]byte, 9), nil, 0, e.Addr(2, 80)))
	},
	"SendTo": func(e *Env, s handle) error { return noCount(e.P.SendTo(s.s, make([]byte, 9), 0, e.Addr(2, 80))) },
	"SendToAsync": func(e *Env, s handle) error {
		return second(e.P.SendToAsync(s.s, make([]byte, 9), 0, e.Addr(2, 80)))
	},
	"SetSockOpt":       func(e *Env, s handle) error { return s.trySet(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1) },
	"Shutdown":         func(e *Env, s handle) error { return e.P.Shutdown(s.s, wsa.SD_SEND) },
	"Shutdown-receive": func(e *Env, s handle) error { return e.P.Shutdown(s.s, wsa.SD_RECEIVE) },
	"Shutdown-both":    func(e *Env, s handle) error { return e.P.Shutdown(s.s, wsa.SD_BOTH) },
}

// recvOf and sendOf are calls for so many bytes.
func recvOf(size int, flags int32) func(e *Env, s handle) error {
	return func(e *Env, s handle) error { return noCount(e.P.Recv(s.s, make([]byte, size), flags)) }
}

func sendOf(size int, flags int32) func(e *Env, s handle) error {
	return func(e *Env, s handle) error { return noCount(e.P.Send(s.s, make([]byte, size), flags)) }
}

// controlCall gives a control code an input that is right and room for all
// output.
func controlCall(c options.ControlInfo) func(e *Env, s handle) error {
	return func(e *Env, s handle) error {
		in := make([]byte, c.Size)
		if c.Type == "SOCKADDR" {
			in = wsa.AppendSockaddr(nil, e.Addr(2, 0))
		}
		if c.Code == wsa.FIONBIO {
			in[0] = 1
		}
		_, err := e.P.Ioctl(s.s, c.Code, in, make([]byte, 1024))
		return err
	}
}

// What a connection that was reset no longer has: the value of some options
// (CT-5; as measured, the time is 0xFFFFFFFF: C-01), and what others complete.
var (
	goneGets = []string{"SO_CONNECT_TIME", "IP_MTU", "IPV6_MTU"}
	goneSets = []string{"SO_UPDATE_CONNECT_CONTEXT"}
)

// optionsAfterReset walks the option table on a connection that its peer has
// reset, and on one that lives: a get fails only where there is no value any
// more, a set only with SO_KEEPALIVE (KA-33), and where the option can't be set on
// any connection.
func (e *Env) optionsAfterReset(keepAlive bool) {
	twin, _ := e.connection()
	s, peer := e.connection()
	if keepAlive {
		s.set(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1)
	}
	peer.reset()
	gets, sets := s.live()
	twinGets, twinSets := twin.live()
	var notConnected int
	for i, o := range options.Table() {
		wantGet, wantSet := twinGets[i], twinSets[i]
		measuredTime := o.Symbol == "SO_CONNECT_TIME" && e.Profile != options.Documented
		if wantGet == nil && slices.Contains(goneGets, o.Symbol) && !measuredTime {
			wantGet = wsa.WSAENOTCONN
		}
		if keepAlive && !refusedSet(o, wantSet) || slices.Contains(goneSets, o.Symbol) {
			wantSet = wsa.WSAENOTCONN
			notConnected++
		}
		e.Check(gets[i] == wantGet, "get %s: %v, want %v", o.Symbol, gets[i], wantGet)
		e.Check(sets[i] == wantSet, "set %s: %v, want %v", o.Symbol, sets[i], wantSet)
	}
	e.Check(keepAlive == (notConnected >= 50), "WSAENOTCONN %d times", notConnected)
	e.Notef("get works but for %v; set: WSAENOTCONN %d times", goneGets, notConnected)
}
