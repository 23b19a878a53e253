package provider_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/wsa"
)

// The codes that the pages of the calls give, and SH, RS and KA, spelled out: a
// column is a state, a row a call. A cell is the code without "WSAE", "ok", or
// "-" where the documents say nothing. "waits" stands for a call that waits on
// a blocking socket, until closesocket makes it WSAEINTR, and is
// WSAEWOULDBLOCK on a non-blocking one; "A/B" for A when non-blocking, B when
// blocking.
//
// shutdown is SH-6, with how = 3 SH-6's WSAEINVAL.
const streamCodes = `
            fresh                   bound                   listening  connecting  connected  sendShut  recvShut  atEnd    reset      failed                  closed
bind        ok                      INVAL                   INVAL      INVAL       INVAL      INVAL     INVAL     INVAL    INVAL      -                       NOTSOCK
listen      INVAL                   ok                      ok         INVAL       ISCONN     ISCONN    ISCONN    ISCONN   ISCONN     -                       NOTSOCK
listen-neg  INVAL                   INVAL                   -          INVAL       -          -         -         -        -          INVAL                   NOTSOCK
accept      INVAL                   INVAL                   waits      INVAL       INVAL      INVAL     INVAL     INVAL    INVAL      INVAL                   NOTSOCK
connect     WOULDBLOCK/CONNREFUSED  WOULDBLOCK/CONNREFUSED  INVAL      ALREADY     ISCONN     ISCONN    ISCONN    ISCONN   -          WOULDBLOCK/CONNREFUSED  NOTSOCK
connect-0   ADDRNOTAVAIL            ADDRNOTAVAIL            INVAL      ALREADY     ISCONN     ISCONN    ISCONN    ISCONN   -          ADDRNOTAVAIL            NOTSOCK
connect-any ADDRNOTAVAIL            ADDRNOTAVAIL            INVAL      ALREADY     ISCONN     ISCONN    ISCONN    ISCONN   -          ADDRNOTAVAIL            NOTSOCK
connect-af  AFNOSUPPORT             AFNOSUPPORT             AFNOSUPPORT AFNOSUPPORT AFNOSUPPORT AFNOSUPPORT AFNOSUPPORT AFNOSUPPORT AFNOSUPPORT AFNOSUPPORT   NOTSOCK
connect-nil FAULT                   FAULT                   FAULT      FAULT       FAULT      FAULT     FAULT     FAULT    FAULT      FAULT                   NOTSOCK
send        NOTCONN                 NOTCONN                 NOTCONN    NOTCONN     ok         SHUTDOWN  ok        ok       CONNRESET  NOTCONN                 NOTSOCK
send-oob    NOTCONN                 NOTCONN                 NOTCONN    NOTCONN     ok         SHUTDOWN  ok        ok       CONNRESET  NOTCONN                 NOTSOCK
sendto      NOTCONN                 NOTCONN                 NOTCONN    NOTCONN     ok         SHUTDOWN  ok        ok       CONNRESET  NOTCONN                 NOTSOCK
sendto-nil  NOTCONN                 NOTCONN                 NOTCONN    NOTCONN     ok         SHUTDOWN  ok        ok       CONNRESET  NOTCONN                 NOTSOCK
send-none   NOTCONN                 NOTCONN                 NOTCONN    NOTCONN     ok         SHUTDOWN  ok        ok       CONNRESET  NOTCONN                 NOTSOCK
transmit    NOTCONN                 NOTCONN                 NOTCONN    NOTCONN     ok         SHUTDOWN  ok        ok       CONNRESET  NOTCONN                 NOTSOCK
transmit-ov NOTCONN                 NOTCONN                 NOTCONN    NOTCONN     ok         SHUTDOWN  ok        ok       CONNRESET  NOTCONN                 NOTSOCK
transmit-re INVAL                   INVAL                   INVAL      INVAL       INVAL      INVAL     INVAL     INVAL    INVAL      INVAL                   NOTSOCK
packets     NOTCONN                 NOTCONN                 NOTCONN    NOTCONN     ok         SHUTDOWN  ok        ok       CONNRESET  NOTCONN                 NOTSOCK
packets-ov  NOTCONN                 NOTCONN                 NOTCONN    NOTCONN     ok         SHUTDOWN  ok        ok       CONNRESET  NOTCONN                 NOTSOCK
send-flag   INVAL                   INVAL                   INVAL      INVAL       INVAL      INVAL     INVAL     INVAL    INVAL      INVAL                   NOTSOCK
recv        NOTCONN                 NOTCONN                 NOTCONN    NOTCONN     waits      waits     SHUTDOWN  ok       CONNRESET  NOTCONN                 NOTSOCK
recvfrom    NOTCONN                 NOTCONN                 NOTCONN    NOTCONN     waits      waits     SHUTDOWN  ok       CONNRESET  NOTCONN                 NOTSOCK
recv-none   NOTCONN                 NOTCONN                 NOTCONN    NOTCONN     ok         ok        SHUTDOWN  ok       CONNRESET  NOTCONN                 NOTSOCK
recv-peek   NOTCONN                 NOTCONN                 NOTCONN    NOTCONN     waits      waits     SHUTDOWN  ok       CONNRESET  NOTCONN                 NOTSOCK
recv-oob    NOTCONN                 NOTCONN                 NOTCONN    NOTCONN     waits      waits     SHUTDOWN  ok       CONNRESET  NOTCONN                 NOTSOCK
recv-all    -                       -                       -          -           OPNOTSUPP/INTR -     -         OPNOTSUPP/ok -      -                       NOTSOCK
recv-flag   INVAL                   INVAL                   INVAL      INVAL       INVAL      INVAL     INVAL     INVAL    INVAL      INVAL                   NOTSOCK
shutdown    NOTCONN                 NOTCONN                 NOTCONN    NOTCONN     ok         ok        ok        ok       CONNRESET  NOTCONN                 NOTSOCK
shutdown-3  INVAL                   INVAL                   INVAL      INVAL       INVAL      INVAL     INVAL     INVAL    INVAL      INVAL                   NOTSOCK
getsockname INVAL                   ok                      ok         ok          ok         ok        ok        ok       ok         -                       NOTSOCK
getpeername NOTCONN                 NOTCONN                 NOTCONN    NOTCONN     ok         ok        ok        ok       -          NOTCONN                 NOTSOCK
keepalive   ok                      ok                      ok         INVAL       ok         ok        ok        ok       ok         ok                      NOTSOCK
nodelay     ok                      ok                      ok         ok          ok         ok        ok        ok       ok         ok                      NOTSOCK
getsockopt  ok                      ok                      ok         ok          ok         ok        ok        ok       ok         ok                      NOTSOCK
fionbio     ok                      ok                      ok         ok          ok         ok        ok        ok       ok         ok                      NOTSOCK
fionread    -                       -                       -          -           ok         ok        ok        ok       -          -                       NOTSOCK
atmark      ok                      ok                      ok         ok          ok         ok        ok        ok       NOTCONN    ok                      NOTSOCK
unknown     OPNOTSUPP               OPNOTSUPP               OPNOTSUPP  OPNOTSUPP   OPNOTSUPP  OPNOTSUPP OPNOTSUPP OPNOTSUPP OPNOTSUPP OPNOTSUPP               NOTSOCK
select      ok                      ok                      ok         ok          ok         ok        ok        ok       ok         ok                      NOTSOCK
closesocket ok                      ok                      ok         ok          ok         ok        ok        ok       ok         ok                      NOTSOCK
`

// The same for datagram sockets. unreachable: an ICMP error has come (NB-3).
const datagramCodes = `
            fresh        bound        connected    sendShut  recvShut  unreachable  closed
bind        ok           INVAL        INVAL        INVAL     INVAL     INVAL        NOTSOCK
listen      OPNOTSUPP    OPNOTSUPP    OPNOTSUPP    OPNOTSUPP OPNOTSUPP OPNOTSUPP    NOTSOCK
accept      OPNOTSUPP    OPNOTSUPP    OPNOTSUPP    OPNOTSUPP OPNOTSUPP OPNOTSUPP    NOTSOCK
connect     ok           ok           ok           -         -         ok           NOTSOCK
connect-0   ADDRNOTAVAIL ADDRNOTAVAIL ADDRNOTAVAIL -         -         ADDRNOTAVAIL NOTSOCK
connect-af  AFNOSUPPORT  AFNOSUPPORT  AFNOSUPPORT  -         -         AFNOSUPPORT  NOTSOCK
connect-nil FAULT        FAULT        FAULT        FAULT     FAULT     FAULT        NOTSOCK
send        NOTCONN      NOTCONN      ok           SHUTDOWN  ok        ok           NOTSOCK
send-none   NOTCONN      NOTCONN      ok           SHUTDOWN  ok        ok           NOTSOCK
transmit    INVAL        INVAL        INVAL        INVAL     INVAL     INVAL        NOTSOCK
transmit-ov INVAL        INVAL        INVAL        INVAL     INVAL     INVAL        NOTSOCK
transmit-re INVAL        INVAL        INVAL        INVAL     INVAL     INVAL        NOTSOCK
packets     NOTCONN      NOTCONN      ok           SHUTDOWN  ok        ok           NOTSOCK
packets-ov  NOTCONN      NOTCONN      ok           SHUTDOWN  ok        ok           NOTSOCK
packets-end INVAL        INVAL        INVAL        INVAL     INVAL     INVAL        NOTSOCK
send-flag   INVAL        INVAL        INVAL        INVAL     INVAL     INVAL        NOTSOCK
send-oob    OPNOTSUPP    OPNOTSUPP    OPNOTSUPP    OPNOTSUPP OPNOTSUPP OPNOTSUPP    NOTSOCK
sendto      ok           ok           ok           SHUTDOWN  ok        ok           NOTSOCK
sendto-nil  DESTADDRREQ  DESTADDRREQ  ok           SHUTDOWN  ok        ok           NOTSOCK
sendto-0    ADDRNOTAVAIL ADDRNOTAVAIL ADDRNOTAVAIL -         -         ADDRNOTAVAIL NOTSOCK
sendto-af   AFNOSUPPORT  AFNOSUPPORT  AFNOSUPPORT  -         -         AFNOSUPPORT  NOTSOCK
recv        INVAL        waits        waits        waits     SHUTDOWN  CONNRESET    NOTSOCK
recvfrom    INVAL        waits        waits        waits     SHUTDOWN  CONNRESET    NOTSOCK
recv-peek   INVAL        waits        waits        waits     SHUTDOWN  CONNRESET    NOTSOCK
recv-oob    OPNOTSUPP    OPNOTSUPP    OPNOTSUPP    OPNOTSUPP OPNOTSUPP OPNOTSUPP    NOTSOCK
recv-flag   INVAL        INVAL        INVAL        INVAL     INVAL     INVAL        NOTSOCK
shutdown    ok           ok           ok           ok        ok        ok           NOTSOCK
shutdown-3  INVAL        INVAL        INVAL        INVAL     INVAL     INVAL        NOTSOCK
getsockname INVAL        ok           ok           ok        ok        ok           NOTSOCK
getpeername NOTCONN      NOTCONN      ok           ok        ok        ok           NOTSOCK
keepalive   NOPROTOOPT   NOPROTOOPT   NOPROTOOPT   NOPROTOOPT NOPROTOOPT NOPROTOOPT NOTSOCK
nodelay     NOPROTOOPT   NOPROTOOPT   NOPROTOOPT   NOPROTOOPT NOPROTOOPT NOPROTOOPT NOTSOCK
getsockopt  ok           ok           ok           ok        ok        ok           NOTSOCK
fionbio     ok           ok           ok           ok        ok        ok           NOTSOCK
fionread    -            ok           ok           ok        ok        -            NOTSOCK
atmark      INVAL        INVAL        INVAL        INVAL     INVAL     INVAL        NOTSOCK
unknown     OPNOTSUPP    OPNOTSUPP    OPNOTSUPP    OPNOTSUPP OPNOTSUPP OPNOTSUPP    NOTSOCK
select      ok           ok           ok           ok        ok        ok           NOTSOCK
closesocket ok           ok           ok           ok        ok        ok           NOTSOCK
`

// streamStates and datagramStates make the sockets of the columns, in blocking
// mode.
var streamStates = map[string]func(l *lab, af int32) wsa.SOCKET{
	"fresh":      (*lab).stream,
	"bound":      func(l *lab, af int32) wsa.SOCKET { return l.bind(l.stream(af), addrA(af, 0)) },
	"listening":  (*lab).listening,
	"connecting": (*lab).connecting,
	"connected":  (*lab).connected,
	"sendShut":   func(l *lab, af int32) wsa.SOCKET { return l.after(af, wsa.SD_SEND) },
	"recvShut":   func(l *lab, af int32) wsa.SOCKET { return l.after(af, wsa.SD_RECEIVE) },
	"atEnd":      (*lab).atEnd,
	"reset":      (*lab).reset,
	"failed":     (*lab).failed,
	"closed":     func(l *lab, af int32) wsa.SOCKET { return l.closed(af, wsa.SOCK_STREAM) },
}

var datagramStates = map[string]func(l *lab, af int32) wsa.SOCKET{
	"fresh":       (*lab).datagram,
	"bound":       func(l *lab, af int32) wsa.SOCKET { return l.bind(l.datagram(af), addrA(af, 0)) },
	"connected":   (*lab).udpConnected,
	"sendShut":    func(l *lab, af int32) wsa.SOCKET { return l.udpAfter(af, wsa.SD_SEND) },
	"recvShut":    func(l *lab, af int32) wsa.SOCKET { return l.udpAfter(af, wsa.SD_RECEIVE) },
	"unreachable": (*lab).unreachable,
	"closed":      func(l *lab, af int32) wsa.SOCKET { return l.closed(af, wsa.SOCK_DGRAM) },
}

// otherFamily is an address of the other family.
func otherFamily(af int32) netip.AddrPort {
	return addrB(wsa.AF_INET+wsa.AF_INET6-af, closedPort)
}

var onePacket = []wsa.TransmitPacketsElement{{File: strings.NewReader("x")}}

// outcome waits for an operation, if it has started.
func outcome(o *provider.Overlapped, err error) error {
	if err == nil {
		_, err = o.Wait()
	}
	return err
}

// calls makes the calls of the rows on a socket of stack a.
var calls = map[string]func(l *lab, s wsa.SOCKET, af int32) error{
	"bind":        func(l *lab, s wsa.SOCKET, af int32) error { return l.a.Bind(s, addrA(af, 0)) },
	"listen":      func(l *lab, s wsa.SOCKET, af int32) error { return l.a.Listen(s, 5) },
	"listen-neg":  func(l *lab, s wsa.SOCKET, af int32) error { return l.a.Listen(s, -1) },
	"connect":     func(l *lab, s wsa.SOCKET, af int32) error { return l.a.Connect(s, addrB(af, closedPort)) },
	"connect-0":   func(l *lab, s wsa.SOCKET, af int32) error { return l.a.Connect(s, addrB(af, 0)) },
	"connect-any": func(l *lab, s wsa.SOCKET, af int32) error { return l.a.Connect(s, wildcard(af, 80)) },
	"connect-af":  func(l *lab, s wsa.SOCKET, af int32) error { return l.a.Connect(s, otherFamily(af)) },
	"connect-nil": func(l *lab, s wsa.SOCKET, af int32) error { return l.a.Connect(s, netip.AddrPort{}) },
	"shutdown":    func(l *lab, s wsa.SOCKET, af int32) error { return l.a.Shutdown(s, wsa.SD_SEND) },
	"shutdown-3":  func(l *lab, s wsa.SOCKET, af int32) error { return l.a.Shutdown(s, 3) },
	"keepalive": func(l *lab, s wsa.SOCKET, af int32) error {
		return setInt(l.a, s, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1)
	},
	"nodelay": func(l *lab, s wsa.SOCKET, af int32) error {
		return setInt(l.a, s, wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1)
	},
	"closesocket": func(l *lab, s wsa.SOCKET, af int32) error { return l.a.CloseSocket(s) },
	"accept": func(l *lab, s wsa.SOCKET, af int32) error {
		n, peer, err := l.a.Accept(s)
		if n != wsa.INVALID_SOCKET || peer.IsValid() {
			return fmt.Errorf("Accept = %v, %v, %v", n, peer, err)
		}
		return err
	},
	"getsockname": func(l *lab, s wsa.SOCKET, af int32) error { return checkName(l.a.GetSockName(s)) },
	"getpeername": func(l *lab, s wsa.SOCKET, af int32) error { return checkName(l.a.GetPeerName(s)) },
	"getsockopt": func(l *lab, s wsa.SOCKET, af int32) error {
		_, err := getInt(l.a, s, wsa.SOL_SOCKET, wsa.SO_TYPE)
		return err
	},
	"select": func(l *lab, s wsa.SOCKET, af int32) error {
		_, _, _, err := l.a.Select([]wsa.SOCKET{s}, []wsa.SOCKET{s}, []wsa.SOCKET{s}, 0)
		return err
	},

	"transmit": func(l *lab, s wsa.SOCKET, af int32) error {
		_, err := l.a.TransmitFile(s, strings.NewReader("x"), 0, 0, nil, 0)
		return err
	},
	"transmit-ov": func(l *lab, s wsa.SOCKET, af int32) error {
		return outcome(l.a.TransmitFileAsync(s, strings.NewReader("x"), 0, 0, 0, nil, wsa.TF_WRITE_BEHIND))
	},
	"transmit-re": func(l *lab, s wsa.SOCKET, af int32) error {
		_, err := l.a.TransmitFile(s, nil, 0, 0, nil, wsa.TF_REUSE_SOCKET)
		return err
	},
	"packets": func(l *lab, s wsa.SOCKET, af int32) error {
		_, err := l.a.TransmitPackets(s, onePacket, 0, 0)
		return err
	},
	"packets-ov": func(l *lab, s wsa.SOCKET, af int32) error {
		return outcome(l.a.TransmitPacketsAsync(s, onePacket, 0, 0))
	},
	"packets-end": func(l *lab, s wsa.SOCKET, af int32) error {
		_, err := l.a.TransmitPackets(s, onePacket, 0, wsa.TP_DISCONNECT)
		return err
	},
	"send":       sendCall(1, 0),
	"send-none":  sendCall(0, 0),
	"send-flag":  sendCall(1, 0x4000_0000),
	"send-oob":   sendCall(1, wsa.MSG_OOB),
	"sendto":     sendToCall(func(af int32) netip.AddrPort { return addrB(af, closedPort) }),
	"sendto-0":   sendToCall(func(af int32) netip.AddrPort { return addrB(af, 0) }),
	"sendto-af":  sendToCall(otherFamily),
	"sendto-nil": sendToCall(func(int32) netip.AddrPort { return netip.AddrPort{} }),
	"recv":       recvCall(1, 0),
	"recv-none":  recvCall(0, 0),
	"recv-peek":  recvCall(1, wsa.MSG_PEEK),
	"recv-all":   recvCall(1, wsa.MSG_WAITALL),
	"recv-oob":   recvCall(1, wsa.MSG_OOB),
	"recv-flag":  recvCall(1, 0x4000_0000),
	"recvfrom": func(l *lab, s wsa.SOCKET, af int32) error {
		n, from, err := l.a.RecvFrom(s, make([]byte, 1), 0)
		if n != 0 || from.IsValid() {
			return fmt.Errorf("RecvFrom = %v, %v, %v", n, from, err)
		}
		return err
	},

	"fionbio":  ioctlCall(wsa.FIONBIO, []byte{1, 0, 0, 0}, 0),
	"fionread": ioctlCall(wsa.FIONREAD, nil, 4),
	"atmark":   ioctlCall(wsa.SIOCATMARK, nil, 4),
	"unknown":  ioctlCall(wsa.SIO_FLUSH, nil, 0),
}

func checkName(name netip.AddrPort, err error) error {
	if name.IsValid() != (err == nil) {
		return fmt.Errorf("name %v, error %v", name, err)
	}
	return err
}

func sendCall(size int, flags int32) func(l *lab, s wsa.SOCKET, af int32) error {
	return func(l *lab, s wsa.SOCKET, af int32) error {
		n, err := l.a.Send(s, make([]byte, size), flags)
		if err == nil && n != size || err != nil && n != 0 {
			return fmt.Errorf("Send = %v, %v", n, err)
		}
		return err
	}
}

func sendToCall(to func(af int32) netip.AddrPort) func(l *lab, s wsa.SOCKET, af int32) error {
	return func(l *lab, s wsa.SOCKET, af int32) error {
		_, err := l.a.SendTo(s, []byte{1}, 0, to(af))
		return err
	}
}

func recvCall(size int, flags int32) func(l *lab, s wsa.SOCKET, af int32) error {
	return func(l *lab, s wsa.SOCKET, af int32) error {
		n, err := l.a.Recv(s, make([]byte, size), flags)
		if n != 0 {
			return fmt.Errorf("Recv = %v, %v", n, err)
		}
		return err
	}
}

func ioctlCall(code uint32, in []byte, out int) func(l *lab, s wsa.SOCKET, af int32) error {
	return func(l *lab, s wsa.SOCKET, af int32) error {
		n, err := l.a.Ioctl(s, code, in, make([]byte, out))
		if err == nil && n != out || err != nil && n != 0 {
			return fmt.Errorf("Ioctl = %v, %v", n, err)
		}
		return err
	}
}

func TestStreamCodes(t *testing.T)   { testCodes(t, streamCodes, streamStates) }
func TestDatagramCodes(t *testing.T) { testCodes(t, datagramCodes, datagramStates) }

func testCodes(t *testing.T, table string, states map[string]func(*lab, int32) wsa.SOCKET) {
	lines := strings.Split(strings.Trim(table, "\n"), "\n")
	columns := strings.Fields(lines[0])
	require.Len(t, columns, len(states), "a state without a column")
	families(t, func(t *testing.T, af int32) {
		for _, line := range lines[1:] {
			cells := strings.Fields(line)
			require.Len(t, cells, len(columns)+1, line)
			t.Run(cells[0], func(t *testing.T) {
				l := newLab(t) // one each: netstack limits the rate of ICMP errors
				for i, cell := range cells[1:] {
					for _, nonblocking := range []bool{true, false} {
						name := fmt.Sprintf("%s, non-blocking %v", columns[i], nonblocking)
						testCell(l, name, states[columns[i]], calls[cells[0]], cell, af, nonblocking)
					}
				}
				require.Zero(t, l.sa.Stats().Sockets)
			})
		}
	})
}

// testCell checks one cell, and closes the socket.
func testCell(l *lab, name string, state func(*lab, int32) wsa.SOCKET, call func(*lab, wsa.SOCKET, int32) error, cell string, af int32, nonblocking bool) {
	if cell == "-" {
		return
	}
	s := state(l, af)
	waits := false
	if nonblocking && cell != "NOTSOCK" {
		l.nonblocking(l.a, s, true)
	}
	want := cell
	if a, b, both := strings.Cut(cell, "/"); both {
		want = map[bool]string{true: a, false: b}[nonblocking]
		waits = b == "INTR" && !nonblocking
	}
	if cell == "waits" {
		want = map[bool]string{true: "WOULDBLOCK", false: "INTR"}[nonblocking]
		waits = !nonblocking
	}
	var err error
	if waits {
		err = l.blocked(func() error { return call(l, s, af) }, func() { require.NoError(l, l.a.CloseSocket(s), name) })
	} else {
		err = call(l, s, af)
		l.a.CloseSocket(s)
	}
	if got := codeName(err); got != want {
		l.Errorf("%s = %s, want %s", name, got, want)
	}
}

// codeName is the spelling of the tables.
func codeName(err error) string {
	var code wsa.Errno
	switch {
	case err == nil:
		return "ok"
	case !errors.As(err, &code):
		return err.Error()
	}
	return strings.TrimPrefix(code.Symbol(), "WSAE")
}

// A client of version 1.x is told WSAEINVAL where the others get WSAEALREADY.
func TestConnectingLegacyClient(t *testing.T) {
	l := newLab(t)
	for _, version := range []uint16{0x0001, 0x0101} {
		l.a = startupVersion(t, l.sa, version)
		s := l.connecting(wsa.AF_INET)
		require.Equal(t, wsa.WSAEINVAL, l.a.Connect(s, nobody(wsa.AF_INET, 80)))
		require.NoError(t, l.a.Cleanup())
	}
	require.Zero(t, l.sa.Stats().Sockets)
}
