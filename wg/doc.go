// Package wg joins a stack to a WireGuard network. A [Device] is a packet device, as those of
// package tun, whose wire is a WireGuard tunnel to one or more peers; the engine of the tunnel is
// golang.zx2c4.com/wireguard. Neither a TUN interface nor root is needed: the tunnel ends in the
// process.
//
//	cfg, err := wg.ParseConfig(file) // as wg-quick has it
//	device, err := wg.New(*cfg)
//	s, err := stack.New(cfg.Stack(device))
//	conn, err := s.Dial("tcp", "10.0.0.1:80")
//	s.Close() // closes the device, too
//
// Who has a device of golang.zx2c4.com/wireguard already joins it to a stack by a [TUN].
package wg
