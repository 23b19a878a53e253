package peers

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

var loopback = netip.MustParseAddr("127.0.0.1")

// patience is how long a test waits for what surely comes.
const patience = 10 * time.Second

// newServices runs the standard services on a stack that has only a loopback interface.
func newServices(t *testing.T, others ...Service) *stack.Stack {
	t.Helper()
	st, err := stack.New(stack.Config{})
	if err != nil {
		t.Fatal(err)
	}
	page := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "page") }),
		WriteTimeout: patience}
	t.Cleanup(func() { st.Close() }) // after the services; TestStandard_StackFirst has the other order
	for _, s := range append(Standard(page, others), others...) {
		start(t, s, st, Env{Addresses: []netip.Addr{loopback}})
	}
	return st
}

// start starts a service, which is closed at the end of the test.
func start(t *testing.T, s Service, st *stack.Stack, env Env) {
	t.Helper()
	running, err := s.Start(st, env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := running.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	})
}

// service is a service of a text.
func service(t *testing.T, kind, text string) Service {
	t.Helper()
	s, err := Parse(kind, text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func dial(t *testing.T, st *stack.Stack, network, address string) net.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := st.DialContext(ctx, network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEcho_TCP(t *testing.T) {
	c := dial(t, newServices(t), "tcp", "127.0.0.1:7")
	want := bytes.Repeat([]byte("winsock "), 8192)
	go func() {
		_, _ = c.Write(want)
		_ = c.(*endpoint.Conn).CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("echo gave %d bytes, %v, want the %d sent, then the end", len(got), err, len(want))
	}
}

func TestDiscard_TCP(t *testing.T) {
	c := dial(t, newServices(t), "tcp", "127.0.0.1:9")
	if _, err := c.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := c.(*endpoint.Conn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); err != nil || len(got) != 0 {
		t.Errorf("discard gave %d bytes, %v, want none and the end", len(got), err)
	}
}

func TestChargen_TCP(t *testing.T) {
	c := dial(t, newServices(t), "tcp", "127.0.0.1:19")
	if _, err := c.Write([]byte("thrown away")); err != nil {
		t.Fatal(err)
	}
	if err := c.(*endpoint.Conn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 2*len(characters))
	if _, err := io.ReadFull(c, got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, append(bytes.Clone(characters), characters...)) {
		t.Errorf("chargen doesn't repeat its pattern")
	}
}

// RFC 864 shows the first lines of the pattern.
func TestCharacters(t *testing.T) {
	lines := strings.Split(string(characters), "\r\n")
	if len(lines) != 96 || lines[95] != "" {
		t.Fatalf("%d lines, want 95", len(lines)-1)
	}
	if want := ` !"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\]^_` + "`abcdefg"; lines[0] != want {
		t.Errorf("first line %q, want %q", lines[0], want)
	}
	for i, line := range lines[:95] {
		next := lines[(i+1)%95]
		if len(line) != 72 || line[1:] != next[:71] {
			t.Errorf("line %d is %q, the next %q: want 72 characters, shifted by one", i, line, next)
		}
	}
}

func TestEcho_UDP(t *testing.T) {
	c := dial(t, newServices(t), "udp", "127.0.0.1:7")
	if _, err := c.Write([]byte("ping")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	if n, err := c.Read(buf); err != nil || string(buf[:n]) != "ping" {
		t.Errorf("echo gave %q, %v, want ping", buf[:n], err)
	}
}

func TestChargen_UDP(t *testing.T) {
	c := dial(t, newServices(t), "udp", "127.0.0.1:19")
	buf := make([]byte, 2000)
	for range 20 {
		if _, err := c.Write(nil); err != nil {
			t.Fatal(err)
		}
		n, err := c.Read(buf)
		if err != nil || n > maxChargenDatagram || !bytes.HasPrefix(characters, buf[:n]) {
			t.Fatalf("chargen gave %q, %v, want at most 512 characters of the pattern", buf[:n], err)
		}
	}
}

// Nobody answers a datagram to discard, nor one that comes from a well-known
// port: echo must come last and answer the first sender only.
func TestDatagrams_NotAnswered(t *testing.T) {
	st := newServices(t)
	silent := dial(t, st, "udp", "127.0.0.1:9")
	server, err := st.ListenPacket("udp", "127.0.0.1:1023")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if _, err := silent.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	for _, port := range []int{portEcho, portChargen} {
		to := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}
		if _, err := server.WriteTo([]byte("x"), to); err != nil {
			t.Fatal(err)
		}
	}
	for _, address := range []string{"127.0.0.1:7", "127.0.0.1:19"} {
		polite := dial(t, st, "udp", address) // after it the others have been served, too
		if _, err := polite.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := polite.Read(make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	st.Settle()
	for _, c := range []net.PacketConn{silent.(*endpoint.PacketConn), server} {
		if err := c.(*endpoint.PacketConn).SetNonblocking(true); err != nil {
			t.Fatal(err)
		}
		if n, from, err := c.ReadFrom(make([]byte, 1000)); !errors.Is(err, wsa.WSAEWOULDBLOCK) {
			t.Errorf("%v answered with %d bytes, %v", from, n, err)
		}
	}
}

// A server works on after its limit of connections was reached.
func TestServices_Limit(t *testing.T) {
	st := newServices(t)
	for range maxConns + 5 {
		c := dial(t, st, "tcp", "127.0.0.1:7")
		defer c.Close()
	}
	accepted := 0
	for _, info := range st.Sockets() {
		if info.State == "ESTABLISHED" && info.Local.Port() == portEcho {
			accepted++
		}
	}
	if accepted > maxConns+1 { // one may be between accept and the limit
		t.Errorf("%d connections are being served, want at most %d", accepted, maxConns)
	}
}

// The page is served, unless another service has its port.
func TestStandard_Page(t *testing.T) {
	for _, others := range [][]Service{nil, {service(t, "peer", "127.0.0.1:80=body:4")}} {
		st := newServices(t, others...)
		client := &http.Client{Transport: &http.Transport{DialContext: st.DialContext, DisableKeepAlives: true}}
		response, err := client.Get("http://127.0.0.1/")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if want := []string{"page", string(characters[:4])}[len(others)]; err != nil || string(body) != want {
			t.Errorf("%q, %v, want %q", body, err, want)
		}
	}
}

// The stack may be closed before the services, with connections in progress.
func TestStandard_StackFirst(t *testing.T) {
	st := newServices(t)
	for _, port := range []string{"7", "19", "80"} {
		dial(t, st, "tcp", "127.0.0.1:"+port)
	}
	st.Settle()
	if err := st.Close(); err != nil {
		t.Error(err)
	}
}
