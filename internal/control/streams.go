package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// upgradeProtocol is the protocol that a request for a stream asks for.
const upgradeProtocol = "wsstack-stream"

// serveStream answers a request for a stream.
func (s *Server) serveStream(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	handle := s.kinds[r.PathValue("kind")]
	s.mu.Unlock()
	switch {
	case handle == nil:
		writeError(w, Errorf(http.StatusNotFound, "", "there are no streams of the kind %q", r.PathValue("kind")))
		return
	case !strings.EqualFold(r.Header.Get("Upgrade"), upgradeProtocol):
		w.Header().Set("Upgrade", upgradeProtocol)
		writeError(w, Errorf(http.StatusUpgradeRequired, "ask for it with Connection: Upgrade and Upgrade: "+upgradeProtocol, "a stream is no ordinary request"))
		return
	}
	var request json.RawMessage
	if err := readJSON(r, &request); err != nil {
		writeError(w, err)
		return
	}
	ctx, cancel := context.WithCancel(r.Context()) // it ends when the client goes before the stream is open
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	var stream *Stream
	err := handle(ctx, request, func(reply any) (*Stream, error) {
		if stream != nil {
			return stream, nil
		}
		opened, err := s.open(w, reply)
		stream = opened
		return stream, err
	})
	switch {
	case stream != nil:
		if err != nil {
			stream.fail(err)
		}
		s.forget(stream)
	case err != nil:
		writeError(w, err)
	default:
		writeError(w, errors.New("the stream was not opened"))
	}
}

// open takes the connection of a request over, and sends the reply.
func (s *Server) open(w http.ResponseWriter, reply any) (*Stream, error) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Time{}) // those of the request
	s.mu.Lock()
	refused := error(nil)
	switch {
	case s.closed:
		refused = errClosed
	case len(s.streams) >= maxStreams:
		refused = Errorf(0, "close some of them", "the network has %d streams already", maxStreams)
	default:
		s.streams[conn] = struct{}{}
	}
	s.mu.Unlock()
	stream := newStream(conn, buffered.Reader)
	_ = conn.SetWriteDeadline(time.Now().Add(answerTime))
	_, err = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+upgradeProtocol+"\r\n\r\n")
	switch {
	case refused != nil:
		stream.fail(refused)
		_ = conn.Close()
		return nil, refused
	case err == nil:
		err = stream.sendJSON(frameReply, reply)
	}
	_ = conn.SetWriteDeadline(time.Time{})
	if err != nil {
		s.forget(stream)
		return nil, err
	}
	return stream, nil
}

// forget closes a stream of the server.
func (s *Server) forget(stream *Stream) {
	_ = stream.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.streams, stream.conn)
}

// readJSON reads the body of a request, which the guard bounds.
func readJSON(r *http.Request, value any) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return Errorf(http.StatusRequestEntityTooLarge, "", "the request has more than %d bytes", maxBody)
		}
		return Errorf(http.StatusBadRequest, "", "the request didn't come whole: %v", err)
	}
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.DisallowUnknownFields()
	if err := d.Decode(value); err != nil {
		return Errorf(http.StatusBadRequest, "", "the request is not the JSON that it should be: %v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Errorf(http.StatusBadRequest, "", "the request has more than one JSON value")
	}
	return nil
}

// decode reads the request of a stream.
func decode(request json.RawMessage, value any) error {
	d := json.NewDecoder(strings.NewReader(string(request)))
	d.DisallowUnknownFields()
	if err := d.Decode(value); err != nil {
		return Errorf(http.StatusBadRequest, "", "the request is not the JSON that it should be: %v", err)
	}
	return nil
}

// clientStream asks for a stream over a new connection.
func clientStream(ctx context.Context, conn net.Conn, kind string, request, reply any) (*Stream, error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	stream, err := upgrade(conn, kind, request, reply)
	if !stop() && err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	_ = conn.SetDeadline(time.Time{})
	return stream, nil
}

func upgrade(conn net.Conn, kind string, request, reply any) (*Stream, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequest(http.MethodPost, baseURL+"/v1/streams/"+kind, strings.NewReader(string(body)))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", upgradeProtocol)
	written := req.Write(conn) // a server that refuses us may have answered, and closed
	r := bufio.NewReaderSize(conn, frameHeader+maxFrame)
	response, err := http.ReadResponse(r, req)
	if err != nil {
		return nil, errors.Join(written, err)
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		defer response.Body.Close()
		return nil, answerError(response)
	}
	stream := newStream(conn, r)
	kindOf, n, err := stream.next()
	if err != nil {
		return nil, err
	}
	content, err := stream.whole(n)
	switch {
	case err != nil:
		return nil, err
	case kindOf == frameReply && reply != nil:
		return stream, json.Unmarshal(content, reply)
	case kindOf == frameReply:
		return stream, nil
	}
	return nil, ending(kindOf, content)
}
