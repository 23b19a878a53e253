//go:build linux

package main

import (
	"bytes"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/wsstack/wsstack/bench"
	"github.com/wsstack/wsstack/bench/traffic"
)

// A contender is a way out, and the client that uses it.
type contender struct {
	name     string
	programs []string                       // what has to be installed
	install  string                         // the command that does so
	version  []string                       // the command that prints it; nil: what Go has noted in the program
	commands func(namespace int) [][]string // what to start, for the namespace of a process
	wrapper  []string                       // instead: what makes the namespace, and starts the client
	plain    bool                           // a TUN of the namespace is open as descriptor 3 of what is started

	client  *traffic.Client
	stdin   io.Closer // of the client: its end is the client's
	process *exec.Cmd // the client
	tools   []*exec.Cmd
	row     *bench.Row
	failed  map[string]error // what of traffic's orders a peer couldn't carry out
}

// ours is the contender that the others are compared with.
const ours = "wsstack"

// contenders are all of them. What each does about MTUs is its own best: slirp4netns and pasta take
// 65,520, wsstack 1,500 with segmentation offload, gvproxy and tun2socks 1,500.
func contenders(profile string) []*contender {
	socket := filepath.Join(os.TempDir(), fmt.Sprintf("gvproxy-%d.sock", os.Getpid()))
	return []*contender{
		{name: ours, commands: func(pid int) [][]string {
			return [][]string{{"/proc/self/exe", "(gateway)", strconv.Itoa(pid), profile}}
		}},
		{name: "slirp4netns", programs: []string{"slirp4netns"}, install: "apt-get install slirp4netns",
			version: []string{"sh", "-c", "slirp4netns --version | sed 's/.* //;q'"},
			commands: func(pid int) [][]string {
				return [][]string{{"slirp4netns", "--configure", "--mtu=65520", "--disable-dns", strconv.Itoa(pid), "tap0"}}
			}},
		{name: "pasta", programs: []string{"pasta"}, install: "apt-get install passt",
			version: []string{"sh", "-c", "dpkg-query -W -f='${Version}' passt 2>/dev/null || pasta --version | sed 's/.* //;q'"},
			wrapper: []string{"pasta", "--config-net", "--foreground", "--quiet",
				"--runas", "0", "--ipv4-only", "--tcp-ports", "none", "--udp-ports", "none", "--"}},
		{name: "gvproxy", programs: []string{"gvproxy", "vm"},
			install: "go install github.com/containers/gvisor-tap-vsock/cmd/{gvproxy,vm}@latest",
			commands: func(pid int) [][]string {
				return [][]string{
					{"gvproxy", "-listen", "unix://" + socket, "-ssh-port", "-1"},
					{"nsenter", "--net=/proc/" + strconv.Itoa(pid) + "/ns/net", "sh", "-c", gvproxyDevice + "exec vm -preexisting -mtu 1500 -url unix://" + socket},
				}
			}},
		{name: "tun2socks", programs: []string{"tun2socks"}, install: "go install github.com/xjasonlyu/tun2socks/v2@latest",
			plain: true, commands: func(int) [][]string {
				return [][]string{{"tun2socks", "--device", "fd://3", "--mtu", "1500", "--proxy", "direct://", "--loglevel", "error"}}
			}},
	}
}

// gvproxyDevice makes the device of gvproxy, which it would ask a DHCP client to configure.
const gvproxyDevice = "ip tuntap add tap0 mode tap && ip link set tap0 address 5a:94:ef:e4:0c:ee mtu 1500 up && " +
	"ip addr add 192.168.127.2/24 dev tap0 && ip route add default via 192.168.127.1 && "

// missing says what isn't installed, and how it is; empty: everything is.
func (c *contender) missing() string {
	for _, p := range c.programs {
		if _, err := exec.LookPath(p); err != nil {
			return fmt.Sprintf("%s isn't installed: `%s`", p, c.install)
		}
	}
	return ""
}

// release is the version of the contender.
func (c *contender) release() string {
	if c.version != nil {
		out, _ := exec.Command(c.version[0], c.version[1:]...).Output() // none is none
		return strings.TrimSpace(string(out))
	}
	if len(c.programs) == 0 {
		return ""
	}
	path, err := exec.LookPath(c.programs[0])
	if err != nil {
		return ""
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return ""
	}
	return info.Main.Version
}

// start starts the client in a namespace of its own, and its way out.
func (c *contender) start() error {
	self, err := os.Executable() // /proc/self/exe would be the wrapper's
	if err != nil {
		return err
	}
	args := append(slices.Clone(c.wrapper), self, "(client)")
	c.process = exec.Command(args[0], args[1:]...)
	var said bytes.Buffer
	if c.wrapper == nil {
		c.process.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
		c.process.Stderr = os.Stderr
	} else {
		c.process.Stderr = &said
	}
	in, err := c.process.StdinPipe()
	if err != nil {
		return err
	}
	out, err := c.process.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.process.Start(); err != nil {
		return err
	}
	c.stdin, c.client = in, traffic.NewClient(in, out)
	if err := c.startTools(&said); err != nil {
		return err
	}
	if _, err := c.client.Do(traffic.Hello, 0, 0); err != nil {
		return fmt.Errorf("%w; it says: %s", err, said.String())
	}
	return nil
}

// startTools starts the programs of the way out.
func (c *contender) startTools(said io.Writer) error {
	if c.wrapper != nil {
		c.tools = []*exec.Cmd{c.process}
		return nil
	}
	var files []*os.File
	if c.plain {
		var err error
		if files, err = plainInside(c.process.Process.Pid); err != nil {
			return err
		}
		defer files[0].Close()
	}
	for i, args := range c.commands(c.process.Process.Pid) {
		if i > 0 {
			time.Sleep(time.Second) // gvproxy's second program wants the first to listen
		}
		tool := exec.Command(args[0], args[1:]...)
		tool.Stdout, tool.Stderr, tool.ExtraFiles = said, said, files
		tool.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
		if err := tool.Start(); err != nil {
			return err
		}
		c.tools = append(c.tools, tool)
	}
	return nil
}

func (c *contender) stop() {
	if c.wrapper != nil {
		c.tools = nil // it ends with the client
	}
	for _, tool := range c.tools {
		_ = tool.Process.Signal(syscall.SIGTERM)
		end(tool)
	}
	if c.stdin != nil {
		_ = c.stdin.Close()
		end(c.process)
	}
	c.tools, c.stdin = nil, nil
}

// end waits for a process, which it kills where that takes long.
func end(p *exec.Cmd) {
	timer := time.AfterFunc(3*time.Second, func() { _ = p.Process.Kill() })
	defer timer.Stop()
	_ = p.Wait()
}

// measure measures everything but memory once.
func (c *contender) measure(s *settings) error {
	for _, row := range rows {
		if row.what == "" || len(s.rows) > 0 && !slices.Contains(s.rows, row.what) || c.failed[row.what] != nil {
			continue
		}
		before := c.cpu()
		start := time.Now()
		figures, err := c.client.Do(row.what, row.streams, s.length)
		if err != nil && c.name == ours {
			return err
		}
		if err != nil {
			c.fail(row, err)
			if errors.Is(err, traffic.ErrStuck) { // what it does now is in the way of the others
				c.stop()
				if err := c.start(); err != nil {
					return err
				}
			}
			continue
		}
		c.add(row.name, figures[0])
		if len(figures) > 1 {
			c.add(row.name+tail, figures[1])
		}
		if row.cpu == "" {
			continue
		}
		used, took := (c.cpu() - before).Seconds(), time.Since(start).Seconds()
		if row.cpu == cpuUp || row.cpu == cpuDown {
			c.add(row.cpu, used/(figures[0]*1e9/8*took/(1<<30)))
		} else {
			c.add(row.cpu, 1e6*used/(figures[0]*took))
		}
	}
	return nil
}

// fail notes that a peer has failed to do something: it isn't asked again, and has no figure.
func (c *contender) fail(r row, err error) {
	if c.failed == nil {
		c.failed = map[string]error{}
	}
	c.failed[r.what] = err
	for _, column := range []bench.Column{r.name, r.name + tail, r.cpu} {
		delete(c.row.Samples, column)
	}
}

// failures are what a peer has failed to do, a line each with the first line of the reason.
func (c *contender) failures() (list []string) {
	for _, what := range slices.Sorted(maps.Keys(c.failed)) {
		reason, _, _ := strings.Cut(c.failed[what].Error(), "\n")
		list = append(list, fmt.Sprintf("%s: %s", c.name, reason))
	}
	return list
}

func (c *contender) add(column bench.Column, v float64) {
	c.row.Add(map[bench.Column]float64{column: v})
}

// idleConnections is how many connections memory is divided by.
const idleConnections = 1000

// idle measures the memory of connections that do nothing.
func (c *contender) idle() error {
	settle := func() { time.Sleep(3 * time.Second) }
	settle()
	before := c.memory()
	if _, err := c.client.Do(traffic.Open, idleConnections, 0); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", c.name, err) // it has fewer than that
		return nil
	}
	settle()
	c.add(memoryRow, float64(c.memory()-before)/idleConnections)
	_, err := c.client.Do(traffic.Close, 0, 0)
	return err
}

// cpu is what the way out has used, user and system.
func (c *contender) cpu() (t time.Duration) {
	for _, tool := range c.tools {
		t += traffic.CPU(tool.Process.Pid)
	}
	return t
}

// memory is the resident size of the way out in bytes.
func (c *contender) memory() (bytes int) {
	for _, tool := range c.tools {
		bytes += traffic.Memory(tool.Process.Pid, traffic.Resident)
	}
	return bytes
}
