//go:build linux

package main

import (
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/wsstack/wsstack/bench/traffic"
)

// serverAddress is where the server is, from inside and outside.
const serverAddress = "198.51.100.1"

const serverPort = "9000"

// serverRole is the server. It ends with its standard input.
func serverRole([]string) error {
	l, err := net.Listen("tcp", net.JoinHostPort(serverAddress, serverPort))
	if err != nil {
		return err
	}
	u, err := net.ListenPacket("udp", net.JoinHostPort(serverAddress, serverPort))
	if err != nil {
		return err
	}
	go traffic.Serve(l)
	go traffic.Echo(u)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// clientRole is a client: it carries out the orders of its standard input, and writes the figures.
func clientRole([]string) error {
	if err := settle(); err != nil {
		return err
	}
	dial := func(network string) (net.Conn, error) {
		return net.DialTimeout(network, net.JoinHostPort(serverAddress, serverPort), 5*time.Second)
	}
	return traffic.Obey(dial, os.Stdin, os.Stdout)
}

func prefixes(texts ...string) (list []netip.Prefix) {
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}
