package stack_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/net/nettest"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair returns two stacks joined by a pipe.
func pair(t testing.TB) (a, b *stack.Stack) {
	t.Helper()
	da, db := tun.Pipe(1500)
	a, err := stack.New(stack.Config{Device: da, Addresses: prefixes("10.0.0.1/24", "fd00::1/64")})
	require.NoError(t, err)
	b, err = stack.New(stack.Config{Device: db, Addresses: prefixes("10.0.0.2/24", "fd00::2/64")})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, a.Close())
		require.NoError(t, b.Close())
	})
	return a, b
}

func prefixes(s ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range s {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

func TestConnConformance(t *testing.T) {
	for _, addr := range []string{"10.0.0.2:0", "[fd00::2]:0"} {
		t.Run(addr, func(t *testing.T) {
			nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
				a, b := pair(t)
				l, err := b.Listen("tcp", addr)
				if err != nil {
					return nil, nil, nil, err
				}
				c1, err = a.DialContext(context.Background(), "tcp", l.Addr().String())
				if err != nil {
					return nil, nil, nil, err
				}
				c2, err = l.Accept()
				if err != nil {
					return nil, nil, nil, err
				}
				return c1, c2, func() { c1.Close(); c2.Close(); l.Close() }, nil
			})
		})
	}
}

func TestHTTP(t *testing.T) {
	a, b := pair(t)
	l, err := b.Listen("tcp", ":80")
	require.NoError(t, err)
	body := bytes.Repeat([]byte("wsstack "), 1<<20)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(body) })}
	go server.Serve(l)
	defer server.Close()
	tr := &http.Transport{DialContext: a.DialContext}
	defer tr.CloseIdleConnections()
	client := &http.Client{Transport: tr}
	for _, url := range []string{"http://10.0.0.2/", "http://[fd00::2]/"} {
		r, err := client.Get(url)
		require.NoError(t, err)
		got, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		r.Body.Close()
		require.True(t, bytes.Equal(body, got))
	}
}
