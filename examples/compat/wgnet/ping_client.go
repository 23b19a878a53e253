package main

import (
	"bytes"
	"fmt"
	"log"
	"math/rand"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.zx2c4.com/wireguard/device"
	"golang.zx2c4.com/wireguard/tun/netstack"
)

// pingClient pings the server.
func pingClient(dev *device.Device, tnet *netstack.Net) {
	defer dev.Close()
	socket, err := tnet.Dial("ping4", "server.example")
	if err != nil {
		log.Panic(err)
	}
	defer socket.Close()
	request := icmp.Echo{Seq: rand.Intn(1 << 16), Data: []byte("gopher burrow")}
	message, err := (&icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &request}).Marshal(nil)
	if err != nil {
		log.Panic(err)
	}
	socket.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := socket.Write(message); err != nil {
		log.Panic(err)
	}
	n, err := socket.Read(message)
	if err != nil {
		log.Panic(err)
	}
	got, err := icmp.ParseMessage(1, message[:n])
	if err != nil {
		log.Panic(err)
	}
	reply, ok := got.Body.(*icmp.Echo)
	if !ok || !bytes.Equal(reply.Data, request.Data) || reply.Seq != request.Seq {
		log.Panicf("not the reply: %v", got)
	}
	fmt.Println("reply from", socket.RemoteAddr())
}
