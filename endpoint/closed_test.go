package endpoint_test

import (
	"io"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// After Close every method that can fail does, with a *net.OpError that is
// net.ErrClosed, has the code, and says what programs look for.
func TestMethodsAfterClose(t *testing.T) {
	st, err := stack.New(stack.Config{})
	require.NoError(t, err)
	defer st.Close()
	for name, closed := range closedFaces(t, st) {
		v := reflect.ValueOf(closed)
		for m := range v.NumMethod() {
			method := v.Type().Method(m)
			last := method.Type.NumOut() - 1
			if last < 0 || method.Type.Out(last) != reflect.TypeFor[error]() || method.Name == "MultipathTCP" { // no call
				continue
			}
			t.Run(name+" "+method.Name, func(t *testing.T) {
				out := v.Method(m).Call(argumentsOf(t, method.Type))
				err, _ := out[last].Interface().(error)
				require.IsType(t, &net.OpError{}, err)
				require.ErrorIs(t, err, net.ErrClosed)
				require.ErrorIs(t, err, wsa.WSAENOTSOCK)
				require.True(t, strings.HasSuffix(err.Error(), ": use of closed network connection"), "%v", err)
			})
		}
	}
}

// closedFaces returns a connection of each kind, closed.
func closedFaces(t *testing.T, st *stack.Stack) map[string]io.Closer {
	t.Helper()
	l, err := st.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c, err := st.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	p, err := st.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	faces := map[string]io.Closer{"Conn": c, "Listener": l, "PacketConn": p}
	for _, f := range faces {
		require.NoError(t, f.Close())
	}
	return faces
}

// argumentsOf makes arguments for a method: values that an open connection takes.
func argumentsOf(t *testing.T, method reflect.Type) []reflect.Value {
	t.Helper()
	to := netip.MustParseAddrPort("127.0.0.1:9")
	given := map[reflect.Type]any{
		reflect.TypeFor[[]byte]():         make([]byte, 4),
		reflect.TypeFor[io.Reader]():      strings.NewReader("data"),
		reflect.TypeFor[io.Writer]():      io.Discard,
		reflect.TypeFor[net.Addr]():       net.UDPAddrFromAddrPort(to),
		reflect.TypeFor[*net.UDPAddr]():   net.UDPAddrFromAddrPort(to),
		reflect.TypeFor[netip.AddrPort](): to,
	}
	var args []reflect.Value
	for i := 1; i < method.NumIn(); i++ {
		arg := reflect.Zero(method.In(i))
		if v, ok := given[method.In(i)]; ok {
			arg = reflect.ValueOf(v)
		}
		args = append(args, arg)
	}
	return args
}
