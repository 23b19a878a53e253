package kernel

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wsstack/wsstack/internal/mistake"
	"github.com/wsstack/wsstack/internal/script/vocabulary"
)

// patiently repeats a call with a time-out in milliseconds that a signal has interrupted, with the
// time that is left. A negative time-out is for ever.
func (i *invocation) patiently(timeout int, call func(timeout int) (int, error)) (int, error) {
	end := time.Now().Add(time.Duration(timeout) * time.Millisecond)
	for {
		n, err := call(timeout)
		if !errors.Is(err, unix.EINTR) || i.closing.Load() {
			return n, err
		}
		if timeout > 0 {
			timeout = int(max(0, time.Until(end).Milliseconds()))
		}
	}
}

func preparePoll(i *invocation) system {
	list, err := linux.PollFDs(i.call.Args[0])
	i.fail(i.call.Args[0].At(), err)
	if n := i.number(vocabulary.Plain, 1); n != len(list) {
		i.fail(i.call.Args[1].At(), mistake.Errorf("write the number of structures that there are", "the number of structures is %d, and not %d", len(list), n))
	}
	timeout := i.number(vocabulary.Plain, 2)
	fds := make([]unix.PollFd, len(list))
	for k, p := range list {
		fds[k] = unix.PollFd{Fd: int32(i.file(p.FD)), Events: int16(p.Events)}
	}
	i.checks = append(i.checks, func() {
		for k, p := range list {
			if got := fds[k].Revents; !p.Any && got != int16(p.Revents) {
				i.differs(i.call.Args[0].At(), fmt.Sprintf("revents of descriptor %d", p.FD),
					pollText(p.FD, "revents", vocabulary.PollEvents, p.Revents), pollText(p.FD, "revents", vocabulary.PollEvents, int64(got)))
			}
		}
	})
	return func() (int, error) {
		return i.patiently(timeout, func(timeout int) (int, error) { return unix.Poll(fds, timeout) })
	}
}

func pollText(fd int64, field string, k vocabulary.Kind, n int64) string {
	return fmt.Sprintf("{fd=%d, %s=%s}", fd, field, vocabulary.Linux.Text(k, n))
}

// prepareEpoll prepares epoll_create and epoll_create1.
func prepareEpoll(i *invocation) system {
	i.makes = true
	if i.call.Name == "epoll_create" {
		size := i.number(vocabulary.Plain, 0)
		return func() (int, error) { return unix.EpollCreate(size) }
	}
	flags := i.number(vocabulary.EpollFlags, 0)
	return func() (int, error) { return unix.EpollCreate1(flags) }
}

func prepareEpollControl(i *invocation) system {
	fd, op, about := i.descriptor(0), i.number(vocabulary.EpollOperation, 1), i.descriptor(2)
	event := new(unix.EpollEvent)
	if !null(i.call.Args[3]) {
		list, err := linux.EpollEvents(i.call.Args[3])
		i.fail(i.call.Args[3].At(), err)
		if err == nil && len(list) != 1 {
			i.fail(i.call.Args[3].At(), mistake.Errorf("write {events=EPOLLIN, fd=4}", "epoll_ctl has one structure"))
		}
		if len(list) > 0 {
			event.Events = uint32(list[0].Events)
			setEpollData(event, list[0].Data)
		}
	}
	return func() (int, error) { return 0, unix.EpollCtl(fd, op, about, event) }
}

// The data of an epoll are 64 bits, which package unix has as two fields of 32.
func setEpollData(e *unix.EpollEvent, data int64) { e.Fd, e.Pad = int32(data), int32(data>>32) }
func epollData(e *unix.EpollEvent) int64          { return int64(uint32(e.Fd)) | int64(e.Pad)<<32 }

func prepareEpollWait(i *invocation) system {
	fd := i.descriptor(0)
	list, err := linux.EpollEvents(i.call.Args[1])
	i.fail(i.call.Args[1].At(), err)
	events := make([]unix.EpollEvent, i.length(2, maxFiles))
	timeout := i.number(vocabulary.Plain, 3)
	got := 0
	i.checks = append(i.checks, func() { i.compareEpoll(list, events[:got]) })
	return func() (n int, err error) {
		got, err = i.patiently(timeout, func(timeout int) (int, error) { return unix.EpollWait(fd, events, timeout) })
		got = max(0, got)
		return got, err
	}
}

// compareEpoll compares the events that have come with those of the script, one after the other.
func (i *invocation) compareEpoll(want []vocabulary.EpollEvent, got []unix.EpollEvent) {
	pos := i.call.Args[1].At()
	for k := range min(len(want), len(got)) {
		w, g := want[k], got[k]
		data := epollData(&g)
		if w.Field == "fd" || w.Field == "u32" {
			data = int64(g.Fd)
		}
		if !w.AnyBits && uint32(w.Events) != g.Events || w.Field != "" && !w.AnyData && w.Data != data {
			i.differs(pos, fmt.Sprintf("event %d", k+1), epollText(w.Field, w.Events, w.Data), epollText(w.Field, int64(g.Events), data))
		}
	}
}

func epollText(field string, events, data int64) string {
	text := "{events=" + vocabulary.Linux.Text(vocabulary.EpollEvents, events)
	if field != "" {
		text += fmt.Sprintf(", %s=%d", field, data)
	}
	return text + "}"
}
