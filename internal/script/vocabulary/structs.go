package vocabulary

import (
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/wsa"
)

// The largest things that a script may have in memory.
const (
	MaxList   = 1024    // the elements of poll, epoll_wait, readv and sendmsg
	MaxBuffer = 1 << 28 // the length of one buffer, in bytes
)

// A PollFD is {fd=3, events=POLLIN, revents=POLLIN}.
type PollFD struct {
	FD      int64
	Events  int64
	Revents int64
	Any     bool // "revents=...": Revents isn't compared; without revents, it is 0
}

// An EpollEvent is {events=EPOLLIN, fd=3}, with one of fd, ptr, u32 and u64.
type EpollEvent struct {
	Events  int64
	AnyBits bool   // events is "..."
	Field   string // the name of the one that is there; "": none
	Data    int64
	AnyData bool // it is "..."
}

// An Iovec is {..., 10} or {"text", 4}.
type Iovec struct {
	Bytes  []byte // nil: any, "..."
	Length int
}

// A Msghdr is {msg_name(...)=..., msg_iov(1)=[{..., 10}], msg_flags=0}.
type Msghdr struct {
	Name     netip.AddrPort // not valid: any, or none
	Iovecs   []Iovec
	Control  syntax.Expr // nil: none is said
	Flags    int64
	AnyFlags bool // they aren't said, or "..."
}

// fields calls set for each field of a structure; those without names have the names of order.
func fields(e syntax.Expr, pattern string, order []string, set func(name string, f syntax.Field) (known bool, err error)) error {
	s, ok := e.(*syntax.Struct)
	if !ok {
		return errorf(e, "write "+pattern, "this isn't a structure")
	}
	for i, f := range s.Fields {
		name := f.Name
		if name == "" && i < len(order) {
			name = order[i]
		}
		known, err := set(name, f)
		if err != nil {
			return err
		}
		if !known {
			return &Error{f.Pos, fmt.Sprintf("the structure has no field %q", f.Name), "write " + pattern}
		}
	}
	return nil
}

// items returns the elements of a list; a single structure is a list of one, too.
func items(e syntax.Expr) ([]syntax.Expr, error) {
	l, ok := e.(*syntax.List)
	switch {
	case !ok:
		return []syntax.Expr{e}, nil
	case len(l.Items) > MaxList:
		return nil, errorf(e, fmt.Sprintf("write %d at most", MaxList), "the list has %d elements", len(l.Items))
	}
	return l.Items, nil
}

// each calls f for the elements of a list.
func each[T any](e syntax.Expr, f func(syntax.Expr) (T, error)) ([]T, error) {
	list, err := items(e)
	if err != nil {
		return nil, err
	}
	results := make([]T, 0, len(list))
	for _, item := range list {
		r, err := f(item)
		if err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	return results, nil
}

// PollFDs returns the elements of poll and WSAPoll. The error is an *Error.
func (v Evaluator) PollFDs(e syntax.Expr) ([]PollFD, error) { return each(e, v.pollFD) }

func (v Evaluator) pollFD(e syntax.Expr) (p PollFD, _ error) {
	err := fields(e, "{fd=3, events=POLLIN, revents=POLLIN}", []string{"fd", "events", "revents"},
		func(name string, f syntax.Field) (bool, error) {
			var err error
			switch name {
			case "fd":
				p.FD, err = v.Number(Plain, f.Value)
			case "events":
				p.Events, err = v.Number(PollEvents, f.Value)
			case "revents":
				if p.Any = IsAny(f.Value); !p.Any {
					p.Revents, err = v.Number(PollEvents, f.Value)
				}
			default:
				return false, nil
			}
			return true, err
		})
	return p, err
}

// EpollEvents returns the event of epoll_ctl, or those of epoll_wait. The error is an *Error.
func (v Evaluator) EpollEvents(e syntax.Expr) ([]EpollEvent, error) { return each(e, v.epollEvent) }

func (v Evaluator) epollEvent(e syntax.Expr) (ev EpollEvent, _ error) {
	err := fields(e, "{events=EPOLLIN, fd=3}", []string{"events", "fd"},
		func(name string, f syntax.Field) (bool, error) {
			var err error
			switch name {
			case "events":
				if ev.AnyBits = IsAny(f.Value); !ev.AnyBits {
					ev.Events, err = v.Number(EpollEvents, f.Value)
				}
			case "fd", "ptr", "u32", "u64":
				ev.Field = name
				if ev.AnyData = IsAny(f.Value); !ev.AnyData {
					ev.Data, err = v.Number(Plain, f.Value)
				}
			default:
				return false, nil
			}
			return true, err
		})
	return ev, err
}

// Iovecs returns the buffers of readv, sendmsg and WSASend, also as {len=10, buf=...}. The error is
// an *Error.
func (v Evaluator) Iovecs(e syntax.Expr) ([]Iovec, error) { return each(e, v.iovec) }

func (v Evaluator) iovec(e syntax.Expr) (iov Iovec, _ error) {
	iov.Length = -1
	err := fields(e, `{..., 10} or {"text", 4}`, []string{"iov_base", "iov_len"},
		func(name string, f syntax.Field) (bool, error) {
			switch name {
			case "iov_base", "buf":
				if text, ok := f.Value.(*syntax.Text); ok {
					iov.Bytes = []byte(text.Value)
				} else if !IsAny(f.Value) {
					return true, errorf(f.Value, `write ... or "text"`, "this isn't the contents of a buffer")
				}
			case "iov_len", "len":
				n, err := v.length(f.Value)
				iov.Length = n
				return true, err
			default:
				return false, nil
			}
			return true, nil
		})
	if iov.Length < 0 {
		iov.Length = len(iov.Bytes)
	}
	return iov, err
}

// length returns the length of a buffer.
func (v Evaluator) length(e syntax.Expr) (int, error) {
	n, err := v.Number(Plain, e)
	if err == nil && (n < 0 || n > MaxBuffer) {
		err = errorf(e, fmt.Sprintf("0 to %d", MaxBuffer), "a buffer of %d bytes", n)
	}
	return int(n), err
}

// Msghdr returns the argument of sendmsg and recvmsg. The error is an *Error.
func (v Evaluator) Msghdr(e syntax.Expr) (Msghdr, error) {
	m := Msghdr{AnyFlags: true}
	err := fields(e, "{msg_name(...)=..., msg_iov(1)=[{..., 10}], msg_flags=0}", nil,
		func(name string, f syntax.Field) (bool, error) {
			var err error
			switch name {
			case "msg_name":
				m.Name, _, err = v.Address(f.Value)
			case "msg_iov":
				m.Iovecs, err = v.Iovecs(f.Value)
			case "msg_control":
				m.Control = f.Value
			case "msg_flags":
				if m.AnyFlags = IsAny(f.Value); !m.AnyFlags {
					m.Flags, err = v.Number(MsgFlags, f.Value)
				}
			case "msg_namelen", "msg_iovlen", "msg_controllen":
				// The lists themselves say how long they are.
			default:
				return false, nil
			}
			return true, err
		})
	return m, err
}

// Timeval returns the time of {tv_sec=1, tv_usec=500000}. wild reports "...". The error is an *Error.
func (v Evaluator) Timeval(e syntax.Expr) (d time.Duration, wild bool, _ error) {
	if IsAny(e) {
		return 0, true, nil
	}
	err := fields(e, "{tv_sec=1, tv_usec=500000}", []string{"tv_sec", "tv_usec"},
		func(name string, f syntax.Field) (bool, error) {
			n, err := v.Number(Plain, f.Value)
			unit := time.Second
			switch name {
			case "tv_usec":
				unit = time.Microsecond
			case "tv_sec":
			default:
				return false, err
			}
			if err == nil && (n < 0 || n > math.MaxInt32) {
				err = errorf(f.Value, "0 to 2147483647", "%d isn't a time", n)
			}
			d += time.Duration(n) * unit
			return true, err
		})
	return d, false, err
}

// PollFound returns what poll or epoll reports of a socket for which WSAPoll has reported revents,
// of the events asked for and of those that come unasked. WSAPoll reports POLLHUP when the peer has
// closed its side; Linux reports then that one may read, and POLLRDHUP. After an error, Linux
// reports that one may read and write, too.
func PollFound(asked int64, revents int16) int64 {
	var found int64
	for _, p := range []struct {
		revents int16
		events  int64
	}{
		{wsa.POLLRDNORM, POLLIN | POLLRDNORM},
		{wsa.POLLRDBAND, POLLPRI | POLLRDBAND},
		{wsa.POLLWRNORM, POLLOUT | POLLWRNORM},
		{wsa.POLLHUP, POLLIN | POLLRDNORM | POLLRDHUP},
		{wsa.POLLERR, POLLERR | POLLHUP | POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLRDHUP},
		{wsa.POLLNVAL, POLLNVAL},
	} {
		if revents&p.revents != 0 {
			found |= p.events
		}
	}
	return found & (asked | POLLERR | POLLHUP | POLLNVAL)
}
