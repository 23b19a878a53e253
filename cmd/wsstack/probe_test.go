package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/gopacket/gopacket/pcapgo"
)

// probe is a program for the inside of a namespace; it uses the kernel's sockets.
func probe() {
	commands := map[string]func(args []string) error{
		"congestion": probeCongestion,
		"listen":     probeListen,
		"echo":       probeEcho,
		"tcp":        probeTCP,
		"head":       probeHead,
		"udp":        probeUDP,
		"send":       probeSend,
		"ints":       probeInterrupts,
		"fds":        probeDescriptors,
		"tun":        probeTUN,
		"ping4":      probePing,
		"rtt":        probeRoundTrip,
		"pcap":       probeCapture,
		"json":       probeJSON,
		"netns":      probeNamespace,
		"up":         probeUp,
	}
	run := commands[os.Args[1]]
	if run == nil {
		run = func([]string) error { return fmt.Errorf("no command %q", os.Args[1]) }
	}
	if err := run(os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

// patience ends a test that hangs. It says nothing about how long anything may
// take, on a machine with other things to do.
const patience = 2 * time.Minute

func probeDial(network, address string) (net.Conn, error) {
	c, err := net.DialTimeout(network, address, patience)
	if err != nil {
		return nil, err
	}
	return c, c.SetDeadline(time.Now().Add(patience))
}

// probeTCP sends a text, shuts down, and prints what comes back until the end.
func probeTCP(args []string) error {
	c, err := probeDial("tcp", args[0])
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := io.WriteString(c, args[1]); err != nil {
		return err
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		return err
	}
	_, err = io.Copy(os.Stdout, c)
	return err
}

// probeEcho listens on an address and sends back what it gets, for ever.
func probeEcho(args []string) error {
	l, err := net.Listen("tcp", args[0])
	if err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			_, _ = io.Copy(c, c)
			c.Close()
		}()
	}
}

// probeListen listens on an address, and no more.
func probeListen(args []string) error {
	l, err := net.Listen("tcp", args[0])
	if err != nil {
		return err
	}
	fmt.Println("listening on", l.Addr())
	return l.Close()
}

// probeHead prints the first bytes that a TCP service sends by itself.
func probeHead(args []string) error {
	n, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return err
	}
	c, err := probeDial("tcp", args[0])
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = io.CopyN(os.Stdout, c, n)
	return err
}

// probeUDP sends a text and prints the answer.
func probeUDP(args []string) error {
	c, err := probeDial("udp", args[0])
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := io.WriteString(c, args[1]); err != nil {
		return err
	}
	buf := make([]byte, 65535)
	n, err := c.Read(buf)
	fmt.Printf("%s\n", buf[:n])
	return err
}

// probeSend sends a text, and waits for no answer.
func probeSend(args []string) error {
	c, err := probeDial("udp", args[0])
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = io.WriteString(c, args[1])
	return err
}

// probeRoundTrip fails when a datagram comes back sooner than it may.
func probeRoundTrip(args []string) error {
	least, err := time.ParseDuration(args[1])
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := probeUDP([]string{args[0], "there and back"}); err != nil {
		return err
	}
	if took := time.Since(begin); took < least {
		return fmt.Errorf("the round trip took %v, want at least %v", took, least)
	}
	return nil
}

// probeCapture prints what is in a capture file.
func probeCapture(args []string) error {
	file, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer file.Close()
	r, err := pcapgo.NewNgReader(file, pcapgo.DefaultNgReaderOptions)
	if err != nil {
		return err
	}
	packets, lost := 0, 0
	for {
		_, _, options, err := r.ReadPacketDataWithOptions()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("after %d packets: %w", packets, err)
		}
		packets++
		if slices.Contains(options.Comments, "dropped: lost") {
			lost++
		}
	}
	in, err := r.Interface(0)
	if err != nil {
		return err
	}
	fmt.Printf("interface %s\npackets %d\nlost %d\n", in.Name, packets, lost)
	return nil
}

// probeJSON reads one JSON value and prints it with sorted keys.
func probeJSON([]string) error {
	decoder := json.NewDecoder(os.Stdin)
	var v any
	if err := decoder.Decode(&v); err != nil {
		return err
	}
	if decoder.More() {
		return errors.New("more than one JSON value")
	}
	return json.NewEncoder(os.Stdout).Encode(v)
}

// probePing sends an ICMP echo request on a raw socket, which takes
// CAP_NET_RAW, and waits for the answer.
func probePing(args []string) error {
	c, err := probeDial("ip4:icmp", args[0])
	if err != nil {
		return err
	}
	defer c.Close()
	// Type 8, code 0, checksum, identifier 0x1234, sequence 1.
	if _, err := c.Write([]byte{8, 0, 0xe5, 0xca, 0x12, 0x34, 0, 1}); err != nil {
		return err
	}
	buf := make([]byte, 100)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return err
		}
		icmp := buf[:n]
		if n >= 20 { // Read leaves the IP header in place
			icmp = icmp[4*(buf[0]&15):]
		}
		if len(icmp) >= 8 && icmp[0] == 0 && icmp[4] == 0x12 && icmp[5] == 0x34 {
			fmt.Println("alive")
			return nil
		}
	}
}

// probeInterrupts says ready, waits for a SIGINT, and says a second later how many
// have come.
func probeInterrupts([]string) error {
	c := make(chan os.Signal, 10)
	signal.Notify(c, syscall.SIGINT)
	fmt.Println("ready")
	<-c
	time.Sleep(time.Second)
	fmt.Printf("interrupts: %d\n", 1+len(c))
	return nil
}

// probeDescriptors prints the open descriptors above stderr, without its own.
func probeDescriptors([]string) error {
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		return err
	}
	var fds []int
	for _, link := range links {
		fd, err := strconv.Atoi(filepath.Base(link))
		if err != nil {
			return err
		}
		target, err := os.Readlink(link)
		// Gone since: the directory. Of the Go runtime: the poller.
		if err == nil && fd > 2 && target != "anon_inode:[eventpoll]" && target != "anon_inode:[eventfd]" {
			fds = append(fds, fd)
		}
	}
	slices.Sort(fds)
	fmt.Println(fds)
	return nil
}
