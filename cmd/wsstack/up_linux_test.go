package main

import (
	"bufio"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestCheckFree(t *testing.T) {
	for _, tt := range []struct {
		name, stack, host string
		free              bool
	}{
		{"another subnet", "10.77.0.1/24", "10.78.0.2/24", true},
		{"the same subnet", "10.77.0.1/24", "10.77.0.2/24", false},
		{"a wide one around it has its own address outside", "10.77.0.1/24", "10.1.2.3/8", true},
		{"a narrow one inside", "10.77.0.1/16", "10.77.9.1/30", false},
		{"IPv6", "fd77::1/64", "fd77::2/64", false},
		{"IPv6 of another link", "fd77::1/64", "fe80::1/64", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ip, subnet, err := net.ParseCIDR(tt.host)
			if err != nil {
				t.Fatal(err)
			}
			// As net.InterfaceAddrs gives it: the address with the mask.
			host := []net.Addr{&net.IPNet{IP: ip, Mask: subnet.Mask}}
			if err := (networkConfig{Stack: prefixes(t, tt.stack)}).checkFree(host); (err == nil) != tt.free {
				t.Errorf("checkFree(%s) for %s: %v", tt.host, tt.stack, err)
			}
		})
	}
}

// On a terminal up says what to try, and ^C ends it.
func TestUp_Terminal(t *testing.T) {
	requireTUN(t)
	keyboard, tty := openTerminal(t)
	cmd := exec.Command("wsstack", "up")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = privateNetwork()
	cmd.SysProcAttr.Setsid, cmd.SysProcAttr.Setctty = true, true
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	tty.Close() // so that the terminal ends with wsstack
	limit := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer limit.Stop()
	output := bufio.NewReader(keyboard)
	var text strings.Builder
	for !strings.HasSuffix(text.String(), "removes the device.\r\n") {
		line, err := output.ReadString('\n')
		text.WriteString(line)
		if err != nil {
			t.Fatalf("the terminal ended after %q: %v", text.String(), err)
		}
	}
	if !strings.Contains(text.String(), "\r\n  curl http://10.77.0.1/\r\n") {
		t.Errorf("up printed %q, want a curl command", text.String())
	}
	if _, err := keyboard.Write([]byte{3}); err != nil { // ^C
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after ^C: %v, want status 0", err)
	}
}

func TestCheckOutput(t *testing.T) {
	for _, tt := range []struct {
		pcap     string
		terminal bool
		refused  bool
	}{
		{"-", true, true}, {"-", false, false}, {"link.pcapng", true, false}, {"", true, false},
	} {
		err := wireConfig{Pcap: tt.pcap}.checkOutput(forExec, tt.terminal)
		if refused := err != nil; refused != tt.refused {
			t.Errorf("--pcap %q, terminal %v: %v", tt.pcap, tt.terminal, err)
		}
	}
}
