// Command wgnet is three small programs for a WireGuard network, in the manner of wireguard-go's
// examples: an HTTP server, an HTTP client, and ping. The test of package compat builds it twice,
// the second time with another import of netstack.
//
//	wgnet http-server PRIVATE-KEY PEER
//	wgnet http-client PRIVATE-KEY PEER ENDPOINT
//	wgnet ping-client PRIVATE-KEY PEER ENDPOINT
package main

import (
	"fmt"
	"log"
	"net/netip"
	"os"

	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"
	"golang.zx2c4.com/wireguard/tun/netstack"
)

// The addresses of the hosts; the server is the name server as well.
var (
	serverAddr = netip.MustParseAddr("192.168.4.29")
	clientAddr = netip.MustParseAddr("192.168.4.28")
)

func main() {
	switch args := os.Args[1:]; args[0] {
	case "http-server":
		httpServer(up(serverAddr, args[1], args[2], ""))
	case "http-client":
		httpClient(up(clientAddr, args[1], args[2], "endpoint="+args[3]))
	case "ping-client":
		pingClient(up(clientAddr, args[1], args[2], "endpoint="+args[3]))
	}
}

// up joins the network. The keys are in hexadecimal, more is more about the peer.
func up(addr netip.Addr, key, peer, more string) (*device.Device, *netstack.Net) {
	tun, tnet, err := netstack.CreateNetTUN([]netip.Addr{addr}, []netip.Addr{serverAddr}, 1420)
	if err != nil {
		log.Panic(err)
	}
	dev := device.NewDevice(tun, conn.NewDefaultBind(), device.NewLogger(device.LogLevelError, ""))
	err = dev.IpcSet(fmt.Sprintf("private_key=%s\npublic_key=%s\nallowed_ip=0.0.0.0/0\n%s\n", key, peer, more))
	if err != nil {
		log.Panic(err)
	}
	if err := dev.Up(); err != nil {
		log.Panic(err)
	}
	return dev, tnet
}
