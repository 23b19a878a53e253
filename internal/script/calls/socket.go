package calls

import (
	"net/netip"

	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/internal/script/vocabulary"
	"github.com/wsstack/wsstack/wsa"
)

var socketFunctions = map[string]function{
	"socket":          fn(both, 3, 3, "socket(..., SOCK_STREAM, IPPROTO_TCP) = 3", (*invocation).newSocket),
	"WSASocket":       fn(winsock, 3, 6, "WSASocket(AF_INET, SOCK_STREAM, IPPROTO_TCP, NULL, 0, WSA_FLAG_OVERLAPPED) = 3", (*invocation).newSocketEx),
	"bind":            fn(both, 3, 3, "bind(3, ..., ...) = 0", (*invocation).bind),
	"listen":          fn(both, 2, 2, "listen(3, 1) = 0", (*invocation).listen),
	"accept":          fn(both, 3, 3, "accept(3, ..., ...) = 4", (*invocation).accept),
	"accept4":         fn(unix, 4, 4, "accept4(3, ..., ..., SOCK_NONBLOCK) = 4", (*invocation).accept),
	"WSAAccept":       fn(winsock, 3, 5, "WSAAccept(3, ..., ..., CF_ACCEPT, 0) = 4", (*invocation).acceptIf),
	"connect":         fn(both, 3, 3, "connect(3, ..., ...) = 0", (*invocation).connect),
	"WSAConnect":      fn(winsock, 3, 7, "WSAConnect(3, ..., ..., NULL, NULL, NULL, NULL) = 0", (*invocation).connect),
	"shutdown":        fn(both, 2, 2, "shutdown(3, SHUT_WR) = 0", (*invocation).shutdown),
	"close":           fn(unix, 1, 1, "close(3) = 0", (*invocation).close),
	"closesocket":     fn(winsock, 1, 1, "closesocket(3) = 0", (*invocation).closeSocket),
	"getsockname":     fn(both, 3, 3, `getsockname(3, {sa_family=AF_INET, sin_port=htons(8080), sin_addr=inet_addr("192.168.0.1")}, [16]) = 0`, (*invocation).sockName),
	"getpeername":     fn(both, 3, 3, `getpeername(3, {sa_family=AF_INET, sin_port=htons(8080), sin_addr=inet_addr("192.0.2.1")}, [16]) = 0`, (*invocation).peerName),
	"WSAStartup":      fn(winsock, 2, 2, "WSAStartup(0x0202, ...) = 0", (*invocation).startup),
	"WSACleanup":      fn(winsock, 0, 0, "WSACleanup() = 0", (*invocation).cleanup),
	"WSASetLastError": fn(winsock, 1, 1, "WSASetLastError(0) = 0", (*invocation).setLastError),
	"WSAGetLastError": {vocabulary: winsock, usage: "WSAGetLastError() = WSAEWOULDBLOCK", run: (*invocation).getLastError,
		result: vocabulary.ErrorCode, failure: -1},
}

func (c *invocation) newSocket() result {
	typ, special := c.flags(1, vocabulary.SocketType, vocabulary.SOCK_NONBLOCK, vocabulary.SOCK_CLOEXEC)
	protocol := int32(c.number(2, vocabulary.Protocol))
	r := c.create(typ, func(family int32) (wsa.SOCKET, error) { return c.p.Socket(family, typ, protocol) })
	if r.made != nil && special&vocabulary.SOCK_NONBLOCK != 0 {
		c.mode(r.made, true, true)
	}
	return r
}

func (c *invocation) newSocketEx() result {
	typ := int32(c.number(1, vocabulary.SocketType))
	protocol := int32(c.number(2, vocabulary.Protocol))
	c.unused(3, 3, "the WSAPROTOCOL_INFO")
	group := uint32(c.numberOr(4, vocabulary.Plain, 0))
	flags := uint32(c.numberOr(5, vocabulary.SocketFlags, wsa.WSA_FLAG_OVERLAPPED))
	return c.create(typ, func(family int32) (wsa.SOCKET, error) {
		return c.p.SocketEx(family, typ, protocol, group, flags)
	})
}

// create makes a socket of the family of the first argument, or of the script's.
func (c *invocation) create(typ int32, socket func(family int32) (wsa.SOCKET, error)) result {
	usual := vocabulary.IsAny(c.arg(0))
	family := int32(c.numberOr(0, vocabulary.Family, int64(c.family())))
	made := &file{family: family, stream: typ == wsa.SOCK_STREAM}
	r := c.make(func() (int64, error) {
		var err error
		made.socket, err = socket(family)
		if err == nil && usual && c.cfg.Mapped {
			err = c.p.SetSockOpt(made.socket, wsa.IPPROTO_IPV6, wsa.IPV6_V6ONLY, make([]byte, 4), 4)
		}
		return 0, err
	})
	if r.err == 0 && c.mistake == nil {
		r.made = made
	}
	return r
}

// family is that of a socket whose family is "...".
func (m *Machine) family() int32 {
	if m.cfg.Mapped || m.cfg.Local.Addr().Is6() {
		return wsa.AF_INET6
	}
	return wsa.AF_INET
}

// address is an argument that is an address, or "...", which is usual.
func (c *invocation) address(i int, usual netip.AddrPort) netip.AddrPort {
	if c.null(i) {
		return netip.AddrPort{}
	}
	addr, unsaid, err := c.numbers().Address(c.arg(i))
	if !c.check(err, c.arg(i)) || !unsaid {
		return addr
	}
	return usual
}

// bindAddress is what "..." is for bind: with Mapped, all addresses of both families.
func (c *invocation) bindAddress() netip.AddrPort {
	if c.cfg.Mapped {
		return netip.AddrPortFrom(netip.IPv6Unspecified(), c.cfg.Local.Port())
	}
	return c.cfg.Local
}

// peerAddress is what "..." is for connect and its kin.
func (c *invocation) peerAddress() netip.AddrPort {
	if c.cfg.Mapped {
		return netip.AddrPortFrom(netip.AddrFrom16(c.cfg.Remote.Addr().As16()), c.cfg.Remote.Port())
	}
	return c.cfg.Remote
}

func (c *invocation) bind() result {
	s, addr := c.socket(), c.address(1, c.bindAddress())
	return c.status(func() error { return c.p.Bind(s, addr) })
}

func (c *invocation) listen() result {
	s, backlog := c.socket(), int32(c.number(1, vocabulary.Plain))
	return c.status(func() error { return c.p.Listen(s, backlog) })
}

func (c *invocation) connect() result {
	f := c.file(0, socketFile)
	c.unused(3, 6, "an argument")
	addr, dissolve := netip.AddrPort{}, c.dissolves(1)
	switch {
	case !dissolve:
		addr = c.address(1, c.peerAddress())
	case f.stream:
		c.wrong(c.arg(1).At(), "use close, or DisconnectEx with TF_REUSE_SOCKET",
			"connect with AF_UNSPEC isn't supported on a stream")
	case f.family == wsa.AF_INET6:
		addr = netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
	default:
		addr = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	}
	return c.status(func() error { return c.p.Connect(f.socket, addr) })
}

// dissolves reports whether the address is AF_UNSPEC alone, by which connect removes the peer.
func (c *invocation) dissolves(i int) bool {
	name, ok := c.arg(i).(*syntax.Name)
	return ok && name.Word == "AF_UNSPEC"
}

func (c *invocation) accept() result {
	special := int64(0)
	if c.call.Name == "accept4" {
		var flags int32
		flags, special = c.flags(3, vocabulary.SocketType, vocabulary.SOCK_NONBLOCK, vocabulary.SOCK_CLOEXEC)
		if flags != 0 {
			c.wrong(c.arg(3).At(), "use SOCK_NONBLOCK or 0", "%s is no flag of accept4", c.arg(3).String())
		}
	}
	f := c.file(0, socketFile)
	r := c.accepted(f, func() (wsa.SOCKET, netip.AddrPort, error) { return c.p.Accept(f.socket) })
	if r.made != nil && special&vocabulary.SOCK_NONBLOCK != 0 {
		c.mode(r.made, true, true)
	}
	return r
}

// acceptIf is WSAAccept. Its condition is what it returns, or NULL.
func (c *invocation) acceptIf() result {
	f := c.file(0, socketFile)
	decision, always := int32(0), c.none(3) && !isDecision(c.arg(3))
	if !always {
		decision = int32(c.number(3, vocabulary.AcceptDecision))
	}
	return c.accepted(f, func() (wsa.SOCKET, netip.AddrPort, error) {
		if always {
			return c.p.AcceptCond(f.socket, nil)
		}
		return c.p.AcceptCond(f.socket, func(netip.AddrPort, netip.AddrPort) int32 { return decision })
	})
}

// isDecision tells CF_ACCEPT, whose number is 0, from NULL.
func isDecision(e syntax.Expr) bool {
	name, ok := e.(*syntax.Name)
	return ok && name.Word != "NULL"
}

// accepted takes a connection of a listener. Where the script has set the listener's mode by fcntl,
// the connection blocks all the same, as on Linux; otherwise it inherits the mode, as in Winsock.
func (c *invocation) accepted(listener *file, accept func() (wsa.SOCKET, netip.AddrPort, error)) result {
	var made *file
	var peer netip.AddrPort
	r := c.make(func() (int64, error) {
		s, addr, err := accept()
		if err != nil {
			return 0, err
		}
		peer = addr
		made = &file{socket: s, family: listener.family, stream: true, nonblocking: listener.nonblocking}
		return 0, nil
	})
	if made == nil {
		return r
	}
	if listener.nonblocking && listener.unixMode {
		c.mode(made, false, true)
	}
	c.leftAddress(1, peer)
	c.leftLength(2, peer)
	r.made = made
	return r
}

// leftAddress compares an address that the call has left.
func (c *invocation) leftAddress(i int, actual netip.AddrPort) {
	if c.none(i) {
		return
	}
	want, unsaid, err := c.numbers().AddressBeside(c.arg(i), actual)
	if c.check(err, c.arg(i)) && !unsaid && want != actual {
		c.differs(c.arg(i).At(), "the address differs", vocabulary.TextAddress(want), vocabulary.TextAddress(actual))
	}
}

// leftLength compares the length of an address, which is the same in both vocabularies.
func (c *invocation) leftLength(i int, addr netip.AddrPort) {
	size := int64(wsa.SizeofSockaddrIn)
	if addr.Addr().Is6() {
		size = wsa.SizeofSockaddrIn6
	}
	c.left(i, size)
}

func (c *invocation) shutdown() result {
	f, how := c.file(0, socketFile), int32(c.number(1, vocabulary.ShutdownHow))
	return c.status(func() error {
		err := c.p.Shutdown(f.socket, how)
		if err == nil && how != wsa.SD_RECEIVE {
			c.mu.Lock()
			f.shutSend = true
			c.mu.Unlock()
		}
		return err
	})
}

// close closes a descriptor of any kind.
func (c *invocation) close() result {
	fd := c.number(0, vocabulary.Plain)
	if f := c.Machine.file(fd); f.kind != socketFile {
		return c.status(func() error {
			if f.closed {
				return wsa.WSAEBADF
			}
			c.shut(f)
			return nil
		})
	}
	return c.closeSocket()
}

func (c *invocation) closeSocket() result {
	f := c.file(0, socketFile)
	return c.status(func() error {
		err := c.p.CloseSocket(f.socket)
		if err == nil && f != missing {
			c.shut(f)
		}
		return err
	})
}

func (c *invocation) sockName() result {
	s := c.socket()
	return c.named(func() (netip.AddrPort, error) { return c.p.GetSockName(s) })
}

func (c *invocation) peerName() result {
	s := c.socket()
	return c.named(func() (netip.AddrPort, error) { return c.p.GetPeerName(s) })
}

func (c *invocation) named(get func() (netip.AddrPort, error)) result {
	return c.status(func() error {
		addr, err := get()
		if err == nil {
			c.leftAddress(1, addr)
			c.leftLength(2, addr)
		}
		return err
	})
}

// startup is WSAStartup. The Provider has been started, and every version from 1.0 on is accepted.
func (c *invocation) startup() result {
	version := c.number(0, vocabulary.Plain)
	return c.status(func() error {
		if version&0xFF == 0 {
			return wsa.WSAVERNOTSUPPORTED
		}
		return nil
	})
}

func (c *invocation) cleanup() result { return c.status(c.p.Cleanup) }

func (c *invocation) getLastError() result {
	c.mu.Lock()
	defer c.mu.Unlock()
	return result{value: int64(c.lastErr)}
}

func (c *invocation) setLastError() result {
	code := wsa.Errno(c.number(0, vocabulary.ErrorCode))
	if c.mistake == nil {
		c.noteError(code)
	}
	return result{}
}
