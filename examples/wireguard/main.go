// A program at the end of a WireGuard tunnel, without an interface and without root: it prints a
// page of a web server at another end.
package main

import (
	"io"
	"log"
	"net/http"
	"os"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wg"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: wireguard anna.conf http://10.88.0.2/")
	}
	file, err := os.Open(os.Args[1]) // as wg-quick has it, or "wsstack wg pair" writes it
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	cfg, err := wg.ParseConfig(file)
	if err != nil {
		log.Fatal(err)
	}
	device, err := wg.New(*cfg)
	if err != nil {
		log.Fatal(err)
	}
	s, err := stack.New(cfg.Stack(device))
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close() // and the tunnel with it

	web := http.Client{Transport: &http.Transport{DialContext: s.DialContext}}
	resp, err := web.Get(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	io.Copy(os.Stdout, resp.Body)
}
