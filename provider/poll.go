package provider

import (
	"time"

	"github.com/wsstack/wsstack/internal/socket"

	"github.com/wsstack/wsstack/wsa"
)

// A PollFD is WSAPOLLFD: what is asked of a socket, wsa.POLLRDNORM, POLLRDBAND
// and POLLWRNORM, and what was found.
type PollFD struct {
	Socket  wsa.SOCKET
	Events  int16
	Revents int16
}

// pollFlags are the flags of WSAPoll for what a socket is ready for. Those of
// the second column are reported whether or not they were asked for.
var pollFlags = []struct {
	bit    socket.Readiness
	flag   int16
	always bool
}{
	{socket.PollRead, wsa.POLLRDNORM, false},
	{socket.PollUrgent, wsa.POLLRDBAND, false},
	{socket.PollWrite, wsa.POLLWRNORM, false},
	{socket.PollError, wsa.POLLERR, true},
	{socket.PollHangup, wsa.POLLHUP, true},
	{socket.ReadyClosed, wsa.POLLNVAL, true},
}

// Poll waits until a socket has something that was asked for, or an error, and sets Revents of each;
// n is how many are not zero, but for those that are ignored (API-WSAPoll). A zero timeout is a look,
// a negative one none. The time is that of the stack's clock.
//
//   - POLLRDNORM: data, or a connection to accept
//   - POLLRDBAND: an urgent byte
//   - POLLWRNORM: there is room to send, or a failure to be met
//   - POLLHUP: the peer has closed its side, or the connection has ended
//   - POLLERR, with POLLHUP: the connect failed (EV-10), or the connection was
//     reset, aborted or dropped (RS-4, KA-31)
//   - POLLNVAL: no open socket. A negative one, INVALID_SOCKET for example, is
//     ignored: it gets POLLNVAL, too, but it ends no wait and doesn't count. Where
//     a profile says so, the handle of a closed socket is ignored as well (WE-8)
//
// Errors: WSAEINVAL for another flag in Events of a socket, and for no elements. Where none names a
// socket, WSAEINVAL, in a profile WSAENOTSOCK (WE-8), with Revents set. WSAENETDOWN when the network
// fails while Poll waits.
func (p *Provider) Poll(fds []PollFD, timeout time.Duration) (n int, _ error) {
	if err := p.enter(); err != 0 {
		return 0, p.result(err)
	}
	members, index, n, err := p.polled(fds)
	if err != 0 {
		return 0, p.result(err)
	}
	if n > 0 {
		timeout = 0
	}
	socket.Await(p.host, members, timeout)
	if p.host.Down() {
		return 0, p.result(wsa.WSAENETDOWN)
	}
	for i, m := range members {
		if fds[index[i]].Revents = revents(m.Got); m.Got != 0 {
			n++
		}
	}
	return n, nil
}

// polled are the sockets of fds with their places, and the number of handles that are stale and
// count. Elements that name no socket get their Revents, whatever their Events are; the others have
// none then, also where the call fails.
func (p *Provider) polled(fds []PollFD) (members []socket.Member, index []int, stale int, err wsa.Errno) {
	rules := p.host.Profile().Events()
	for i := range fds {
		fd := &fds[i]
		fd.Revents = 0
		e, ok := p.handles.get(fd.Socket)
		switch {
		case !ok:
			fd.Revents = wsa.POLLNVAL
			if int(fd.Socket) >= 0 && !rules.StaleIgnored {
				stale++
			}
			continue
		case fd.Events&^(wsa.POLLRDNORM|wsa.POLLRDBAND|wsa.POLLWRNORM) != 0:
			return nil, nil, 0, wsa.WSAEINVAL
		}
		members = append(members, socket.Member{Socket: e.sock, Want: wanted(fd.Events)})
		index = append(index, i)
	}
	switch {
	case len(fds) == 0:
		return nil, nil, 0, wsa.WSAEINVAL
	case len(members) == 0:
		return nil, nil, 0, rules.NoSockets
	}
	return members, index, stale, 0
}

func wanted(events int16) (want socket.Readiness) {
	for _, f := range pollFlags {
		if f.always || events&f.flag != 0 {
			want |= f.bit
		}
	}
	return want
}

func revents(got socket.Readiness) (flags int16) {
	for _, f := range pollFlags {
		if got&f.bit != 0 {
			flags |= f.flag
		}
	}
	return flags
}
