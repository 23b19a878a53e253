package stack_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
)

// A manyUpstream gets the datagrams that wait at once.
type manyUpstream struct {
	*upstream
	calls [][]string
	err   error // of calls that have written all
}

func (u *manyUpstream) WriteDatagrams(payloads [][]byte) (n int, err error) {
	call := make([]string, len(payloads))
	for i, b := range payloads {
		call[i] = string(b)
	}
	u.calls = append(u.calls, call)
	for ; n < len(payloads); n++ {
		if _, err := u.upstream.Write(payloads[n]); err != nil {
			return n, err
		}
	}
	return n, u.err
}

// A DatagramsWriter gets what waits at once, at most 16, and behind one that couldn't be written the
// others; of that one the source hears. A single one it gets by Write.
func TestForwarderUDP_Many(t *testing.T) {
	for name, ends := range flows {
		t.Run(name, func(t *testing.T) {
			var u *manyUpstream
			var g *wireGateway
			cfg := stack.ForwarderConfig{UDP: func(_ context.Context, s *stack.UDPSession) (io.WriteCloser, error) {
				u = &manyUpstream{upstream: &upstream{session: s}}
				return u, nil
			}}
			g = newAsked(t, cfg)
			send := func(payload string) {
				g.near.Inject(simnet.EncodeUDP(netip.MustParseAddrPort(ends[0]), netip.MustParseAddrPort(ends[1]), []byte(payload)))
				require.NoError(t, g.n.Advance(0))
			}
			send("first")
			require.Empty(t, u.calls)
			u.write = func(b []byte) error {
				switch string(b) {
				case "slow":
					g.n.Sleep(time.Second)
				case "3", "19":
					return syscall.ECONNREFUSED
				case "closed":
					return net.ErrClosed
				}
				return nil
			}
			send("slow")
			want, all := []string{"first", "slow"}, []string{}
			for i := range 20 {
				all = append(all, fmt.Sprint(i))
				send(all[i])
				if i != 3 && i != 19 {
					want = append(want, all[i])
				}
			}
			require.NoError(t, g.n.Advance(time.Second))
			require.Equal(t, [][]string{all[:16], all[4:16], all[16:]}, u.calls)
			require.Equal(t, want, u.got)
			for _, payload := range []string{"3", "19"} {
				require.True(t, bytes.HasSuffix(g.receive(t), []byte(payload)), "the error quotes it")
			}
			require.Empty(t, foreign(g))
			u.err = syscall.EIO // of nothing that wasn't written: nobody hears of it
			for _, payload := range []string{"slow", "a", "b"} {
				send(payload)
			}
			require.NoError(t, g.n.Advance(time.Second))
			require.Equal(t, []string{"a", "b"}, u.got[len(u.got)-2:])
			require.Empty(t, foreign(g))
			u.calls, u.got, u.err = nil, nil, nil
			for _, payload := range []string{"slow", "a", "closed", "b", "c"} {
				send(payload)
			}
			require.NoError(t, g.n.Advance(time.Second))
			require.Equal(t, [][]string{{"a", "closed", "b", "c"}}, u.calls, "the session is over")
			require.Equal(t, []string{"slow", "a"}, u.got)
			require.Equal(t, 1, u.closed)
		})
	}
}
