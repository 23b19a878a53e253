package socket_test

import (
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/sockettest"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

type chaosEvent struct{}

func (chaosEvent) Set() {}

// Every call on every state at once, while the stacks are closed: nothing
// panics, hangs or stays.
func TestChaos(t *testing.T) {
	for round := range 4 {
		a, b := sockettest.Pair(t)
		var pool sync.Map
		add := func(s *socket.Socket) { pool.Store(rand.IntN(40), s) }
		pick := func() *socket.Socket {
			for range 5 {
				if v, ok := pool.Load(rand.IntN(40)); ok {
					return v.(*socket.Socket)
				}
			}
			return nil
		}
		stop := make(chan struct{})
		enough := make(chan struct{})
		var calls atomic.Int64
		var wg sync.WaitGroup
		ports := []uint16{80, 81, 82}
		addrOf := func(i int) netip.AddrPort {
			return netip.AddrPortFrom(netip.MustParseAddr([]string{"10.0.0.1", "10.0.0.2"}[i]), ports[rand.IntN(3)])
		}
		stacks := []*stack.Stack{a, b}
		p := a.NewPoller()
		for range 8 {
			wg.Go(func() {
				buf := make([]byte, 20000)
				for {
					select {
					case <-stop:
						return
					default:
					}
					i := rand.IntN(2)
					s := pick()
					if s == nil || rand.IntN(10) == 0 {
						n, err := socket.New(socket.HostOf(stacks[i]), wsa.AF_INET, wsa.SOCK_STREAM, 0, "")
						if err != 0 {
							return
						}
						n.SetNonblocking(true)
						add(n)
						continue
					}
					if calls.Add(1) == 20_000 {
						close(enough)
					}
					small := buf[:1+rand.IntN(300)]
					switch rand.IntN(26) {
					case 0:
						s.Bind(addrOf(i))
					case 1:
						s.Bind(netip.AddrPortFrom(netip.IPv4Unspecified(), 0))
					case 2:
						s.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_CONDITIONAL_ACCEPT, []byte{byte(rand.IntN(2)), 0, 0, 0})
						s.Bind(addrOf(i))
						s.Listen(3)
					case 3, 4:
						s.Connect(addrOf(rand.IntN(2)))
					case 5:
						s.ConnectEx(addrOf(rand.IntN(2)), make([]byte, 9))
					case 6, 7:
						if n, _, err := s.AcceptOn(nil, func(_, _ netip.AddrPort) int32 { return int32(rand.IntN(3)) }); err == 0 {
							add(n)
						}
					case 8:
						if into := pick(); into != nil {
							op, err := s.AcceptEx(into, make([]byte, rand.IntN(2)))
							if err == 0 && rand.IntN(2) == 0 {
								op.Cancel()
							}
						}
					case 9, 10:
						s.Send(small, int32(rand.IntN(2))*wsa.MSG_OOB)
					case 11:
						s.Send(buf, 0)
					case 12:
						s.Recv(small, int32(rand.IntN(2))*wsa.MSG_OOB)
					case 13:
						s.Recv(buf, int32(rand.IntN(2))*wsa.MSG_PEEK)
					case 14:
						s.RecvAsync(make([]byte, 100), int32(rand.IntN(2))*wsa.MSG_WAITALL)
					case 15:
						s.SendAsync(make([]byte, 300), 0, netip.AddrPort{})
					case 16:
						name := []int32{wsa.SO_RCVBUF, wsa.SO_SNDBUF, wsa.SO_OOBINLINE, wsa.SO_KEEPALIVE, wsa.SO_DEBUG, wsa.SO_EXCLUSIVEADDRUSE}[rand.IntN(6)]
						s.SetSockOpt(wsa.SOL_SOCKET, name, []byte{byte(rand.IntN(2)), byte(rand.IntN(30)), 0, 0})
					case 17:
						name := []int32{wsa.TCP_NODELAY, wsa.TCP_MAXRT, wsa.TCP_TIMESTAMPS, wsa.TCP_KEEPIDLE}[rand.IntN(4)]
						s.SetSockOpt(wsa.IPPROTO_TCP, name, []byte{1, 0, 0, 0})
					case 18:
						s.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_LINGER, []byte{1, 0, byte(rand.IntN(2)), 0})
					case 19:
						s.Shutdown(int32(rand.IntN(3)))
					case 20:
						s.EventSelect(chaosEvent{}, int32(rand.IntN(2))*wsa.FD_ALL_EVENTS)
						s.NetworkEvents(nil)
					case 21:
						p.Add(endpoint.NewListener(s, "tcp"), endpoint.ReadyRead|endpoint.ReadyWrite, nil)
						p.Wait(make([]endpoint.Notice, 4), 0)
					case 22:
						s.Close()
					case 23:
						s.Readable()
						s.AtMark()
						s.GetSockOpt(wsa.SOL_SOCKET, wsa.SO_ERROR, buf[:4:4])
					case 24, 25:
						op, err := s.DisconnectEx(uint32(rand.IntN(2))*wsa.TF_REUSE_SOCKET, 0)
						if err == 0 && rand.IntN(2) == 0 {
							op.Cancel()
						}
					}
				}
			})
		}
		<-enough
		if round%2 == 0 {
			a.Close()
			b.Close()
		}
		close(stop)
		done := make(chan struct{})
		go func() { wg.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(sockettest.Patience):
			panic("hangs")
		}
		p.Close()
		pool.Range(func(_, v any) bool {
			v.(*socket.Socket).SetNonblocking(true)
			v.(*socket.Socket).Close()
			return true
		})
		a.Close()
		b.Close()
	}
}
