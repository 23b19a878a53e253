package tun

import (
	"context"
	"errors"
	"log/slog"
)

// OpenOffload makes a TUN interface of Linux that carries TCP segments of up to
// 64 KiB both ways and leaves their checksums to the kernel (IFF_VNET_HDR), and
// UDP datagrams in batches where the kernel can (6.2). Names, namespace, and
// what happens to refused packets are those of OpenWater, and so are errors;
// one more, ErrNoOffload, says that the kernel can't do it, or the system isn't
// Linux.
//
// What the device gives to receive, the kernel's own sockets have sent: NeedsCsum
// is set in most of it. See Segments for a receiver that wants plain packets.
func OpenOffload(name string) (Device, error) {
	if err := checkName(name); err != nil {
		return nil, &OpenError{Name: name, Err: err}
	}
	port, actual, err := openOffloadPort(name)
	if err != nil {
		return nil, err
	}
	return &osDevice{name: actual, port: port}, nil
}

// Open makes a TUN interface with the best driver that works here: OpenOffload,
// or OpenWater where the system can't do that. The reason for the latter goes
// to the default logger of package slog. Names and errors are those of
// OpenWater.
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
