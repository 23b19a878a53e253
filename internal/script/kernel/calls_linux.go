package kernel

import (
	"golang.org/x/sys/unix"

	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/internal/script/vocabulary"
)

// A systemCall is a call that a script may make on this kernel.
type systemCall struct {
	least, most int // number of arguments
	prepare     func(i *invocation) system
}

// systemCalls are the calls by name.
var systemCalls map[string]systemCall

// It is made here, for the calls refer to Check, which refers to it.
func init() {
	systemCalls = map[string]systemCall{
		"socket":      {3, 3, prepareSocket},
		"bind":        {3, 3, prepareBind},
		"listen":      {2, 2, prepareListen},
		"accept":      {3, 3, prepareAccept},
		"accept4":     {4, 4, prepareAccept},
		"connect":     {3, 3, prepareConnect},
		"shutdown":    {2, 2, prepareShutdown},
		"close":       {1, 1, prepareClose},
		"getsockname": {3, 3, prepareName(unix.Getsockname)},
		"getpeername": {3, 3, prepareName(unix.Getpeername)},

		"read":     {3, 3, prepareRead},
		"recv":     {4, 4, prepareReceive},
		"recvfrom": {6, 6, prepareReceive},
		"readv":    {3, 3, prepareReadVector},
		"recvmsg":  {3, 3, prepareReceiveMessage},
		"write":    {3, 3, prepareWrite},
		"send":     {4, 4, prepareSend},
		"sendto":   {6, 6, prepareSend},
		"writev":   {3, 3, prepareWriteVector},
		"sendmsg":  {3, 3, prepareSendMessage},

		"getsockopt": {5, 5, prepareGetOption},
		"setsockopt": {5, 5, prepareSetOption},
		"fcntl":      {2, 3, prepareControlFile},
		"ioctl":      {2, 3, prepareControl},

		"poll":          {3, 3, preparePoll},
		"epoll_create":  {1, 1, prepareEpoll},
		"epoll_create1": {1, 1, prepareEpoll},
		"epoll_ctl":     {4, 4, prepareEpollControl},
		"epoll_wait":    {4, 4, prepareEpollWait},
	}
}

func prepareSocket(i *invocation) system {
	family := unix.AF_INET
	if i.cfg.Local.Addr().Is6() { // mapped ones included
		family = unix.AF_INET6
	}
	if !vocabulary.IsAny(i.call.Args[0]) {
		family = i.number(vocabulary.Family, 0)
	}
	typ, protocol := i.number(vocabulary.SocketType, 1), i.number(vocabulary.Protocol, 2)
	i.makes = true
	return func() (int, error) { return i.socket(family, typ, protocol) }
}

func prepareBind(i *invocation) system {
	fd, to := i.descriptor(0), i.address(1, i.cfg.Local)
	return func() (int, error) { return 0, unix.Bind(fd, to) }
}

func prepareListen(i *invocation) system {
	fd, backlog := i.descriptor(0), i.number(vocabulary.Plain, 1)
	return func() (int, error) { return 0, unix.Listen(fd, backlog) }
}

func prepareAccept(i *invocation) system {
	fd, flags := i.descriptor(0), 0
	if len(i.call.Args) == 4 {
		flags = i.number(vocabulary.SocketType, 3)
	}
	var from unix.Sockaddr
	i.compareAddress(1, func() unix.Sockaddr { return from })
	i.makes = true
	return func() (n int, err error) {
		n, from, err = unix.Accept4(fd, flags|unix.SOCK_CLOEXEC)
		return n, err
	}
}

func prepareConnect(i *invocation) system {
	fd, to := i.descriptor(0), i.address(1, i.cfg.Remote)
	return func() (int, error) { return 0, unix.Connect(fd, to) }
}

func prepareShutdown(i *invocation) system {
	fd, how := i.descriptor(0), i.number(vocabulary.ShutdownHow, 1)
	return func() (int, error) { return 0, unix.Shutdown(fd, how) }
}

func prepareClose(i *invocation) system {
	fd := int64(i.number(vocabulary.Plain, 0))
	return func() (int, error) {
		file := i.take(fd)
		if err := unix.Close(file); err != unix.EINTR { // the descriptor is closed then, too
			return 0, err
		}
		return 0, nil
	}
}

// prepareName prepares getsockname and getpeername.
func prepareName(name func(int) (unix.Sockaddr, error)) func(*invocation) system {
	return func(i *invocation) system {
		fd := i.descriptor(0)
		var got unix.Sockaddr
		i.compareAddress(1, func() unix.Sockaddr { return got })
		return func() (n int, err error) {
			got, err = name(fd)
			return 0, err
		}
	}
}

// winsockWords are the calls of Winsock, and what Linux has in their place.
var winsockWords = map[string]string{
	"WSASocket": "socket", "WSASocketA": "socket", "WSASocketW": "socket", "closesocket": "close",
	"ioctlsocket": "ioctl, or fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) for FIONBIO", "WSAPoll": "poll",
	"WSASend": "send or writev", "WSARecv": "recv or readv", "WSASendTo": "sendto",
	"WSARecvFrom": "recvfrom", "WSASendMsg": "sendmsg", "WSARecvMsg": "recvmsg", "WSAConnect": "connect",
	"WSAAccept": "accept", "AcceptEx": "accept", "ConnectEx": "connect", "DisconnectEx": "shutdown",
	"WSAIoctl":     "ioctl; TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT stand for SIO_KEEPALIVE_VALS",
	"TransmitFile": "write", "select": "poll", "WSACreateEvent": "epoll_create", "WSAEventSelect": "epoll_ctl",
	"WSAEnumNetworkEvents": "epoll_wait", "WSAWaitForMultipleEvents": "epoll_wait",
	"WSAGetLastError": "the name of the error after -1",
}

// unknownHint says what to write in place of a call.
func unknownHint(name string) string {
	if linux, ok := winsockWords[name]; ok {
		return "write " + linux + ": a kernel of Linux doesn't speak Winsock"
	}
	return "on a kernel there are socket, bind, listen, accept, connect, shutdown, close, read, write, send, recv and " +
		"their kin, getsockopt, setsockopt, fcntl, ioctl, poll and epoll_*"
}

// null reports whether an argument is NULL.
func null(e syntax.Expr) bool {
	n, err := linux.Number(vocabulary.Plain, e)
	return err == nil && n == 0
}
