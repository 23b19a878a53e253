package peers

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/wsstack/wsstack/internal/mistake"
)

// web answers HTTP requests.
func web(h http.HandlerFunc) act {
	return func(r *running, p place) error { return r.serveHTTP(p, newHTTPServer(h)) }
}

// webWith is web for a handler that has to know the service.
func webWith(h func(r *running, w http.ResponseWriter, q *http.Request)) act {
	return func(r *running, p place) error {
		return r.serveHTTP(p, newHTTPServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { h(r, w, q) })))
	}
}

// announce begins an answer that has so many bytes.
func announce(w http.ResponseWriter, size int64) {
	w.Header().Set("Content-Type", "text/plain; charset=us-ascii")
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	w.WriteHeader(http.StatusOK)
}

// body answers with a body of a size.
func body(size int64) act {
	return web(func(w http.ResponseWriter, q *http.Request) {
		announce(w, size)
		if q.Method != http.MethodHead {
			_ = send(w, size)
		}
	})
}

// parseTwo reads a size and a second number.
func parseTwo(text string, parseSecond func(string) (int64, error)) (size, second int64, err error) {
	first, rest, ok := strings.Cut(text, ",")
	if !ok {
		return 0, 0, mistake.Errorf("", "it needs two arguments")
	}
	if size, err = parseSize(first); err == nil {
		second, err = parseSecond(rest)
	}
	return size, second, err
}

// parseSlowBody answers with a body that is sent at a rate.
func parseSlowBody(text string) (act, error) {
	size, rate, err := parseTwo(text, parseRate)
	if err != nil {
		return nil, err
	}
	return webWith(func(r *running, w http.ResponseWriter, q *http.Request) {
		announce(w, size)
		if q.Method == http.MethodHead {
			return
		}
		out, text, p := http.NewResponseController(w), &pattern{}, newPace(rate)
		for left := size; left > 0; left -= p.piece {
			piece := make([]byte, min(p.piece, left, 1<<20))
			p.piece = int64(len(piece))
			_, _ = text.Read(piece)
			_, err := w.Write(piece)
			if err != nil || out.Flush() != nil || !r.pause(p.every) {
				return
			}
		}
	}), nil
}

// parseShortBody answers with less than it has promised.
func parseShortBody(text string) (act, error) {
	size, sent, err := parseTwo(text, parseSize)
	if err == nil && sent >= size {
		err = mistake.Errorf("", "%d bytes sent are not less than %d", sent, size)
	}
	if err != nil {
		return nil, err
	}
	return web(func(w http.ResponseWriter, q *http.Request) {
		announce(w, size)
		_ = send(w, sent)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler) // closes the connection
	}), nil
}
