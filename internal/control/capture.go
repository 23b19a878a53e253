package control

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/wsstack/wsstack/tun"
)

// maxCaptures bounds the captures of a link, streams of packets among them.
const maxCaptures = 16

// A CaptureInfo is a recording of a link that goes on.
type CaptureInfo struct {
	File    string    `json:"file"` // the file as the client has named it; "": a client reads the packets
	Started time.Time `json:"started"`
	Error   string    `json:"error,omitempty"` // why nothing is written any more
}

// A capture is a recording of a link.
type capture struct {
	name    string
	started time.Time
	packets *tun.CaptureFile
	file    *os.File // nil: a client reads the packets
}

func (c *capture) info() CaptureInfo {
	i := CaptureInfo{File: c.name, Started: c.started}
	if err := c.packets.Err(); err != nil {
		i.Error = err.Error()
	}
	return i
}

// A CaptureRequest asks for a recording in a file. The client opens the file, and passes the
// descriptor: no name that a client sends is opened by the network.
type CaptureRequest struct {
	Link string `json:"link"`
	File string `json:"file"` // the name of the file, for lists
}

func (s *Server) handleCaptures() {
	s.mux.HandleFunc("GET /v1/links/{name}/capture", s.streamPackets)
	s.mux.Handle("DELETE /v1/links/{name}/captures", s.ofLink((*link).stopFiles))
	s.HandleStream("capture", s.captureFile)
}

// begin begins a recording.
func (l *link) begin(c *capture) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.Captured == nil:
		return Errorf(http.StatusConflict, "", "the packets of the link %s can't be recorded", l.Name)
	case len(l.captures) == maxCaptures:
		return Errorf(http.StatusConflict, "end one of them: wsstack capture off", "the link %s is recorded %d times already", l.Name, maxCaptures)
	}
	c.started = time.Now()
	c.packets.CutSegments(true) // what a wire would carry
	if err := l.Captured.Attach(c.packets); err != nil {
		return err
	}
	l.captures = append(l.captures, c)
	return nil
}

// end ends a recording, and closes its file. It returns the first error of the file.
func (l *link) end(c *capture) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.endLocked(c)
}

func (l *link) endLocked(c *capture) error {
	i := slices.Index(l.captures, c)
	if i < 0 {
		return nil
	}
	l.captures = slices.Delete(l.captures, i, i+1)
	err := l.Captured.Detach(c.packets)
	if c.file != nil {
		if closed := c.file.Close(); err == nil {
			err = closed
		}
	}
	return err
}

// stopFiles ends the recordings in files; with a name, those in the file of that name. It answers
// with the link as it is then.
func (l *link) stopFiles(r *http.Request) (any, error) {
	name := r.URL.Query().Get("file")
	l.mu.Lock()
	var failures []error
	found := false
	for _, c := range slices.Clone(l.captures) {
		if c.file == nil || name != "" && c.name != name {
			continue
		}
		found = true
		failures = append(failures, l.endLocked(c))
	}
	l.mu.Unlock()
	if !found {
		return nil, Errorf(http.StatusNotFound, "wsstack link prints what goes on", "the link %s isn't recorded%s", l.Name, inFile(name))
	}
	if err := errors.Join(failures...); err != nil {
		return nil, Errorf(http.StatusInsufficientStorage, "", "the recording is not complete: %v", err)
	}
	return l.info(), nil
}

func inFile(name string) string {
	if name == "" {
		return " in a file"
	}
	return " in " + name
}

// endCaptures ends all recordings in files, when the network ends.
func (s *Server) endCaptures() (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.links {
		l.mu.Lock()
		for _, c := range slices.Clone(l.captures) {
			err = errors.Join(err, l.endLocked(c))
		}
		l.mu.Unlock()
	}
	return err
}

// captureFile is the handler of the streams that pass a file.
func (s *Server) captureFile(_ context.Context, request json.RawMessage, open func(any) (*Stream, error)) error {
	var r CaptureRequest
	if err := decode(request, &r); err != nil {
		return err
	}
	l, err := s.linkOf(r.Link)
	if err != nil {
		return err
	}
	stream, err := open(struct{}{})
	if err != nil {
		return err
	}
	file, err := receiveFile(stream, r.File)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		// A pipe whose reader pauses would stop the network.
		err = Errorf(0, "let the client write: wsstack capture - > "+r.File, "%s is no ordinary file", r.File)
	}
	if err == nil {
		err = l.begin(&capture{name: r.File, packets: tun.NewCaptureFile(file, nil), file: file})
	}
	if err != nil {
		_ = file.Close()
		return err
	}
	return stream.CloseWrite() // says that it has begun
}

// streamPackets answers GET /v1/links/{name}/capture with the packets from now on, as a pcapng file
// without an end.
func (s *Server) streamPackets(w http.ResponseWriter, r *http.Request) {
	l, err := s.linkOf(r.PathValue("name"))
	if err != nil {
		writeError(w, err)
		return
	}
	queue := newBlockQueue()
	c := &capture{packets: tun.NewCaptureFile(queue, nil)}
	if err := l.begin(c); err != nil {
		writeError(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-pcapng")
	w.Header().Set("Trailer", droppedTrailer)
	control := http.NewResponseController(w)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	for {
		part := queue.next(ctx)
		if part == nil {
			break
		}
		_ = control.SetWriteDeadline(time.Now().Add(answerTime))
		if _, err := w.Write(part); err != nil {
			break
		}
		if err := control.Flush(); err != nil {
			break
		}
	}
	_ = l.end(c)
	w.Header().Set(droppedTrailer, strconv.FormatUint(queue.lost(), 10))
}

// droppedTrailer says behind a stream of packets how many a slow client has missed.
const droppedTrailer = "Wsstack-Missed"
