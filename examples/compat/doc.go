// Package compat has no code, only tests: libraries that know nothing of wsstack
// run unmodified over two stacks joined in memory, the client on one, the server
// on the other. Each file is one library. Where the real server is a program of
// its own, one in Go stands in for it.
//
// The tests of bubble_*_test.go are in virtual time: client, server and network are in a bubble of
// testing/synctest, and what happens when is known to the nanosecond.
//
// Folder wgnet has programs for wireguard-go's netstack, which are built for package wgnet as well.
//
// It is a module of its own, so that what the libraries need stays out of
// wsstack's go.mod.
package compat
