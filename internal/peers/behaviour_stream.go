package peers

import (
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/internal/mistake"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/stack"
)

// A pattern is an endless text: rounds of characters.
type pattern struct{ at int }

func (p *pattern) Read(b []byte) (int, error) {
	n := 0
	for n < len(b) {
		k := copy(b[n:], characters[p.at:])
		p.at = (p.at + k) % len(characters)
		n += k
	}
	return n, nil
}

// send sends so many bytes of the pattern.
func send(w io.Writer, size int64) error {
	_, err := io.CopyN(w, &pattern{}, size)
	return err
}

// mute reads and never answers.
func mute(_ *running, c *endpoint.Conn) { discard(impatient{c}) }

// lateAnswer sends back each piece after a delay.
func lateAnswer(d time.Duration) act {
	return talk(func(r *running, c *endpoint.Conn) {
		buf := make([]byte, 16<<10)
		for {
			n, err := impatient{c}.Read(buf)
			if n > 0 && (!r.pause(d) || write(c, buf[:n]) != nil) || err != nil {
				return
			}
		}
	})
}

func write(c net.Conn, b []byte) error {
	_, err := impatient{c}.Write(b)
	return err
}

// parseTwoWrites answers each piece that it reads with two writes. Without TCP_NODELAY the second
// one waits for the acknowledgement of the first (RFC 1122 §4.2.3.4).
func parseTwoWrites(text string) (act, error) {
	size := int64(100)
	var err error
	if text != "" {
		if size, err = parseSize(text); err == nil && size > 64<<10 {
			err = mistake.Errorf("", "two writes of more than 64 KiB aren't small")
		}
	}
	part := make([]byte, min(size, 64<<10))
	_, _ = (&pattern{}).Read(part)
	return talk(func(_ *running, c *endpoint.Conn) {
		buf := make([]byte, 16<<10)
		for {
			_, err := impatient{c}.Read(buf)
			if err != nil || write(c, part) != nil || write(c, part) != nil {
				return
			}
		}
	}), err
}

// finAfter sends a FIN, and goes on reading.
func finAfter(size int64) act {
	return talk(func(r *running, c *endpoint.Conn) {
		if send(impatient{c}, size) == nil && c.CloseWrite() == nil {
			mute(r, c)
		}
	})
}

// resetAfter sends a RST when it has read so many bytes.
func resetAfter(size int64) act {
	return talk(func(_ *running, c *endpoint.Conn) {
		if _, err := io.CopyN(io.Discard, impatient{c}, size); err == nil {
			abort(c)
		}
	})
}

// resetSending sends a RST when the peer has acknowledged so many bytes, which a send without a
// buffer waits for (BF-9).
func resetSending(size int64) act {
	return talk(func(_ *running, c *endpoint.Conn) {
		if c.SetWriteBuffer(0) == nil && send(impatient{c}, size) == nil {
			abort(c)
		}
	})
}

// closeUnread closes a connection with data that nobody has read (LG-13).
func closeUnread(r *running, c *endpoint.Conn) {
	p := r.stack.NewPoller()
	defer p.Close()
	if _, err := p.Add(c, endpoint.ReadyRead, nil); err == nil {
		_, _ = p.Wait(make([]endpoint.Notice, 1), idleTimeout)
	}
}

// piecesPerSecond is how often something slow moves.
const piecesPerSecond = 10

// A pace moves so many bytes a second, in pieces.
type pace struct {
	piece int64
	every time.Duration
}

func newPace(rate int64) pace {
	if rate < piecesPerSecond {
		return pace{1, time.Second / time.Duration(rate)}
	}
	return pace{rate / piecesPerSecond, time.Second / piecesPerSecond}
}

// parseSlowReader reads at a rate, from a buffer that holds what is read in a second, or a segment.
func parseSlowReader(text string) (act, error) {
	rate, err := parseRate(text)
	if err != nil {
		return nil, err
	}
	lc := stack.ListenConfig{Options: []options.Assignment{options.SO_RCVBUF.With(int(min(max(rate, 1460), 1<<20)))}}
	return talkWith(lc, func(r *running, c *endpoint.Conn) {
		p := newPace(rate)
		for r.pause(p.every) {
			if _, err := io.CopyN(io.Discard, impatient{c}, p.piece); err != nil {
				return
			}
		}
	}), nil
}

// parseClosedWindow never reads. A buffer of less than a segment takes one all the same (BF-17).
func parseClosedWindow(text string) (act, error) {
	var lc stack.ListenConfig
	if text != "" {
		size, err := parseSize(text)
		if err != nil {
			return nil, err
		}
		if size > options.DefaultBufferCap {
			return nil, mistake.Errorf("", "SO_RCVBUF is %d at most", options.DefaultBufferCap)
		}
		lc.Options = []options.Assignment{options.SO_RCVBUF.With(int(size))}
	}
	return hold(lc), nil
}

// parseKeepAlive has keep-alive on, with times in whole seconds.
func parseKeepAlive(text string) (act, error) {
	words := strings.Split(text, ",")
	list := []options.Assignment{options.SO_KEEPALIVE.With(true)}
	for i, word := range words {
		switch i {
		case 0, 1:
			d, err := parseDelay(word)
			if err == nil && (d <= 0 || d%time.Second != 0) {
				err = mistake.Errorf("", "%s is no number of whole seconds", word)
			}
			if err != nil {
				return nil, err
			}
			list = append(list, [...]options.Option[time.Duration]{options.TCP_KEEPIDLE, options.TCP_KEEPINTVL}[i].With(d))
		case 2:
			n, err := strconv.ParseUint(word, 10, 8)
			if err != nil {
				return nil, mistake.Errorf("", "%q is no number of probes from 0 to 255", word)
			}
			list = append(list, options.TCP_KEEPCNT.With(int(n)))
		default:
			return nil, mistake.Errorf("", "%d arguments are too many", len(words))
		}
	}
	return talkWith(stack.ListenConfig{Options: list}, func(_ *running, c *endpoint.Conn) { discard(c) }), nil
}

// parseBacklog has nobody accept.
func parseBacklog(text string) (act, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 || n > 4096 {
		return nil, mistake.Errorf("", "%q is no backlog from 1 to 4096", text)
	}
	return deaf(stack.ListenConfig{Backlog: int(n)}), nil
}

// lateHandshake answers SYNs late (CA-2, CA-3).
func lateHandshake(d time.Duration) act {
	return ask(func(r *running) error {
		if !r.pause(d) {
			return errEnded
		}
		return nil
	}, func(c net.Conn) { echo(impatient{c}) })
}

// parseDatagrams answers with datagrams of a size.
func parseDatagrams(text string) (act, error) {
	size, err := parseSize(text)
	const most = 65507 // over IPv4
	if err == nil && size > most {
		err = mistake.Errorf("", "a datagram has %d bytes at most", most)
	}
	if err != nil {
		return nil, err
	}
	datagram := make([]byte, size)
	_, _ = (&pattern{}).Read(datagram)
	return datagrams(func([]byte) []byte { return datagram }), nil
}
