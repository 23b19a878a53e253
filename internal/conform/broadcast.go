package conform

import "github.com/wsstack/wsstack/wsa"

var sentBroadcast = []Scenario{
	{ID: "BC-3", Title: "TRUE, and FALSE again", Source: "W-SOL", Once: true, Run: func(e *Env) {
		e.Pair()
		s, c := e.Datagram(), e.Datagram()
		e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_BROADCAST, 1)
		e.Set(e.P, c, wsa.SOL_SOCKET, wsa.SO_BROADCAST, 1)
		e.Code("Connect", e.P.Connect(c, addrOf("10.0.0.255:9")), 0)
		send := func(want wsa.Errno) {
			for _, to := range []string{"255.255.255.255:9", "10.0.0.255:9"} {
				_, err := e.P.SendTo(s, []byte("x"), 0, addrOf(to))
				e.Code("SendTo "+to, err, want)
			}
			_, err := e.P.Send(c, []byte("x"), 0)
			e.Code("Send to the connected peer", err, want)
		}
		send(0)
		e.Net.Idle()
		lines := e.Segments("a")
		Equal(e, "datagrams", len(lines), 3)
		for _, l := range lines {
			e.Check(l.To == "b", "sent to %s, not on the link", l.To)
		}
		e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_BROADCAST, 0)
		e.Set(e.P, c, wsa.SOL_SOCKET, wsa.SO_BROADCAST, 0)
		send(wsa.WSAEACCES)
		e.Net.Idle()
		Equal(e, "datagrams after that", len(e.Segments("a")), 3)
		e.Notef("three datagrams on the link; then WSAEACCES for all, the connected socket's send included, and nothing sent")
	}},
	{ID: "BC-5", Title: "receipt", Source: "S-GET, S-SET", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.Datagram()
		e.Code("Bind", e.P.Bind(s, e.Any(9)), 0)
		e.Nonblocking(e.P, s, true)
		from := e.Socket(e.Q, wsa.SOCK_DGRAM)
		e.Set(e.Q, from, wsa.SOL_SOCKET, wsa.SO_BROADCAST, 1)
		recv := func(what string, want wsa.Errno) {
			ready := "rw"
			if want != 0 {
				ready = "w"
			}
			for _, to := range []string{"255.255.255.255:9", "10.0.0.255:9"} {
				for _, text := range []string{"x", ""} {
					_, err := e.Q.SendTo(from, []byte(text), 0, addrOf(to))
					e.Code("SendTo "+to, err, 0)
					e.Do(func() { e.Net.Sleep(2 * Delay) })
					Equal(e, what+", to "+to+": select", e.ready(e.P, s), ready)
					_, err = e.P.Recv(s, make([]byte, 9), 0)
					e.Code(what+", to "+to, err, want)
				}
			}
		}
		recv("FALSE", wsa.WSAEWOULDBLOCK)
		e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_BROADCAST, 1)
		recv("TRUE", 0)
		e.Set(e.P, s, wsa.IPPROTO_IP, wsa.IP_RECEIVE_BROADCAST, 0)
		recv("TRUE, IP_RECEIVE_BROADCAST FALSE", wsa.WSAEWOULDBLOCK)
		e.Set(e.P, s, wsa.IPPROTO_IP, wsa.IP_RECEIVE_BROADCAST, 1)
		recv("both TRUE", 0)
		e.Notef("delivered only with both options TRUE; the limited and the subnet's address")
	}},
	{ID: "BC-6", Title: "streams", Source: "API-connect, C-29", Once: true, Run: func(e *Env) {
		e.dualHosts()
		for _, nonblocking := range []bool{false, true} {
			for _, to := range []string{"255.255.255.255:80", "10.0.0.255:80", "224.1.2.3:80"} {
				s := e.Stream()
				e.Nonblocking(e.P, s, nonblocking)
				e.Code("Connect "+to, e.P.Connect(s, addrOf(to)), wsa.WSAEADDRNOTAVAIL)
			}
			for _, to := range []string{"[ff02::1]:80", "[::ffff:10.0.0.255]:80", "[::ffff:224.1.2.3]:80"} {
				s, addr := e.socketFor(dualBind{to, 0, false}, wsa.SOCK_STREAM)
				e.Nonblocking(e.P, s, nonblocking)
				e.Code("Connect "+to, e.P.Connect(s, addr), wsa.WSAEADDRNOTAVAIL)
			}
		}
		e.Code("SO_BROADCAST", set(e.P, e.Stream(), wsa.SOL_SOCKET, wsa.SO_BROADCAST, 1), wsa.WSAENOPROTOOPT)
		_, err := get(e.P, e.Stream(), wsa.SOL_SOCKET, wsa.SO_BROADCAST)
		e.Code("get SO_BROADCAST", err, wsa.WSAENOPROTOOPT)
		e.Net.Idle()
		Equal(e, "segments", len(e.Segments("a")), 0)
		e.Notef("WSAEADDRNOTAVAIL for broadcast and multicast, both families and mapped; the option is WSAENOPROTOOPT")
	}},
}

func init() { bcScenarios = append(bcScenarios, sentBroadcast...) }
