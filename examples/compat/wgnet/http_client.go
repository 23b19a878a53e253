package main

import (
	"fmt"
	"io"
	"log"
	"net/http"

	"golang.zx2c4.com/wireguard/device"
	"golang.zx2c4.com/wireguard/tun/netstack"
)

// httpClient prints the page of the server, which it finds by address and by name.
func httpClient(dev *device.Device, tnet *netstack.Net) {
	defer dev.Close()
	client := http.Client{Transport: &http.Transport{DialContext: tnet.DialContext}}
	for _, host := range []string{serverAddr.String(), "server.example"} {
		r, err := client.Get("http://" + host + "/")
		if err != nil {
			log.Panic(err)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			log.Panic(err)
		}
		fmt.Println(host, string(body))
	}
}
