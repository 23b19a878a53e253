package conform

import (
	"time"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// everyControl walks the control codes on a connection that was dropped, on one
// that the peer has reset, with keep-alive and without, and on one that lives.
func everyControl(e *Env) {
	link := e.Pair()
	e.Do(func() {
		live, _ := e.Connected()
		var dead []wsa.SOCKET
		for keepAlive := range uint32(2) {
			c, s := e.Connected()
			e.Set(e.P, c, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, keepAlive)
			e.Linger(e.Q, s, 0)
			e.Code("CloseSocket", e.Q.CloseSocket(s), 0)
			dead = append(dead, c)
		}
		dropped, _ := e.Connected()
		e.Net.Sleep(time.Second)
		link.Partition()
		e.keepAliveVals(dropped, time.Second, 200*time.Millisecond)
		e.Net.Sleep(time.Minute)
		for _, s := range append(dead, live, dropped) {
			e.Nonblocking(e.P, s, true)
		}
		walked := 0
		for _, code := range options.Controls() {
			want := e.control(live, code)
			afterDrop, afterReset, watched := want, want, want
			switch early := want == wsa.WSAEOPNOTSUPP || want == wsa.WSAEFAULT; {
			case early || code.Code == wsa.FIONBIO:
			default:
				walked++
				afterDrop = wsa.WSAENOTCONN
				switch {
				case ofConnection[code.Code]:
					afterReset, watched = wsa.WSAENOTCONN, wsa.WSAENOTCONN
				case code.Size > 0 && code.Output == "" && !code.Elsewhere:
					watched = wsa.WSAENOTCONN // KA-33
				}
			}
			e.Code(code.Symbol+" after a drop", e.control(dropped, code), afterDrop)
			e.Code(code.Symbol+" after a reset", e.control(dead[0], code), afterReset)
			e.Code(code.Symbol+" after a reset, with keep-alive", e.control(dead[1], code), watched)
		}
		e.Check(walked >= 14, "only %d codes were walked", walked)
		e.Notef("WSAENOTCONN for %d codes after a drop, for those of the connection after a reset", walked)
	})
}

// ofConnection are the codes that tell of a connection.
var ofConnection = map[uint32]bool{
	wsa.SIO_TCP_INFO: true, wsa.SIO_IDEAL_SEND_BACKLOG_QUERY: true, wsa.FIONREAD: true, wsa.SIOCATMARK: true,
}

// control makes a call with an input that the code takes, and returns its code.
func (e *Env) control(s wsa.SOCKET, code options.ControlInfo) wsa.Errno {
	in := make([]byte, max(code.Size, 16))[:code.Size]
	switch code.Type {
	case "SOCKADDR":
		in = wsa.AppendSockaddr(nil, e.Addr(2, 80))
	case "WSA_COMPATIBILITY_MODE":
		in[0] = 1 // WsaBehaviorReceiveBuffering
	}
	if code.Code == wsa.FIONBIO {
		in[0] = 1
	}
	_, err := e.P.Ioctl(s, code.Code, in, make([]byte, 1024))
	if err == nil {
		return 0
	}
	return err.(wsa.Errno)
}
