package wg

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"golang.zx2c4.com/wireguard/device"
	"golang.zx2c4.com/wireguard/ipc"

	"github.com/wsstack/wsstack/tun"
)

// The bounds of what clients of Serve cost. A client that has said nothing for uapiPatience, or
// hasn't taken its answer, is hung up on.
const (
	maxSettings  = 4 << 20 // bytes of a request: some 20,000 peers
	maxClients   = 8       // at a time; others wait in the queue of the listener
	uapiPatience = 30 * time.Second
)

// errSettings is the error of a request that is too long.
var errSettings = fmt.Errorf("wg: the settings have more than %d bytes", maxSettings)

// Serve answers UAPI requests, of wg(8) for instance, that come over l, until l or the device is
// closed. It closes l. The error is that of l, or tun.ErrClosed. Who can connect to l sees the
// private key and can change everything; wg(8) looks for a Unix socket at
// /var/run/wireguard/NAME.sock. There are 8 clients at a time, each of which has 30 s for a request
// of at most 4 MiB, and to take the answer. The sockets of a new listen_port are opened by a
// goroutine of Serve, in the network namespace of the process.
func (d *Device) Serve(l net.Listener) error {
	d.mu.Lock()
	if d.closed.Err() != nil {
		d.mu.Unlock()
		l.Close()
		return tun.ErrClosed
	}
	d.workers.Add(1)
	d.mu.Unlock()
	defer d.workers.Done()
	defer context.AfterFunc(d.closed, func() { l.Close() })()
	defer l.Close()

	clients := make(chan struct{}, maxClients)
	for {
		select {
		case clients <- struct{}{}:
		case <-d.closed.Done():
			return tun.ErrClosed
		}
		c, err := l.Accept()
		if err != nil {
			if d.closed.Err() != nil {
				return tun.ErrClosed
			}
			return err
		}
		d.workers.Go(func() {
			defer func() { <-clients }()
			d.talk(c)
		})
	}
}

// talk answers the requests of a client until it hangs up, makes a mistake in the form of a
// request, or is too slow.
func (d *Device) talk(c net.Conn) {
	defer context.AfterFunc(d.closed, func() { c.Close() })()
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		c.SetDeadline(time.Now().Add(uapiPatience))
		request, err := readSettings(r)
		if err != nil {
			return
		}
		operation, rest, _ := strings.Cut(request, "\n")
		var answer strings.Builder
		switch {
		case operation == "get=1" && rest == "":
			err = d.Get(&answer)
		case operation == "set=1":
			err = d.set(rest)
		default:
			return
		}
		fmt.Fprintf(&answer, "errno=%d\n\n", errno(err))
		c.SetDeadline(time.Now().Add(uapiPatience))
		if _, err := io.WriteString(c, answer.String()); err != nil {
			return
		}
	}
}

// errno is the number for an error that clients know; 0: there was none.
func errno(err error) int64 {
	if err == nil {
		return 0
	}
	if e, ok := errors.AsType[*device.IPCError](err); ok {
		return e.ErrorCode()
	}
	return ipc.IpcErrorUnknown
}

// readSettings reads lines up to an empty one, which it leaves out. If the reader fails before, or
// ends, the error is the reader's.
func readSettings(r *bufio.Reader) (string, error) {
	var text strings.Builder
	for {
		piece, err := r.ReadSlice('\n')
		text.Write(piece)
		switch {
		case text.Len() > maxSettings:
			return "", errSettings
		case errors.Is(err, bufio.ErrBufferFull): // the line goes on
		case err != nil:
			return text.String(), err
		case text.Len() == 1, strings.HasSuffix(text.String(), "\n\n"):
			return strings.TrimSuffix(text.String(), "\n"), nil
		}
	}
}
