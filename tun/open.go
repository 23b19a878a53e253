package tun

import (
	"context"
	"errors"
	"log/slog"

	"github.com/wsstack/wsstack/internal/parts"
)

// OpenOffload makes a TUN interface of Linux that carries TCP segments of up to 64 KiB in both
// directions and leaves their checksums to the kernel (IFF_VNET_HDR). Since Linux 6.2 the interface
// carries batches of UDP datagrams as well. Names, the network namespace, refused packets and
// errors are those of [OpenWater], with one more error: ErrNoOffload means that the kernel can't do
// it, or that the system isn't Linux.
//
// The device is a [Parallel]. Where GOMAXPROCS is 4 or more it has several queues (IFF_MULTI_QUEUE)
// with a reader for each, as many as a stack delivers packets with goroutines: one for each two
// processors, 8 at most.
//
// The packets that the device receives come from the sockets of the kernel, so most of them have
// GSO.NeedsCsum set. A receiver that wants plain packets uses [Segments].
func OpenOffload(name string) (Device, error) {
	if err := CheckName(name); err != nil {
		return nil, &OpenError{Name: name, Err: err}
	}
	queues, actual, err := openOffloadPorts(name, parts.Count())
	if err != nil {
		return nil, err
	}
	return &osDevice{name: actual, queues: queues}, nil
}

// Open makes a TUN interface as [OpenOffload] does or, on a system that can't do that, as
// [OpenWater] does. In the second case the reason goes to the default logger of package slog. Names
// and errors are those of OpenWater.
func Open(name string) (Device, error) { return openBest(name, OpenOffload, OpenWater, slog.Default()) }

func openBest(name string, best, other func(string) (Device, error), log *slog.Logger) (Device, error) {
	d, err := best(name)
	if !errors.Is(err, ErrNoOffload) {
		return d, err // also an error: the other way wouldn't do better
	}
	level := slog.LevelInfo
	if errors.Is(err, errNotLinux) {
		level = slog.LevelDebug // nothing to wonder about
	}
	d, otherErr := other(name)
	if otherErr == nil {
		log.Log(context.Background(), level, "tun: plain packets only", "reason", err)
	}
	return d, otherErr
}
