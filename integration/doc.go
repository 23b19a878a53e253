// Package integration holds tests of wsstack against a real Linux kernel over a
// real TUN interface. It has no code of its own.
//
// The test binary starts itself again in a network namespace of its own, so
// that package net is the kernel's side of the link and tun.Open the stack's.
// Where that isn't possible every test skips and says why; with
// WSSTACK_REQUIRE_TUN=1 they fail instead.
package integration
