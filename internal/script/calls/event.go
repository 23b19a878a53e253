package calls

import (
	"strconv"
	"time"

	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/internal/script/vocabulary"
	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/wsa"
)

var eventFunctions = map[string]function{
	"WSACreateEvent":           fn(winsock, 0, 0, "WSACreateEvent() = 100", (*invocation).createEvent),
	"WSACloseEvent":            boolean(1, 1, "WSACloseEvent(100) = 1", (*invocation).closeEvent),
	"WSASetEvent":              boolean(1, 1, "WSASetEvent(100) = 1", (*invocation).setEvent),
	"WSAResetEvent":            boolean(1, 1, "WSAResetEvent(100) = 1", (*invocation).resetEvent),
	"WSAEventSelect":           fn(winsock, 3, 3, "WSAEventSelect(3, 100, FD_READ|FD_CLOSE) = 0", (*invocation).eventSelect),
	"WSAEnumNetworkEvents":     fn(winsock, 3, 3, "WSAEnumNetworkEvents(3, 100, {lNetworkEvents=FD_READ, iErrorCode=...}) = 0", (*invocation).enumEvents),
	"WSAWaitForMultipleEvents": fn(winsock, 5, 5, "WSAWaitForMultipleEvents(1, [100], FALSE, WSA_INFINITE, FALSE) = 0", (*invocation).waitEvents),
}

// What WSAWaitForMultipleEvents has for the time (winsock2.h).
const (
	waitInfinite = 0xFFFFFFFF
	waitTimeout  = 258
)

func (c *invocation) createEvent() result {
	return result{made: &file{kind: eventFile, socket: wsa.INVALID_SOCKET, event: provider.NewEvent()}}
}

// eventFile is the event of an argument; nil: NULL.
func (c *invocation) eventFile(i int) *file {
	if c.null(i) {
		return &file{kind: eventFile, closed: true}
	}
	return c.file(i, eventFile)
}

// onEvent makes a call on an event, which returns TRUE.
func (c *invocation) onEvent(call func(f *file)) result {
	f := c.eventFile(0)
	return c.make(func() (int64, error) {
		if f.closed {
			return 0, wsa.WSA_INVALID_HANDLE
		}
		call(f)
		return 1, nil
	})
}

func (c *invocation) closeEvent() result { return c.onEvent(c.shut) }
func (c *invocation) setEvent() result   { return c.onEvent(func(f *file) { f.event.Set() }) }
func (c *invocation) resetEvent() result { return c.onEvent(func(f *file) { f.event.Reset() }) }

// eventSelect is WSAEventSelect, which makes the socket non-blocking.
func (c *invocation) eventSelect() result {
	f, ev := c.file(0, socketFile), c.eventFile(1)
	mask := int32(c.number(2, vocabulary.NetworkEvents))
	return c.status(func() error {
		err := c.p.EventSelect(f.socket, ev.event, mask)
		if err == nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			f.nonblocking, f.unixMode = true, false
		}
		return err
	})
}

func (c *invocation) enumEvents() result {
	s, ev := c.socket(), c.eventFile(1)
	want, ok := c.arg(2).(*syntax.Struct)
	if !ok && !vocabulary.IsAny(c.arg(2)) {
		c.wrong(c.arg(2).At(), "write {lNetworkEvents=FD_READ, iErrorCode=...}", "%s is no WSANETWORKEVENTS", c.arg(2))
	}
	return c.status(func() error {
		got, err := c.p.EnumNetworkEvents(s, ev.event)
		if err == nil && want != nil {
			c.leftEvents(want, got)
		}
		return err
	})
}

// leftEvents compares a WSANETWORKEVENTS: the events, and the codes that the script has.
func (c *invocation) leftEvents(want *syntax.Struct, got provider.NetworkEvents) {
	for _, f := range want.Fields {
		switch f.Name {
		case "lNetworkEvents":
			c.leftField(f, vocabulary.NetworkEvents, int64(got.Events))
		case "iErrorCode":
			c.leftCodes(f, got)
		default:
			c.wrong(f.Pos, "it has lNetworkEvents and iErrorCode", "a WSANETWORKEVENTS has no %s", f.Name)
		}
	}
}

// leftField compares a field of a structure.
func (c *invocation) leftField(f syntax.Field, kind vocabulary.Kind, actual int64) {
	if vocabulary.IsAny(f.Value) {
		return
	}
	n, err := c.numbers().Number(kind, f.Value)
	if c.check(err, f.Value) && n != actual {
		c.differs(f.Pos, f.Name+" differs", f.Name+"="+f.Value.String(), f.Name+"="+c.text(kind, actual))
	}
}

// leftCodes compares codes of events: "iErrorCode(FD_CLOSE_BIT)=WSAECONNRESET", or a list of them
// all.
func (c *invocation) leftCodes(f syntax.Field, got provider.NetworkEvents) {
	if len(f.Args) == 1 {
		bit, err := c.numbers().Number(vocabulary.Plain, f.Args[0])
		if !c.check(err, f.Args[0]) {
			return
		}
		if bit < 0 || bit >= int64(len(got.ErrorCode)) {
			c.wrong(f.Args[0].At(), "write FD_READ_BIT", "%s is no index of a network event", f.Args[0])
			return
		}
		c.leftField(f, vocabulary.ErrorCode, int64(got.ErrorCode[bit]))
		return
	}
	list, ok := f.Value.(*syntax.List)
	if !ok || len(list.Items) > len(got.ErrorCode) {
		if !vocabulary.IsAny(f.Value) {
			c.wrong(f.Value.At(), "write iErrorCode=..., or iErrorCode(FD_READ_BIT)=0", "%s are no codes of events", f.Value)
		}
		return
	}
	for i, item := range list.Items {
		name := "iErrorCode[" + strconv.Itoa(i) + "]"
		c.leftField(syntax.Field{Pos: item.At(), Name: name, Value: item}, vocabulary.ErrorCode, int64(got.ErrorCode[i]))
	}
}

func (c *invocation) waitEvents() result {
	var events []*provider.Event
	closed := false
	for _, e := range c.list(1) {
		fd, err := c.numbers().Number(vocabulary.Plain, e)
		c.check(err, e)
		f := c.Machine.file(fd)
		closed = closed || f.closed || f.kind != eventFile
		events = append(events, f.event)
	}
	c.counted(0, len(events), "events")
	all := c.number(2, vocabulary.Plain) != 0
	timeout := milliseconds(c.number(3, vocabulary.Plain))
	return c.make(func() (int64, error) {
		if closed {
			return 0, wsa.WSA_INVALID_HANDLE
		}
		i, err := c.p.WaitForMultipleEvents(events, all, timeout)
		if err == nil && i < 0 {
			return waitTimeout, nil
		}
		return int64(i), err
	})
}

// milliseconds is a time-out: negative, as WSA_INFINITE also is, for none.
func milliseconds(n int64) time.Duration {
	if n < 0 || n == waitInfinite {
		return -1
	}
	return time.Duration(n) * time.Millisecond
}

// list is an argument in brackets; none: NULL.
func (c *invocation) list(i int) []syntax.Expr {
	if list, ok := c.arg(i).(*syntax.List); ok {
		return list.Items
	}
	if !c.null(i) {
		c.wrong(c.arg(i).At(), "write [3, 4]", "%s is no list", c.arg(i))
	}
	return nil
}

// counted says that an argument is the number of elements of another one, or "...".
func (c *invocation) counted(i, n int, what string) {
	if said := c.numberOr(i, vocabulary.Plain, int64(n)); said != int64(n) {
		c.wrong(c.arg(i).At(), "write "+strconv.Itoa(n), "the number of %s is %d, and not %d", what, n, said)
	}
}
