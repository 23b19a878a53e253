package calls_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPoll(t *testing.T) {
	s := newStage(t)
	p := s.connected()
	s.ok("poll([{fd=4, events=POLLIN, revents=0}], 1, 0) = 0", "poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLOUT}], 1, 0) = 1")
	w := s.blocks("poll([{fd=4, events=POLLIN, revents=POLLIN}, {fd=3, events=POLLIN, revents=0}], 2, -1) = 1")
	s.sends(p, "[P.] len 10")
	w.returned()
	require.Equal(t, "1:8: revents of element 0 differs | expected revents=POLLOUT | actual revents=POLLIN|POLLOUT",
		s.fault("poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLOUT}], 1, 0) = 1"))
	s.ok("read(4, ..., 10) = 10",
		"poll([{fd=-1, events=POLLIN, revents=0}, {fd=99, events=POLLIN, revents=POLLNVAL}], 2, -1) = 1",
		"poll([{fd=4, events=POLLIN, revents=...}], 1, 0) = 0")
	require.Contains(t, s.fault("poll([{fd=4, events=POLLIN, revents=0}], 2, 0) = 0"), "the number of descriptors is 1, and not 2")
}

// A poll ends when its time is over, and one of nothing is a sleep.
func TestPoll_Time(t *testing.T) {
	s := newStage(t)
	s.connected()
	for _, line := range []string{
		"poll([{fd=4, events=POLLIN, revents=0}], 1, 1500) = 0",
		"poll([{fd=-1, events=POLLIN, revents=0}], 1, 1500) = 0",
		"poll([], 0, 1500) = 0",
		"select(..., [4], NULL, NULL, {tv_sec=1, tv_usec=500000}) = 0",
		"WSAPoll([{fd=4, events=POLLRDNORM, revents=0}], 1, 1500) = 0",
	} {
		w := s.blocks(line)
		require.NoError(t, s.Advance(1499*millisecond))
		w.waits()
		require.NoError(t, s.Advance(millisecond))
		w.returned()
	}
}

// A stream whose peer has closed its side is no reason to wake up for who waits for room.
func TestPoll_HalfClosed(t *testing.T) {
	s := newStage(t)
	p := s.connected()
	s.ok("setsockopt(4, SOL_SOCKET, SO_SNDBUF, [4000], 4) = 0", "fcntl(4, F_SETFL, O_NONBLOCK) = 0")
	for s.do("write(4, ..., 65536)").Text != "write(4, ..., 65536) = -1 EAGAIN" {
	}
	s.sends(p, "[F.]")
	s.ok("poll([{fd=4, events=POLLIN|POLLRDHUP, revents=POLLIN|POLLRDHUP}], 1, 0) = 1")
	w := s.blocks("poll([{fd=4, events=POLLOUT, revents=POLLOUT}], 1, -1) = 1")
	require.NoError(t, s.Advance(millisecond))
	w.waits()
	for !w.task.Done() {
		a, err := p.Receive(second)
		require.NoError(t, err)
		p.Send("[.] ack " + number(a.Seq+uint32(len(a.Payload))))
		require.NoError(t, s.Idle())
	}
	w.returned()
	s.ok("shutdown(4, SHUT_WR) = 0", "poll([{fd=4, events=POLLIN, revents=POLLIN|POLLHUP}], 1, 0) = 1")
}

func TestPoll_Reset(t *testing.T) {
	s := newStage(t)
	p := s.connected()
	w := s.blocks("poll([{fd=4, events=POLLIN, revents=POLLIN|POLLERR|POLLHUP}], 1, -1) = 1")
	s.sends(p, "[R.]")
	w.returned()
}

func TestWSAPoll(t *testing.T) {
	s := newStage(t)
	p := s.connected()
	s.ok("WSAPoll([{fd=4, events=POLLIN|POLLOUT, revents=POLLWRNORM}], 1, 0) = 1")
	w := s.blocks("WSAPoll([{fd=4, events=POLLIN, revents=POLLRDNORM}], 1, -1) = 1")
	s.sends(p, "[P.] len 10")
	w.returned()
	s.ok("WSAPoll([], 0, 0) = -1 WSAEINVAL", "WSAPoll([{fd=-1, events=POLLIN, revents=POLLNVAL}, {fd=4, events=POLLOUT, revents=POLLOUT}], 2, 0) = 1")
}

func TestSelect(t *testing.T) {
	s := newStage(t)
	p := s.connected()
	s.ok("select(5, {[3, 4], []}, {[4], [4]}, NULL, {tv_sec=0, tv_usec=0}) = 1")
	w := s.blocks("select(..., {[3, 4], [4]}, NULL, NULL, NULL) = 1")
	s.sends(p, "[P.] len 10")
	w.returned()
	require.Equal(t, "1:15: a set of select differs | expected [3, 4] | actual [4]",
		s.fault("select(..., {[4, 3], [4, 3]}, NULL, NULL, NULL) = 1"))
	s.ok("select(..., [], [], [], NULL) = -1 WSAEINVAL", "select(..., [9], NULL, NULL, NULL) = -1 WSAENOTSOCK")
	require.Contains(t, s.fault("select(..., {[4]}, NULL, NULL, NULL) = 1"), "a set with braces has what goes in and what comes out")
	require.Contains(t, s.fault("select(..., 4, NULL, NULL, NULL) = 1"), "4 is no list")
}

func TestEvents(t *testing.T) {
	s := newStage(t)
	p := s.connected()
	s.ok("WSACreateEvent() = 100", "WSACreateEvent() = 101", "WSAEventSelect(4, 100, FD_READ|FD_WRITE|FD_CLOSE) = 0",
		"WSAEnumNetworkEvents(4, 100, {lNetworkEvents=FD_WRITE, iErrorCode(FD_WRITE_BIT)=0}) = 0",
		"WSAWaitForMultipleEvents(2, [100, 101], FALSE, 0, FALSE) = 258", "recv(4, ..., 10, 0) = -1 WSAEWOULDBLOCK")
	w := s.blocks("WSAWaitForMultipleEvents(2, [101, 100], FALSE, WSA_INFINITE, FALSE) = 1")
	both := s.blocks("WSAWaitForMultipleEvents(2, [101, 100], TRUE, 60000, FALSE) = 0")
	s.sends(p, "[P.] len 10")
	w.returned()
	both.waits()
	s.ok("WSASetEvent(101) = TRUE")
	both.returned()
	s.ok("WSAResetEvent(101) = 1", "WSAEnumNetworkEvents(4, 100, {lNetworkEvents=FD_READ, iErrorCode=...}) = 0",
		"WSAWaitForMultipleEvents(1, [100], FALSE, 0, FALSE) = 258")
	s.sends(p, "[R.]")
	require.Equal(t, "1:59: iErrorCode differs | expected iErrorCode=0 | actual iErrorCode=WSAECONNRESET",
		s.fault("WSAEnumNetworkEvents(4, NULL, {lNetworkEvents=FD_CLOSE, iErrorCode(FD_CLOSE_BIT)=0}) = 0"))
	require.Contains(t, s.fault("WSAEnumNetworkEvents(4, 100, {lNetworkEvents=FD_READ}) = 0"), "lNetworkEvents differs | expected lNetworkEvents=FD_READ | actual lNetworkEvents=0")
	s.ok("WSAEventSelect(4, NULL, FD_READ) = -1 WSAEINVAL", "WSACloseEvent(101) = TRUE", "WSACloseEvent(101) = -1 WSA_INVALID_HANDLE",
		"WSASetEvent(101) = FALSE", "WSAWaitForMultipleEvents(1, [101], FALSE, 0, FALSE) = -1 WSA_INVALID_HANDLE")
	require.Contains(t, s.fault("WSAEventSelect(100, 100, FD_READ) = 0"), "descriptor 100 is an event, and not a socket")
	require.Contains(t, s.fault("WSAEnumNetworkEvents(4, 100, {nothing=0}) = 0"), "a WSANETWORKEVENTS has no nothing")
}
