// Package iperf3 measures the throughput of networks with the protocol of the program iperf3: each
// side may be this package or that program, as of version 3.12.
//
//	report, err := iperf3.Run(ctx, network, "10.77.0.1:5201", iperf3.Params{TCP: true, Time: 10}, nil)
//	err = iperf3.Serve(ctx, network, ":5201", iperf3.ServerConfig{})
//
// A test has a control connection, over TCP, and streams of data between the same two hosts, over
// TCP or UDP:
//
//	client                                  server
//	  cookie ──────────────────────────────▶
//	         ◀─────────────────────── exchange parameters
//	  parameters (JSON) ───────────────────▶
//	         ◀─────────────────────── create streams
//	  each stream: cookie, or a datagram and its answer
//	         ◀─────────────────────── start, running
//	  data, in either direction or both, until the client says:
//	  end ─────────────────────────────────▶
//	         ◀─────────────────────── exchange results
//	  results (JSON) ──────────────────────▶
//	         ◀─────────────────────── results (JSON), display results
//	  done ────────────────────────────────▶
//
// Every state is a byte, and each JSON text has its length in 4 bytes before it. There is no
// document of the protocol: this is what two iperf3 of version 3.12 say to each other.
package iperf3

import (
	"context"
	"net"
	"time"
)

// DefaultPort is the port of a server.
const DefaultPort = 5201

// DefaultUDPRate is the rate at which iperf3 sends datagrams unless told, in bits a second.
const DefaultUDPRate = 1 << 20

// A Network is where a test takes place. The contexts bound the opening of a socket alone.
type Network interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
	Listen(ctx context.Context, network, address string) (net.Listener, error)
	ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error)
}

// The states of a test, as they are sent.
type state int8

const (
	testStart       state = 1
	testRunning     state = 2
	testEnd         state = 4
	exchangeParams  state = 9
	createStreams   state = 10
	serverTerminate state = 11
	clientTerminate state = 12
	exchangeResults state = 13
	displayResults  state = 14
	testDone        state = 16
	accessDenied    state = -1
	serverError     state = -2
	cookieSize            = 37 // with the NUL at its end
	maxParams             = 64 << 10
	maxResults            = 16 << 20 // a server may add all that it has printed
	maxBlock              = 1 << 20  // of TCP; iperf3 has the same
	maxDatagram           = 65507
	maxStreams            = 128
	minDatagram           = 16 // what is in front of every datagram, with a counter of 64 bits
	helloDatagram         = "9876"
	answerDatagram        = "6789"
	controlTimeout        = 30 * time.Second
	helloTimeout          = 5 * time.Second
	helloTries            = 5
	defaultTime           = 10
	defaultTCPBlock       = 128 << 10
	defaultUDPBlock       = 1460
	maxTime               = 86400
	reportEvery           = time.Second
)
