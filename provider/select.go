package provider

import (
	"slices"
	"time"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/wait"

	"github.com/wsstack/wsstack/wsa"
)

// Select waits until a socket of a set is ready and returns those that are, in
// the order given (API-select, EV-9). A zero timeout is a poll, a negative one
// none; when it is over first, all three results are empty. The time is that
// of the stack's clock. A nil set is an empty one; the sets have no size limit.
//
//   - readable: there is data, the end of the stream, a connection to accept,
//     or the connection has ended
//   - writable: the socket is connected and there is room to send; a datagram
//     socket always
//   - exceptional: a non-blocking connect has failed, where a profile says so any connect (WE-10),
//     or an urgent byte waits
//
// A connection that was reset, aborted or dropped is readable and writable, not
// exceptional (RS-4, KA-31). When the network fails while Select waits, every
// member is ready (ND-2).
//
// Errors: WSAEINVAL when all sets are empty; WSAENOTSOCK when a member is no open socket, or is
// closed while Select waits. The results are nil then. Where a profile says so, a member of read
// that is closed while Select waits is readable (WE-9).
func (p *Provider) Select(read, write, except []wsa.SOCKET, timeout time.Duration) (r, w, e []wsa.SOCKET, _ error) {
	return p.selectOn(nil, read, write, except, timeout)
}

// selectOn is Select for a thread, which may be nil.
func (p *Provider) selectOn(t *wait.Thread, read, write, except []wsa.SOCKET, timeout time.Duration) (r, w, e []wsa.SOCKET, _ error) {
	if err := p.enter(); err != 0 {
		return nil, nil, nil, p.result(err)
	}
	if len(read)+len(write)+len(except) == 0 {
		return nil, nil, nil, p.result(wsa.WSAEINVAL)
	}
	members, ok := p.members(read, write, except)
	if !ok {
		return nil, nil, nil, p.result(wsa.WSAENOTSOCK)
	}
	if err := socket.AwaitOn(t, p.host, members, timeout); err != 0 {
		return nil, nil, nil, p.result(err)
	}
	if slices.ContainsFunc(members, closedMember) && !p.closedReadable(members, len(read)) {
		return nil, nil, nil, p.result(wsa.WSAENOTSOCK)
	}
	r, members = ready(read, members)
	w, members = ready(write, members)
	e, _ = ready(except, members)
	return r, w, e, nil
}

func closedMember(m socket.Member) bool { return m.Got == socket.ReadyClosed }

// closedReadable makes the sockets readable that were closed meanwhile, where the profile has that and
// each of them is among the first n members, which are those of readfds. In the other sets they have
// nothing.
func (p *Provider) closedReadable(members []socket.Member, n int) bool {
	if !p.host.Profile().Events().ClosedReadable {
		return false
	}
	for i, m := range members {
		if !closedMember(m) {
			continue
		}
		if !slices.ContainsFunc(members[:n], func(r socket.Member) bool { return r.Socket == m.Socket }) {
			return false
		}
		members[i].Got = 0
		if i < n {
			members[i].Got = socket.ReadyRead
		}
	}
	return true
}

// members are the sockets of the three sets, one after the other.
func (p *Provider) members(read, write, except []wsa.SOCKET) ([]socket.Member, bool) {
	members := make([]socket.Member, 0, len(read)+len(write)+len(except))
	for _, set := range []struct {
		handles []wsa.SOCKET
		want    socket.Readiness
	}{{read, socket.ReadyRead}, {write, socket.ReadyWrite}, {except, socket.ReadyExcept}} {
		for _, s := range set.handles {
			entry, ok := p.handles.get(s)
			if !ok {
				return nil, false
			}
			members = append(members, socket.Member{Socket: entry.sock, Want: set.want})
		}
	}
	return members, true
}

// ready picks the handles of a set whose members have something, each of them
// once, and returns the members of the sets behind it.
func ready(set []wsa.SOCKET, members []socket.Member) ([]wsa.SOCKET, []socket.Member) {
	var found []wsa.SOCKET
	seen := make(map[wsa.SOCKET]bool, len(set))
	for i, s := range set {
		if members[i].Got != 0 && !seen[s] {
			seen[s] = true
			found = append(found, s)
		}
	}
	return found, members[len(set):]
}
