//go:build linux

// Command bufconn has gRPC's connections in memory as a contender of bench/compare. It is a module
// of its own, so that nobody else needs gRPC.
package main

import (
	"fmt"
	"os"

	"google.golang.org/grpc/test/bufconn"

	"github.com/wsstack/wsstack/bench"
)

// size is the buffer of a connection each way, in bytes, as in a write of the comparison.
const size = 256 << 10

func main() {
	link := func() (*bench.Network, error) {
		return bench.MemoryLink(func() bench.Meeting { return bufconn.Listen(size) }), nil
	}
	c := bench.Contender{Name: "bufconn", Group: bench.GroupMemory, Peer: "bufconn", Module: "google.golang.org/grpc", Link: link}
	if err := bench.Serve([]bench.Contender{c}, os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "bufconn: %v\n", err)
		os.Exit(1)
	}
}
