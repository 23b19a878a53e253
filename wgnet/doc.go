// Package wgnet has the functions, types and methods of golang.zx2c4.com/wireguard/tun/netstack,
// over a stack of this project: a program that reaches a WireGuard network from inside of its
// process changes one import.
//
//	tun, tnet, err := wgnet.CreateNetTUN(addresses, nameservers, 1420)
//	bind := tnet.Bind(conn.NewDefaultBind())   // package conn of golang.zx2c4.com/wireguard
//	dev := device.NewDevice(tun, bind, logger) // and its package device
//	err = dev.IpcSet(configuration) // lines of WireGuard's UAPI, whose keys are hexadecimal
//	err = dev.Up()
//	c, err := tnet.DialContext(ctx, "tcp", "example.org:80")
//	dev.Close() // closes the stack, too
//
// A program may leave out [Net.Bind]. It bounds the memory of the engine, and without it a sender
// on the same machine can make the Bind deaf for ever, by more than 64 segments at once.
//
// Connections, listeners and datagram sockets are those of package endpoint, where netstack's are
// gonet's. [Net.Stack] is the stack: what it counts, its sockets, options, a Dialer. [New] makes
// one with options of its own. docs/wireguard.md has the differences in a table. All of it runs in
// real time.
//
// A program that has no device of golang.zx2c4.com/wireguard needn't make one: package wg has it
// all.
package wgnet
