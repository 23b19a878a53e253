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

// parseTwo reads two arguments.
func parseTwo(text string) (first, second string, err error) {
	first, second, ok := strings.Cut(text, ",")
	if !ok {
		return "", "", mistake.Errorf("", "it needs two arguments")
	}
	return first, second, nil
}

// parseSlowBody answers with a body that is sent at a rate.
func parseSlowBody(text string) (act, error) {
	first, second, err := parseTwo(text)
	if err != nil {
		return nil, err
	}
	size, err := parseSize(first)
	if err != nil {
		return nil, err
	}
	rate, err := parseRate(second)
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
	first, second, err := parseTwo(text)
	if err != nil {
		return nil, err
	}
	size, err := parseSize(first)
	if err != nil {
		return nil, err
	}
	sent, err := parseSize(second)
	if err == nil && sent >= size {
		err = mistake.Errorf("", "%s bytes sent are not less than %s", second, first)
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
