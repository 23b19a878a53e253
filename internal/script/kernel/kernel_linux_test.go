package kernel_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/wsstack/wsstack/internal/capture"
	"github.com/wsstack/wsstack/internal/netns"
	"github.com/wsstack/wsstack/internal/script/kernel"
	"github.com/wsstack/wsstack/internal/script/play"
	"github.com/wsstack/wsstack/internal/script/syntax"
)

// patient is the tolerance of tests: a machine may have other things to do for as long.
var patient = []syntax.Setting{{Name: "tolerance_usecs", Value: "20000000", HasValue: true}}

// played plays a script on the kernel, and skips the test where there can be no namespace.
func played(t *testing.T, script string, c play.Config) *play.Result {
	t.Helper()
	s, err := syntax.Parse(t.Name(), []byte(script), syntax.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c.Settings = append(c.Settings, patient...)
	r := kernel.Play(s, c)
	if f := r.Failure; f != nil && f.Event == "" {
		if netns.RequireTUN() {
			t.Fatalf("WSSTACK_REQUIRE_TUN is set, and: %s; %s", f.What, f.Hint)
		}
		t.Skip(f.What)
	}
	return r
}

// passes plays a script that has to pass.
func passes(t *testing.T, script string) *play.Result {
	t.Helper()
	r := played(t, script, play.Config{})
	if f := r.Failure; f != nil {
		t.Fatalf("line %d: %s: %s\nexpected %q\nactual   %q\nhint %s\n%s", f.Pos.Line, f.Event, f.What, f.Expected, f.Actual, f.Hint, conversation(r))
	}
	return r
}

func conversation(r *play.Result) string {
	var b strings.Builder
	for _, l := range r.Conversation {
		b.WriteString(l.At.String() + " " + l.Text + "\n")
	}
	return b.String()
}

const server = `
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>
+0 > S. 0:0(0) ack 1 <...>
+0 < . 1:1(0) ack 1 win 257
+0 accept(3, ..., ...) = 4
`

func TestPlay_Server(t *testing.T) {
	r := passes(t, server+`
+0 < P. 1:1001(1000) ack 1 win 257
+0 > . 1:1(0) ack 1001
+0 read(4, ..., 2000) = 1000
+0 write(4, ..., 3000) = 3000
+0 > P. 1:3001(3000) ack 1001
+0 < . 1001:1001(0) ack 3001 win 257
+0 getsockopt(4, SOL_SOCKET, SO_REUSEADDR, [1], [4]) = 0
+0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 fcntl(4, F_GETFL) = O_RDWR|O_NONBLOCK
+0 read(4, ..., 10) = -1 EAGAIN (Resource temporarily unavailable)
+0 assert tcpi_snd_mss(4) == 1000 && tcpi_snd_wscale(4) == 7
+0 assert tcpi_snd_cwnd >= 10
+0 close(4) = 0
+0 > F. 3001:3001(0) ack 1001
`)
	if r.Packets < 9 || r.Calls < 9 {
		t.Errorf("%d packets and %d calls", r.Packets, r.Calls)
	}
}

func TestPlay_Client(t *testing.T) {
	passes(t, `
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0 > S 0:0(0) <...>
+0 < S. 0:0(0) ack 1 win 5792 <mss 1460,nop,nop,sackOK>
+0 > . 1:1(0) ack 1
+0 poll([{fd=3, events=POLLOUT, revents=POLLOUT}], 1, 0) = 1
+0 getsockopt(3, SOL_SOCKET, SO_ERROR, [0], [4]) = 0
+0 getpeername(3, {sa_family=AF_INET, sin_port=htons(8080), sin_addr=inet_addr("192.0.2.1")}, ...) = 0
+0 send(3, "hello", 5, MSG_NOSIGNAL) = 5
+0 > P. 1:6(5) ack 1 "hello"
+0 < R. 1:1(0) ack 6 win 0
+0 recv(3, ..., 10, 0) = -1 ECONNRESET (Connection reset by peer)
`)
}

// Calls that block return when the script says, several of them at once.
func TestPlay_Blocking(t *testing.T) {
	passes(t, server+`
+0...0.02 read(4, "0123456789", 100) = 10
+0...0.04 poll([{fd=4, events=POLLRDHUP, revents=POLLRDHUP}], 1, -1) = 1
+.01 < P. 1:11(10) ack 1 win 257 "0123456789"
+0 > . 1:1(0) ack 11
+.01 < F. 11:11(0) ack 1 win 257
* > . 1:1(0) ack 12
`)
}

func TestPlay_Epoll(t *testing.T) {
	passes(t, server+`
+0 epoll_create(1) = 5
+0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN|EPOLLET, fd=4}) = 0
+0 epoll_wait(5, {events=0, fd=0}, 1, 0) = 0
+0 < P. 1:11(10) ack 1 win 257
+0 > . 1:1(0) ack 11
+0 epoll_wait(5, {events=EPOLLIN, fd=4}, 1, 0) = 1
+0 epoll_wait(5, {events=0, fd=0}, 1, 0) = 0
+0 ioctl(4, SIOCINQ, [10]) = 0
+0 recvmsg(4, {msg_name(...)=..., msg_iov(2)=[{..., 4}, {..., 16}], msg_flags=0}, 0) = 10
+0 writev(4, [{..., 3}, {..., 4}], 2) = 7
+0 > P. 1:8(7) ack 11
`)
}

func TestPlay_UDP(t *testing.T) {
	passes(t, `
0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3
+0 bind(3, ..., ...) = 0
+0 sendto(3, "hi", 2, 0, ..., ...) = 2
+0 > udp (2) "hi"
+0 < udp (3) "you"
+0 recv(3, "yo"..., 100, MSG_PEEK) = 3
+0 recvfrom(3, "you", 100, 0, {sa_family=AF_INET, sin_port=htons(8080), sin_addr=inet_addr("192.0.2.1")}, ...) = 3
`)
}

func TestPlay_IPv6(t *testing.T) {
	passes(t, "--ip_version=ipv6\n"+server)
	passes(t, "--ip_version=ipv4-mapped-ipv6\n"+server)
}

// A script ends while calls wait for ever, and nothing of them is left: TestMain looks.
func TestPlay_LeftWaiting(t *testing.T) {
	for name, call := range map[string]string{
		"read":       "read(4, ..., 100) = 0",
		"epoll_wait": "epoll_wait(5, {events=0, fd=0}, 1, -1) = 0",
	} {
		t.Run(name, func(t *testing.T) {
			r := played(t, server+"+0 epoll_create(1) = 5\n+0...+300 "+call+"\n+0 read(9, ..., 1) = 0\n", play.Config{})
			f := r.Failure
			if f == nil || len(f.Actual) != 1 || f.Actual[0] != "read(9, ..., 1) = -1 EBADF" {
				t.Errorf("failure %+v, want EBADF of descriptor 9", f)
			}
		})
	}
}

// Calls that wait have no more than calls.MaxBuffers of buffers together.
func TestPlay_Buffers(t *testing.T) {
	waits := strings.Repeat("+0...+300 recv(4, ..., 16777216, 0) = 0\n", 4)
	r := played(t, server+waits+"+0 write(4, ..., 1) = 1\n", play.Config{})
	if f := r.Failure; f == nil || !strings.Contains(f.What, "more than 67108864 bytes") || f.Hint == "" {
		t.Errorf("failure %+v, want one about the buffers", f)
	}
	passes(t, server+strings.Repeat("+0 recv(4, ..., 16777216, MSG_DONTWAIT) = -1 EAGAIN\n", 5))
}

// What Linux doesn't have is a mistake with a hint before anything is played.
func TestPlay_Mistakes(t *testing.T) {
	for call, hint := range map[string]string{
		"closesocket(3) = 0":                    "write close:",
		"read(3, \"abc\", 3) = -1 EAGAIN":       `write "..."`,
		"WSAPoll([{fd=3}], 1, 0) = 0":           "write poll:",
		"no_such_call(3) = 0":                   "on a kernel there are socket,",
		"ioctlsocket(3, FIONBIO, [1]) = 0":      "fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK)",
		"WSAEventSelect(3, 100, FD_READ) = 0":   "write epoll_ctl:",
		"WSACreateEvent() = 100":                "write epoll_create:",
		"setsockopt(3, SOL_SOCKET) = 0":         "",
		"WSASocket(AF_INET, 1, 6, 0, 0, 0) = 3": "write socket:",
	} {
		s, err := syntax.Parse("mistake", []byte("0 "+call+"\n"), syntax.Options{})
		if err != nil {
			t.Errorf("%s: %v", call, err)
			continue
		}
		f := kernel.Play(s, play.Config{}).Failure
		if f == nil || f.Event == "" || !strings.Contains(f.Hint, hint) {
			t.Errorf("%s: %+v, want a hint with %q", call, f, hint)
		}
	}
}

// A failure has what the kernel does beside what the script says.
func TestPlay_Differences(t *testing.T) {
	for _, test := range []struct{ event, expected, actual string }{
		{"+0 read(4, ..., 10) = 5", "read(4, ..., 10) = 5", "read(4, ..., 10) = 10"},
		{"+0 read(4, \"abc\", 10) = 10", `"abc"`, `"0123456789"`},
		{"+0 getsockopt(4, SOL_SOCKET, SO_REUSEADDR, [0], [4]) = 0", "[0]", "[1]"},
		{"+0 getsockopt(4, SOL_SOCKET, SO_REUSEADDR, [1], [8]) = 0", "[8]", "[4]"},
		{"+0 ioctl(4, SIOCINQ, [11]) = 0", "[11]", "[10]"},
		{"+0 poll([{fd=4, events=POLLIN, revents=POLLPRI}], 1, 0) = 1", "{fd=4, revents=POLLPRI}", "{fd=4, revents=POLLIN}"},
		{"+0 close(7) = 0", "close(7) = 0", "close(7) = -1 EBADF"},
		{"+0 listen(4, 1) = 0", "listen(4, 1) = 0", "listen(4, 1) = -1 EINVAL"},
	} {
		r := played(t, server+"+0 < P. 1:11(10) ack 1 win 257 \"0123456789\"\n+0 > . 1:1(0) ack 11\n"+test.event+"\n", play.Config{})
		f := r.Failure
		if f == nil || strings.Join(f.Expected, "\n") != test.expected || strings.Join(f.Actual, "\n") != test.actual {
			t.Errorf("%s: %+v, want %s and %s", test.event, f, test.expected, test.actual)
		}
	}
}

func TestPlay_Recorded(t *testing.T) {
	var file bytes.Buffer
	r := played(t, server, play.Config{Record: true, Capture: &file})
	if r.Failure != nil || r.CaptureErr != nil {
		t.Fatal(r.Failure, r.CaptureErr)
	}
	captured, err := capture.Read(&file)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(captured.Recording.Packets); n < 3 {
		t.Errorf("%d packets in the capture, want 3 at least", n)
	}
	if n := len(r.Recording.Packets); n < 3 || r.Recording.Packets[0].From != "peer" || r.Recording.Packets[1].From != "kernel" {
		t.Errorf("%d packets in the recording: %+v", n, r.Recording.Packets)
	}
}
