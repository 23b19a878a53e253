package conform

import (
	"time"

	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/wsa"
)

func init() { evScenarios = append(evScenarios, historyScenarios...) }

// historyScenarios are about events that depend on what the socket has been
// through, not on its state alone.
var historyScenarios = []Scenario{
	{ID: "EV-1", Title: "a mask of 0 makes the socket non-blocking", Source: "API-WSAEventSelect", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, _ := e.Connected()
			e.Code("mask without event", e.P.EventSelect(c, nil, wsa.FD_READ), wsa.WSAEINVAL)
			e.Nonblocking(e.P, c, false) // a selection that fails changes nothing
			e.Set(e.P, c, wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 100)
			e.recvOn(e.P, c, 1, wsa.WSAETIMEDOUT)
			e.Code("EventSelect 0", e.P.EventSelect(c, nil, 0), 0)
			e.recvOn(e.P, c, 1, wsa.WSAEWOULDBLOCK)
			e.Nonblocking(e.P, c, false) // nothing is selected
			e.recvOn(e.P, c, 1, wsa.WSAETIMEDOUT)
		})
		e.Notef("WSAEWOULDBLOCK without a selection; FIONBIO 0 makes it blocking again")
	}},
	{ID: "EV-2", Title: "FD_CLOSE once in the life of a socket", Source: "API-WSAEventSelect", Profiles: bothProfiles, Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			for _, end := range []struct {
				how    func(peer wsa.SOCKET)
				closes string
			}{
				{func(s wsa.SOCKET) { e.Code("Shutdown", e.Q.Shutdown(s, wsa.SD_SEND), 0) }, "CLOSE"},
				{e.resetBy, byProfile(e, "CLOSE 10054", "CLOSE 10053")},
			} {
				c, s := e.Connected()
				w := e.watch(e.P, c, wsa.FD_READ)
				end.how(s)
				w.want("not selected", "")
				e.watch(e.P, c, wsa.FD_CLOSE)
				w = e.watch(e.P, c, wsa.FD_CLOSE) // the record of the first went unseen
				w.want("selected", end.closes)
				w = e.watch(e.P, c, wsa.FD_CLOSE|wsa.FD_READ|wsa.FD_OOB)
				w.want("selected again", "")
				e.Code("EventSelect 0", e.P.EventSelect(c, nil, 0), 0)
				w = e.watch(e.P, c, wsa.FD_CLOSE)
				w.want("after a selection of nothing", "")
			}
			c, s := e.Connected() // a reset after the FIN isn't a second end
			w := e.watch(e.P, c, wsa.FD_CLOSE)
			e.Code("Shutdown", e.Q.Shutdown(s, wsa.SD_SEND), 0)
			w.want("FIN", "CLOSE")
			e.resetBy(s)
			w.want("then a reset", "")
			w = e.watch(e.P, c, wsa.FD_CLOSE)
			w.want("selected again", "")
		})
		e.Notef("not again by another selection, whatever ended the connection")
	}},
	{ID: "EV-2", Title: "FD_CONNECT belongs to a connect", Source: "API-WSAEventSelect", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			const mask = wsa.FD_CONNECT | wsa.FD_WRITE
			l := e.Listener(e.P, 80)
			dial := func() wsa.SOCKET {
				q := e.Socket(e.Q, wsa.SOCK_STREAM)
				e.Code("Connect", e.Q.Connect(q, e.Addr(1, 80)), 0)
				e.Net.Sleep(time.Second)
				return q
			}
			q := dial()
			e.selects(e.Q, q, mask, "WRITE, CONNECT")
			e.selects(e.Q, q, mask, "WRITE, CONNECT") // it is still connected
			s, _, err := e.P.Accept(l)
			e.Code("Accept", err, 0)
			e.selects(e.P, s, mask, "WRITE")
			e.selects(e.P, s, mask, "WRITE")

			fresh, failed := e.Stream(), e.Stream()
			e.Nonblocking(e.P, failed, true)
			e.Code("Connect", e.P.Connect(failed, e.Addr(2, 9)), wsa.WSAEWOULDBLOCK)
			e.watch(e.P, failed, mask).want("refused", "CONNECT 10061")
			for _, into := range []wsa.SOCKET{fresh, failed} {
				w := e.watch(e.P, into, mask)
				w.take() // of the attempt that failed
				o, err := e.P.AcceptEx(l, into, nil)
				e.Code("AcceptEx", err, 0)
				dial()
				Equal(e, "AcceptEx", e.outcome(o), "0 success")
				w.want("accepted", "WRITE")
				e.selects(e.P, into, mask, "WRITE")
				e.Code("SO_UPDATE_ACCEPT_CONTEXT", e.P.SetSockOpt(into, wsa.SOL_SOCKET, wsa.SO_UPDATE_ACCEPT_CONTEXT, handleBytes(l), 8), 0)
				e.selects(e.P, into, mask, "WRITE")
			}

			e.Listener(e.Q, 81)
			c := e.bound(0)
			o, err := e.P.ConnectEx(c, e.Addr(2, 81), nil)
			e.Code("ConnectEx", err, 0)
			Equal(e, "ConnectEx", e.outcome(o), "0 success")
			e.selects(e.P, c, mask, "WRITE, CONNECT")
		})
		e.Notef("connect and ConnectEx have it; accept, AcceptEx and the context update never do")
	}},
}

// selects selects events and expects what that alone records.
func (e *Env) selects(p *provider.Provider, s wsa.SOCKET, mask int32, events string) {
	Equal(e, "events of a selection", e.watch(p, s, mask).take(), events)
}
