package wgnet_test

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"

	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/conn/bindtest"
	"golang.zx2c4.com/wireguard/device"

	"github.com/wsstack/wsstack/wg"
	"github.com/wsstack/wsstack/wgnet"
)

// exampleHost joins a WireGuard network. Programs of machines of their own have
// conn.NewDefaultBind(), and the address and port of the peer as the endpoint.
func exampleHost(address string, bind conn.Bind, private, peer wg.Key, endpoint string) (*device.Device, *wgnet.Net) {
	tun, tnet, err := wgnet.CreateNetTUN([]netip.Addr{netip.MustParseAddr(address)}, nil, wg.DefaultMTU)
	if err != nil {
		log.Fatal(err)
	}
	tunnel := device.NewDevice(tun, bind, device.NewLogger(device.LogLevelError, ""))
	err = tunnel.IpcSet(fmt.Sprintf("private_key=%x\npublic_key=%x\nallowed_ip=0.0.0.0/0\nendpoint=%s\n",
		private[:], peer[:], endpoint))
	if err != nil {
		log.Fatal(err)
	}
	if err := tunnel.Up(); err != nil {
		log.Fatal(err)
	}
	return tunnel, tnet
}

// An HTTP server and a client talk over WireGuard inside of one process. Both have wireguard-go's
// devices; only the import of its netstack is another.
func Example() {
	server, err := wg.GeneratePrivateKey()
	if err != nil {
		log.Fatal(err)
	}
	client, err := wg.GeneratePrivateKey()
	if err != nil {
		log.Fatal(err)
	}
	binds := bindtest.NewChannelBinds() // instead of UDP
	serverTunnel, serverNet := exampleHost("192.168.4.29", binds[0], server, client.PublicKey(), "127.0.0.1:1")
	clientTunnel, clientNet := exampleHost("192.168.4.28", binds[1], client, server.PublicKey(), "127.0.0.1:2")
	defer serverTunnel.Close()
	defer clientTunnel.Close()

	l, err := serverNet.ListenTCP(&net.TCPAddr{Port: 80})
	if err != nil {
		log.Fatal(err)
	}
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "hello from userspace")
	}))

	transport := &http.Transport{DialContext: clientNet.DialContext}
	r, err := (&http.Client{Transport: transport}).Get("http://192.168.4.29/")
	if err != nil {
		log.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", body)
	// Output: hello from userspace
}
