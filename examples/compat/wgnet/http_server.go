package main

import (
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
	"golang.zx2c4.com/wireguard/device"
	"golang.zx2c4.com/wireguard/tun/netstack"
)

// httpServer serves a page, and its own name, until its standard input ends. It prints the port of
// its end of the tunnel.
func httpServer(dev *device.Device, tnet *netstack.Net) {
	listener, err := tnet.ListenTCP(&net.TCPAddr{Port: 80})
	if err != nil {
		log.Panic(err)
	}
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "Hello from userspace TCP!")
	}))
	names, err := tnet.ListenUDP(&net.UDPAddr{Port: 53})
	if err != nil {
		log.Panic(err)
	}
	go serveNames(names)

	state, err := dev.IpcGet()
	if err != nil {
		log.Panic(err)
	}
	for line := range strings.Lines(state) {
		if strings.HasPrefix(line, "listen_port=") {
			os.Stdout.WriteString(line)
		}
	}
	io.Copy(io.Discard, os.Stdin)
	dev.Close()
}

// serveNames answers every question for an IPv4 address with the server's.
func serveNames(c net.PacketConn) {
	b := make([]byte, 512)
	for {
		n, from, err := c.ReadFrom(b)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(b[:n]) != nil || len(m.Questions) != 1 {
			continue
		}
		q := m.Questions[0]
		m.Header.Response, m.Header.RecursionAvailable, m.Additionals = true, true, nil
		if q.Type == dnsmessage.TypeA {
			m.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class},
				Body:   &dnsmessage.AResource{A: serverAddr.As4()},
			}}
		}
		answer, err := m.Pack()
		if err != nil {
			log.Panic(err)
		}
		c.WriteTo(answer, from)
	}
}
