package control

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// The bounds of a Server.
const (
	maxConns    = 128              // connections at a time; more wait
	maxStreams  = 96               // streams among them; more are refused
	maxBody     = 64 << 10         // bytes of a request
	maxHeader   = 16 << 10         // bytes of the header of a request
	requestTime = 10 * time.Second // in which a request has to come
	answerTime  = 30 * time.Second // in which an answer has to be taken
	idleTime    = time.Minute      // for which a connection without a request stays

	closeTime = 300 * time.Millisecond // for which Close waits for answers
)

// A Config is the configuration of a Server.
type Config struct {
	// Name is the name of the network, which clients choose it by: letters, digits, ".", "_" and
	// "-", 64 at most, and no "." in front. See NameFor.
	Name string

	// Command is what the network runs, for lists of networks.
	Command []string

	// Version is the version of the program.
	Version string

	// Inside lets clients connect that sit in other namespaces, such as those of the network.
	Inside bool

	// Dir is the directory of the socket; "": the one that Directory returns.
	Dir string
}

// A Network is what a running network says of itself: GET /v1/network.
type Network struct {
	Name    string    `json:"name"`
	PID     int       `json:"pid"`     // of the process that has the stacks
	Command []string  `json:"command"` // what the network runs
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	Hosts   []string  `json:"hosts"` // the hosts that are stacks
	Links   []string  `json:"links"`
}

// A Link is a link of a network, for AddLink.
type Link struct {
	// Name is the name of the link.
	Name string

	// Ends are the names of the hosts that it joins.
	Ends [2]string

	// Impaired is the device that impairs the link. Out is what the first end sends, and In what
	// the second one sends.
	Impaired *tun.Impaired

	// Foreign is the end whose packets another machine impairs; "": both are impaired here.
	Foreign string

	// Captured is the device that records the packets of the link; nil: they can't be recorded.
	Captured *tun.Captured
}

// A Server is the control socket of a network. Its methods are safe for concurrent use.
type Server struct {
	cfg     Config
	socket  *socketFile
	mux     *http.ServeMux
	http    http.Server
	started time.Time
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	serving sync.WaitGroup // the goroutine of http, and all handlers

	closing  sync.Once
	closeErr error

	mu        sync.Mutex
	hosts     []host
	links     []*link
	kinds     map[string]StreamHandler
	streams   map[net.Conn]struct{}
	listeners map[string]*sharedListener
	last      uint64 // the number of the newest listener
	closed    bool
}

type host struct {
	name  string
	stack *stack.Stack
}

// Listen makes the control socket of a network. Clients wait until Start. The error says what is in
// the way: a running network of the same name, or a directory that isn't safe.
func Listen(cfg Config) (*Server, error) {
	file, err := makeSocket(cfg.Dir, cfg.Name)
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, socket: file, mux: http.NewServeMux(), started: time.Now(),
		kinds: map[string]StreamHandler{}, streams: map[net.Conn]struct{}{}, listeners: map[string]*sharedListener{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.http = http.Server{
		Handler:           s.guard(http.HandlerFunc(s.route)),
		ReadHeaderTimeout: requestTime,
		ReadTimeout:       requestTime,
		WriteTimeout:      answerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader - 4<<10, // package http adds so many
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	s.mux.HandleFunc("GET /v1/network", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.network()) })
	s.mux.HandleFunc("POST /v1/streams/{kind}", s.serveStream)
	s.handleSockets()
	s.handleLinks()
	s.handleConnections()
	return s, nil
}

// route gives a request to its handler. Where there is none, the answer is an Error as all others
// are, with the status and the Allow header of the mux.
func (s *Server) route(w http.ResponseWriter, r *http.Request) {
	if _, pattern := s.mux.Handler(r); pattern != "" {
		s.mux.ServeHTTP(w, r)
		return
	}
	n := nobody{header: http.Header{}}
	s.mux.ServeHTTP(&n, r)
	switch n.status {
	case http.StatusMethodNotAllowed:
		allowed := n.header.Get("Allow")
		w.Header().Set("Allow", allowed)
		writeError(w, Errorf(n.status, "it takes "+allowed, "%s is no method of %s", r.Method, r.URL.Path))
	default:
		writeError(w, Errorf(http.StatusNotFound, "docs/control.md has all requests", "there is nothing at %s", r.URL.Path))
	}
}

// nobody is an http.ResponseWriter that keeps the status and the header, and no body.
type nobody struct {
	header http.Header
	status int
}

func (n *nobody) Header() http.Header         { return n.header }
func (n *nobody) WriteHeader(status int)      { n.status = status }
func (n *nobody) Write(b []byte) (int, error) { return len(b), nil }

// Path is the name of the socket's file.
func (s *Server) Path() string { return s.socket.path }

// Handle adds a handler for a pattern of http.ServeMux, such as "GET /metrics". Who is allowed to
// connect, the bounds of requests and the time-outs are the Server's business. The patterns below
// /v1 that this package has, and "/" without a path, are taken.
func (s *Server) Handle(pattern string, h http.Handler) { s.mux.Handle(pattern, h) }

// A StreamHandler answers the requests for streams of one kind. It calls open once, when it knows
// that the request will do: open sends the reply, and returns the Stream, which the Server closes
// when the handler has returned. An error before open is the answer to the request; an error after
// that ends the Stream, and the client reads it. The context ends with the Server; a client that is
// gone shows when the handler reads from the Stream.
type StreamHandler func(ctx context.Context, request json.RawMessage, open func(reply any) (*Stream, error)) error

// HandleStream adds a handler for streams of a kind, a word of letters and "-".
func (s *Server) HandleStream(kind string, h StreamHandler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kinds[kind] = h
}

// AddHost adds a host that is a stack.
func (s *Server) AddHost(name string, st *stack.Stack) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hosts = append(s.hosts, host{name, st})
}

// Start begins to serve clients. The goroutines end with Close.
func (s *Server) Start() {
	s.serving.Go(func() {
		_ = s.http.Serve(newGuarded(s.socket.listener, s.cfg.Inside)) // always an error: closed
	})
}

// Close removes the socket, ends all streams, and waits until no handler runs any more. It returns
// the first error of that, or of the files that links are recorded in. It is idempotent.
func (s *Server) Close() error {
	s.closing.Do(func() { s.closeErr = s.close() })
	return s.closeErr
}

func (s *Server) close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	err := s.socket.close()
	s.mu.Lock()
	for c := range s.streams {
		_ = c.Close()
	}
	s.mu.Unlock()
	// What is being answered gets its end, unless the client is slow.
	patient, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	if s.http.Shutdown(patient) != nil {
		_ = s.http.Close()
	}
	s.serving.Wait()
	return errors.Join(err, s.endCaptures())
}

// network describes the network.
func (s *Server) network() Network {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := Network{
		Name: s.cfg.Name, PID: os.Getpid(), Command: s.cfg.Command, Version: s.cfg.Version, Started: s.started,
		Hosts: []string{}, Links: []string{},
	}
	for _, h := range s.hosts {
		n.Hosts = append(n.Hosts, h.name)
	}
	for _, l := range s.links {
		n.Links = append(n.Links, l.Name)
	}
	return n
}

// stackOf returns the stack of a host; without a name, of the only one.
func (s *Server) stackOf(name string) (*stack.Stack, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, h := range s.hosts {
		if h.name == name || name == "" && len(s.hosts) == 1 {
			return h.stack, nil
		}
		names = append(names, h.name)
	}
	if name == "" && len(names) > 1 {
		return nil, Errorf(http.StatusBadRequest, "name one of them: "+list(names), "the network has %d stacks", len(names))
	}
	return nil, Errorf(http.StatusNotFound, "its stacks: "+list(names), "the network has no stack %q", name)
}

// errClosed is the error of a stream that the end of the network has ended.
var errClosed = errors.New("the network has ended")
