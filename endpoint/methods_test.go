package endpoint_test

import (
	"bytes"
	"net"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/stack"
)

// There is no descriptor. Libraries ask for the methods that would give one,
// and take a connection that has them and fails for broken: so no face may
// satisfy their interfaces.
func TestNoDescriptor(t *testing.T) {
	asks := map[string]func(any) bool{
		"syscall.Conn (go-redis, go-sql-driver/mysql)": satisfies[syscall.Conn],
		"quic-go's OOBCapablePacketConn": satisfies[interface {
			net.PacketConn
			SyscallConn() (syscall.RawConn, error)
			SetReadBuffer(int) error
			ReadMsgUDP(b, oob []byte) (n, oobn, flags int, addr *net.UDPAddr, err error)
			WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (n, oobn int, err error)
		}],
		"SyscallConn, whatever it returns a connection for": satisfies[interface {
			SyscallConn() (syscall.RawConn, error)
		}],
		"a file (systemd's activation, graceful restarts)": satisfies[interface{ File() (*os.File, error) }],
		"a descriptor (os.File's method)":                  satisfies[interface{ Fd() uintptr }],
	}
	for _, face := range []any{(*endpoint.Conn)(nil), (*endpoint.Listener)(nil), (*endpoint.PacketConn)(nil)} {
		for name, asked := range asks {
			require.False(t, asked(face), "%T has %s", face, name)
		}
	}
}

// The faces have what their kin in package net has, in the same form, but for
// what is listed here with its reason.
func TestMethodsOfPackageNet(t *testing.T) {
	descriptor := "there is no descriptor, see TestNoDescriptor"
	for _, tt := range []struct {
		ours, theirs reflect.Type
		leftOut      map[string]string
	}{
		{reflect.TypeFor[*endpoint.Conn](), reflect.TypeFor[*net.TCPConn](),
			map[string]string{"SyscallConn": descriptor, "File": descriptor}},
		{reflect.TypeFor[*endpoint.Listener](), reflect.TypeFor[*net.TCPListener](),
			map[string]string{"SyscallConn": descriptor, "File": descriptor}},
		{reflect.TypeFor[*endpoint.PacketConn](), reflect.TypeFor[*net.UDPConn](),
			map[string]string{"SyscallConn": descriptor, "File": descriptor}},
		{reflect.TypeFor[*stack.Stack](), reflect.TypeFor[*net.Dialer](), map[string]string{
			"DialIP":          "raw sockets are package provider's",
			"DialUnix":        "this is a stack for IP",
			"MultipathTCP":    "nothing offers it",
			"SetMultipathTCP": "nothing offers it",
		}},
	} {
		for _, name := range missing(tt.ours, tt.theirs, tt.leftOut) {
			t.Errorf("%v: %s", tt.ours, name)
		}
	}
}

// missing compares method sets: what theirs has and ours hasn't or has in another
// form, and what is left out without need.
func missing(ours, theirs reflect.Type, leftOut map[string]string) (faults []string) {
	for i := range theirs.NumMethod() {
		their := theirs.Method(i)
		our, ok := ours.MethodByName(their.Name)
		switch {
		case ok && leftOut[their.Name] != "":
			faults = append(faults, their.Name+" exists, and is listed as left out")
		case !ok && leftOut[their.Name] == "":
			faults = append(faults, their.Name+" is missing")
		case ok && signature(our.Type) != signature(their.Type):
			faults = append(faults, their.Name+" is "+signature(our.Type)+", want "+signature(their.Type))
		}
	}
	for name := range leftOut {
		if _, ok := theirs.MethodByName(name); !ok {
			faults = append(faults, name+" is listed as left out, and is no method of "+theirs.String())
		}
	}
	return faults
}

// signature is the form of a method without its receiver, with the types of
// package net for ours.
func signature(method reflect.Type) string {
	var in, out []string
	for i := 1; i < method.NumIn(); i++ {
		in = append(in, method.In(i).String())
	}
	for i := range method.NumOut() {
		out = append(out, method.Out(i).String())
	}
	return strings.NewReplacer("*endpoint.Conn", "*net.TCPConn", "*endpoint.PacketConn", "*net.UDPConn").
		Replace("(" + strings.Join(in, ", ") + ") (" + strings.Join(out, ", ") + ")")
}

// The comparison finds what it is for.
func TestMissing(t *testing.T) {
	ours, theirs := reflect.TypeFor[bytes.Buffer](), reflect.TypeFor[*bytes.Buffer]() // the value has no methods
	require.Contains(t, missing(ours, theirs, nil), "Write is missing")
	require.Contains(t, missing(theirs, theirs, map[string]string{"Write": "x"}), "Write exists, and is listed as left out")
	require.Contains(t, missing(theirs, theirs, map[string]string{"None": "x"}), "None is listed as left out, and is no method of *bytes.Buffer")
	require.Empty(t, missing(theirs, theirs, nil))
	require.Contains(t, missing(reflect.TypeFor[*strings.Reader](), reflect.TypeFor[*bytes.Buffer](), nil), "Reset is (string) (), want () ()")
}

// satisfies reports whether a value has the methods of an interface.
func satisfies[I any](v any) bool {
	_, ok := v.(I)
	return ok
}
