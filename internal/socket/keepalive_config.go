package socket

import (
	"cmp"
	"net"
	"time"

	"github.com/wsstack/wsstack/options"
)

// KeepAliveOptions are the options that a net.KeepAliveConfig stands for: SO_KEEPALIVE,
// TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT. As in package net, a zero field means Go's default,
// and a negative one is none.
func KeepAliveOptions(k net.KeepAliveConfig) (list []options.Assignment) {
	const goInterval, goCount = 15 * time.Second, 9
	if k.Idle >= 0 {
		list = append(list, options.TCP_KEEPIDLE.With(cmp.Or(k.Idle, goInterval)))
	}
	if k.Interval >= 0 {
		list = append(list, options.TCP_KEEPINTVL.With(cmp.Or(k.Interval, goInterval)))
	}
	if k.Count >= 0 {
		list = append(list, options.TCP_KEEPCNT.With(cmp.Or(k.Count, goCount)))
	}
	return append(list, options.SO_KEEPALIVE.With(k.Enable))
}
