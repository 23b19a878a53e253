package calls_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEpoll_Level(t *testing.T) {
	s := newStage(t)
	p := s.connected()
	s.ok("epoll_create(1) = 5", "epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN, fd=4}) = 0", "epoll_wait(5, {events=0, ptr=0}, 1, 0) = 0")
	w := s.blocks("epoll_wait(5, [{events=EPOLLIN, fd=4}], 8, -1) = 1")
	s.sends(p, "[P.] len 10")
	w.returned()
	s.ok("epoll_wait(5, {events=EPOLLIN, fd=4}, 1, 0) = 1", "read(4, ..., 5) = 5", "epoll_wait(5, {events=EPOLLIN, fd=4}, 1, 0) = 1",
		"epoll_ctl(5, EPOLL_CTL_MOD, 4, {events=EPOLLIN|EPOLLOUT, u64=77}) = 0",
		"epoll_wait(5, {events=EPOLLIN|EPOLLOUT, u64=77}, 1, 0) = 1",
		"epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN, fd=4}) = -1",
		"epoll_ctl(5, EPOLL_CTL_DEL, 4, NULL) = 0", "epoll_ctl(5, EPOLL_CTL_DEL, 4, NULL) = -1",
		"epoll_wait(5, {events=0, ptr=0}, 1, 0) = 0", "epoll_wait(5, ..., 0, 0) = -1 EINVAL",
		"close(5) = 0", "epoll_wait(5, {events=0, ptr=0}, 1, 0) = -1 EBADF", "epoll_create1(EPOLL_CLOEXEC) = 6", "epoll_create(0) = -1 EINVAL")
}

// An edge is what wasn't there at the last look, and more of what was.
func TestEpoll_Edge(t *testing.T) {
	s := newStage(t)
	p := s.connected()
	nothing := "epoll_wait(5, {events=0, ptr=0}, 1, 0) = 0"
	s.ok("epoll_create(1) = 5", "epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN|EPOLLOUT|EPOLLET, fd=4}) = 0",
		"epoll_wait(5, {events=EPOLLOUT, fd=4}, 1, 0) = 1", nothing)
	s.sends(p, "[P.] len 400")
	s.ok("epoll_wait(5, {events=EPOLLIN|EPOLLOUT, fd=4}, 1, 0) = 1", nothing)
	s.sends(p, "[P.] len 600")
	s.ok("epoll_wait(5, {events=EPOLLIN|EPOLLOUT, fd=4}, 1, 0) = 1", nothing, "read(4, ..., 100) = 100", nothing)
	s.sends(p, "[P.] len 50") // fewer than were read
	s.ok("epoll_wait(5, {events=EPOLLIN|EPOLLOUT, fd=4}, 1, 0) = 1", nothing, "read(4, ..., 2000) = 950", nothing)
	s.sends(p, "[P.] len 1")
	s.ok("epoll_wait(5, {events=EPOLLIN|EPOLLOUT, fd=4}, 1, 0) = 1", nothing)
	s.sends(p, "[F.]")
	s.ok("epoll_ctl(5, EPOLL_CTL_MOD, 4, {events=EPOLLIN|EPOLLRDHUP|EPOLLET, fd=4}) = 0",
		"epoll_wait(5, {events=EPOLLIN|EPOLLRDHUP, fd=4}, 1, 0) = 1", nothing)
}

// Room on a stream is an edge after it was full.
func TestEpoll_EdgeOut(t *testing.T) {
	s := newStage(t)
	p := s.connected()
	s.ok("setsockopt(4, SOL_SOCKET, SO_SNDBUF, [4000], 4) = 0", "fcntl(4, F_SETFL, O_NONBLOCK) = 0", "epoll_create(1) = 5",
		"epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLOUT|EPOLLET, fd=4}) = 0", "epoll_wait(5, {events=EPOLLOUT, fd=4}, 1, 0) = 1")
	for s.do("write(4, ..., 65536)").Text != "write(4, ..., 65536) = -1 EAGAIN" {
	}
	w := s.blocks("epoll_wait(5, {events=EPOLLOUT, fd=4}, 1, -1) = 1")
	for !w.task.Done() {
		a, err := p.Receive(second)
		require.NoError(t, err)
		s.sends(p, "[.] ack "+number(a.Seq+uint32(len(a.Payload))))
	}
	w.returned()
	s.ok("epoll_wait(5, {events=0, ptr=0}, 1, 0) = 0")
}

// A call that waits for an edge wakes up for what isn't there yet and for more of what is, and ends
// with its time.
func TestEpoll_EdgeWaits(t *testing.T) {
	s := newStage(t)
	p := s.connected()
	s.ok("epoll_create(1) = 5", "epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN|EPOLLOUT|EPOLLET, fd=4}) = 0",
		"epoll_wait(5, {events=EPOLLOUT, fd=4}, 1, 0) = 1")
	w := s.blocks("epoll_wait(5, {events=0, ptr=0}, 1, 250) = 0")
	require.NoError(t, s.Advance(250*millisecond))
	w.returned()
	w = s.blocks("epoll_wait(5, {events=EPOLLIN|EPOLLOUT, fd=4}, 1, 250) = 1")
	s.sends(p, "[P.] len 10")
	w.returned()
	w = s.blocks("epoll_wait(5, {events=EPOLLIN|EPOLLOUT, fd=4}, 1, 250) = 1")
	s.sends(p, "[.] ")
	w.waits()
	s.sends(p, "[P.] len 1")
	w.returned()
}

// What ceases and comes again between two looks is an edge.
func TestEpoll_EdgeBetween(t *testing.T) {
	s := newStage(t)
	p := s.connected()
	s.ok("epoll_create(1) = 5", "epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN|EPOLLET, fd=4}) = 0")
	s.sends(p, "[P.] len 10")
	s.ok("epoll_wait(5, {events=EPOLLIN, fd=4}, 1, 0) = 1", "read(4, ..., 5) = 5")
	s.sends(p, "[P.] len 3")
	s.ok("epoll_wait(5, {events=EPOLLIN, fd=4}, 1, 0) = 1", "epoll_wait(5, {events=0, ptr=0}, 1, 0) = 0",
		"setsockopt(4, SOL_SOCKET, SO_SNDBUF, [4000], 4) = 0", "fcntl(4, F_SETFL, O_NONBLOCK) = 0",
		"epoll_ctl(5, EPOLL_CTL_MOD, 4, {events=EPOLLOUT|EPOLLET, fd=4}) = 0", "epoll_wait(5, {events=EPOLLOUT, fd=4}, 1, 0) = 1")
	for s.do("write(4, ..., 65536)").Text != "write(4, ..., 65536) = -1 EAGAIN" {
	}
	for s.do("poll([{fd=4, events=POLLOUT, revents=...}], 1, 0)").Text != "poll([{fd=4, events=POLLOUT, revents=...}], 1, 0) = 1" {
		a, err := p.Receive(second)
		require.NoError(t, err)
		s.sends(p, "[.] ack "+number(a.Seq+uint32(len(a.Payload))))
	}
	s.ok("epoll_wait(5, {events=EPOLLOUT, fd=4}, 1, 0) = 1", "epoll_wait(5, {events=0, ptr=0}, 1, 0) = 0")
}

// A connect that is refused wakes up who waits for it.
func TestEpoll_Refused(t *testing.T) {
	s := newStage(t)
	s.ok("socket(..., SOCK_STREAM|SOCK_NONBLOCK, IPPROTO_TCP) = 3", "connect(3, ..., ...) = -1 EINPROGRESS",
		"epoll_create(1) = 5", "epoll_ctl(5, EPOLL_CTL_ADD, 3, {events=EPOLLOUT, fd=3}) = 0")
	w := s.blocks("epoll_wait(5, {events=EPOLLOUT|EPOLLERR|EPOLLHUP, fd=3}, 1, -1) = 1")
	p := s.wire.Listen(8080)
	_, err := p.Expect("[S] seq 0")
	require.NoError(t, err)
	s.sends(p, "[R.] seq 0 ack 1")
	w.returned()
}

func TestEpoll_OneShot(t *testing.T) {
	s := newStage(t)
	s.connected()
	s.ok("epoll_create(1) = 5", "epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLOUT|EPOLLONESHOT, fd=4}) = 0",
		"epoll_wait(5, {events=EPOLLOUT, fd=4}, 1, 0) = 1", "epoll_wait(5, {events=0, ptr=0}, 1, 0) = 0",
		"epoll_ctl(5, EPOLL_CTL_MOD, 4, {events=EPOLLOUT|EPOLLONESHOT, fd=4}) = 0", "epoll_wait(5, {events=EPOLLOUT, fd=4}, 1, 0) = 1")
}

// Several sockets come in the order in which they were added; a closed one leaves.
func TestEpoll_Several(t *testing.T) {
	s := newStage(t)
	s.connected()
	s.ok("socket(..., SOCK_DGRAM, 0) = 6", "epoll_create(1) = 5", "epoll_ctl(5, EPOLL_CTL_ADD, 6, {events=EPOLLOUT, fd=6}) = 0",
		"epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLOUT, fd=4}) = 0",
		"epoll_wait(5, [{events=EPOLLOUT, fd=6}, {events=EPOLLOUT, fd=4}], 8, 0) = 2", "epoll_wait(5, {events=EPOLLOUT, fd=6}, 1, 0) = 1",
		"close(6) = 0", "epoll_wait(5, [{events=EPOLLOUT, fd=4}], 8, 0) = 1", "epoll_ctl(5, EPOLL_CTL_ADD, 6, {events=EPOLLOUT, fd=6}) = -1 EBADF")
	require.Equal(t, "1:17: fd of element 0 differs | expected fd=7 | actual fd=4", s.fault("epoll_wait(5, {events=EPOLLOUT, fd=7}, 1, 0) = 1"))
	require.Equal(t, "1:17: events of element 0 differs | expected events=EPOLLIN | actual events=EPOLLOUT",
		s.fault("epoll_wait(5, {events=EPOLLIN, fd=4}, 1, 0) = 1"))
	require.Contains(t, s.fault("epoll_wait(4, ..., 1, 0) = 1"), "descriptor 4 is a socket, and not an epoll")
}
