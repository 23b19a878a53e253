package stack_test

import (
	"errors"
	"net"
	"testing"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// An error of Listen and ListenPacket says which address it is about.
func TestListenErrorHasTheAddress(t *testing.T) {
	st, err := stack.New(stack.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	taken, err := st.Listen("tcp", "127.0.0.1:80")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, used := st.Listen("tcp", "127.0.0.1:80")
	_, foreign := st.ListenPacket("udp", "[fd00::1]:53")
	for _, c := range []struct {
		err   error
		errno wsa.Errno
		text  string
	}{
		{used, wsa.WSAEADDRINUSE, "listen tcp 127.0.0.1:80: WSAEADDRINUSE: address in use"},
		{foreign, wsa.WSAEADDRNOTAVAIL, "listen udp [fd00::1]:53: WSAEADDRNOTAVAIL: address not available"},
	} {
		if !errors.Is(c.err, c.errno) || c.err.Error() != c.text {
			t.Errorf("%v, want %s", c.err, c.text)
		}
	}
	_, err = st.Listen("tcpx", ":80")
	var op *net.OpError
	if !errors.As(err, &op) || op.Addr != nil || err.Error() != "listen tcpx: unknown network tcpx" {
		t.Errorf("no such network: %v", err)
	}
}

// An error of Dial says it, too, when it never came to a socket.
func TestDialErrorHasTheAddress(t *testing.T) {
	st, err := stack.New(stack.Config{})
	if err != nil {
		t.Fatal(err)
	}
	st.Close()
	for _, c := range []struct{ network, text string }{
		{"tcp", "dial tcp 127.0.0.1:80: WSAENETDOWN: network is down"},
		{"udp6", "dial udp6 [::1]:80: WSAENETDOWN: network is down"},
	} {
		_, err := st.Dial(c.network, "localhost:80")
		if !errors.Is(err, wsa.WSAENETDOWN) || err.Error() != c.text {
			t.Errorf("%v, want %s", err, c.text)
		}
	}
}
