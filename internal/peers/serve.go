package peers

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/internal/iperf3"
	"github.com/wsstack/wsstack/internal/mistake"
	"github.com/wsstack/wsstack/stack"
)

// parseServe reads "[ADDRESS:]PORT=exec:COMMAND", or "=iperf3".
//
// A shell runs COMMAND for each connection, outside of the network, with the connection as standard
// input and output, as inetd does. REMOTE_ADDR and REMOTE_PORT, SERVER_ADDR and SERVER_PORT in its
// environment say whose connection it is. A FIN of the peer is the end of the input; the end of the
// output is a FIN to the peer. When COMMAND ends, its connection is closed; when the connection is
// reset, or the service ends, COMMAND and what it has started in its process group are killed.
//
// Instead of exec:COMMAND it may be iperf3, a server of iperf3's tests.
func parseServe(text string) (Service, error) {
	at, what, err := splitText(text, "PORT=exec:COMMAND, such as 8080=exec:cat")
	if err != nil {
		return Service{}, err
	}
	p, err := parsePlace(at, false)
	if err != nil {
		return Service{}, err
	}
	if what == "iperf3" {
		udp := p
		udp.network = "udp"
		return Service{places: []place{p, udp}, start: func(r *running) error { return r.measure(p) }}, nil
	}
	command, ok := strings.CutPrefix(what, "exec:")
	if !ok || strings.TrimSpace(command) == "" {
		return Service{}, mistake.Errorf("write exec: and a command, such as exec:cat, or iperf3", "%q is not a program", what)
	}
	if runtime.GOOS == "windows" {
		return Service{}, mistake.Errorf("forward the port to a server: --forward PORT=HOST:PORT", "serve needs a shell, which Windows hasn't got")
	}
	return Service{places: []place{p}, start: func(r *running) error {
		l, err := r.listen(p, stack.ListenConfig{})
		if err != nil {
			return err
		}
		r.accept(l, maxPrograms, func(c net.Conn) { r.program(command, c.(*endpoint.Conn)) })
		return nil
	}}, nil
}

// measure serves tests of iperf3.
func (r *running) measure(p place) error {
	address := netip.AddrPortFrom(p.address, p.port).String()
	if p.anywhere() {
		address = fmt.Sprintf(":%d", p.port)
	}
	ready, failed := make(chan struct{}), make(chan error, 1)
	r.wg.Go(func() { // ends with the service
		failed <- iperf3.Serve(r.ctx, iperf3.Stack{Stack: r.stack}, address, iperf3.ServerConfig{
			Ready: func(net.Addr) { close(ready) },
			Done: func(_ *iperf3.Report, err error) {
				if err != nil {
					r.log("test", err)
				}
			},
		})
	})
	select {
	case <-ready:
		return nil
	case err := <-failed:
		return err
	}
}

// program runs a program on a connection until both have ended.
func (r *running) program(command string, c *endpoint.Conn) {
	p, in, out, err := r.startCommand(command, c)
	if err != nil {
		r.log("start", err)
		abort(c)
		return
	}
	defer out.Close() // SIGPIPE for a program that goes on writing
	if !r.keep(p) {
		_ = in.Close()
		<-p.ended
		return
	}
	defer r.done(p)
	r.wg.Go(func() { // ends with the connection, or with the program
		defer in.Close()
		if _, err := io.Copy(in, c); err != nil && !isBrokenPipe(err) {
			_ = p.Close() // the connection was reset
		}
	})
	if _, err := io.Copy(struct{ io.Writer }{c}, out); err != nil {
		_ = p.Close()
	}
	_ = c.CloseWrite() // fails if the connection is over
	<-p.ended
}

// startCommand starts a program with two pipes: in is for its input, and out has its output.
func (r *running) startCommand(command string, c net.Conn) (_ *program, in, out *os.File, _ error) {
	cmd := &exec.Cmd{}
	cmd.Env = append(os.Environ(), connectionEnv(c)...)
	cmd.Stderr = r.env.Stderr
	stdin, in, err := os.Pipe()
	if err != nil {
		return nil, nil, nil, err
	}
	defer stdin.Close()
	out, stdout, err := os.Pipe()
	if err != nil {
		_ = in.Close()
		return nil, nil, nil, err
	}
	defer stdout.Close()
	cmd.Stdin, cmd.Stdout = stdin, stdout
	p, err := startProgram(cmd, command)
	if err != nil {
		_ = in.Close()
		_ = out.Close()
		return nil, nil, nil, err
	}
	return p, in, out, nil
}

// connectionEnv are the variables that name the ends of a connection, as CGI has them (RFC 3875).
func connectionEnv(c net.Conn) []string {
	var env []string
	for name, a := range map[string]net.Addr{"REMOTE": c.RemoteAddr(), "SERVER": c.LocalAddr()} {
		host, port, err := net.SplitHostPort(a.String())
		if err == nil {
			env = append(env, name+"_ADDR="+host, name+"_PORT="+port)
		}
	}
	return env
}
