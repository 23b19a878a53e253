package conform

import (
	"fmt"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/wsa"
)

var shutdownScenarios = []Scenario{
	{ID: "SH-2", Title: "a receive that is pending", Source: "OBS, C-47", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			s, p := e.connectTo(w, 80)
			done := e.Go("recv", func() {
				n, err := e.P.Recv(s, make([]byte, 10), 0)
				e.Code("the pending Recv", err, 0)
				Equal(e, "bytes", n, 4)
			})
			e.Net.Sleep(time.Second)
			e.Code("Shutdown", e.P.Shutdown(s, wsa.SD_RECEIVE), 0)
			e.recvOn(e.P, s, 1, wsa.WSAESHUTDOWN)
			e.Net.Sleep(time.Second)
			p.Send("[P.]", []byte("next")...)
			p.Expect("[.] ack 5")
			done.Wait()
			e.Net.Sleep(time.Second)
			Equal(e, "RSTs", e.Count("a", has(trace.RST)), 0)
			p.Send("[P.]", []byte("later")...)
			p.Expect("[R.] ack 5") // what nobody gets is not acknowledged
			for range 2 {
				e.recvOn(e.P, s, 1, wsa.WSAESHUTDOWN)
			}
			_, err := e.P.Send(s, []byte("x"), 0)
			e.Code("Send", err, wsa.WSAECONNABORTED)
		})
		e.Notef("it takes the next data, without a RST; later data resets, and is not acknowledged")
	}},
	{ID: "SH-2", Title: "more than a pending receive takes", Source: "C-47", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			s, p := e.connectTo(w, 80)
			done := e.Go("recv", func() {
				n, err := e.P.Recv(s, make([]byte, 4), 0)
				e.Code("the pending Recv", err, 0)
				Equal(e, "bytes", n, 4)
			})
			e.Net.Sleep(time.Second)
			e.Code("Shutdown", e.P.Shutdown(s, wsa.SD_BOTH), 0)
			p.Expect("[F.] seq 1")
			p.Send("[P.]", []byte("nextlater")...)
			p.Expect("[.] ack 10")
			done.Wait()
			p.Expect("[R.]")
		})
		e.Notef("the rest draws a RST")
	}},
	{ID: "SH-5", Title: "shutdown in every state", Source: "API-shutdown", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			for i, state := range tcpStates {
				s, _ := e.inState(w, uint16(80+i), state)
				for _, how := range []int32{wsa.SD_SEND, wsa.SD_RECEIVE, wsa.SD_BOTH} {
					e.Code(fmt.Sprintf("Shutdown(%d) in %s", how, state.name), e.P.Shutdown(s, how), 0)
				}
				_, err := e.P.Send(s, []byte("x"), 0)
				e.Code("Send in "+state.name, err, wsa.WSAESHUTDOWN)
				e.recvOn(e.P, s, 1, wsa.WSAESHUTDOWN)
				e.Linger(e.P, s, 0)
				e.closesIn("in "+state.name, s, 0)
			}
		})
		e.Notef("0 from ESTABLISHED to TIME_WAIT")
	}},
}
