package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// baseURL is where the requests of a client go to; the connection is to the socket.
const baseURL = "http://localhost"

// maxAnswer bounds an answer of a server in bytes.
const maxAnswer = 64 << 20

// Environment is the variable that has the path of the control socket for a command in a network
// with Config.Inside.
const Environment = "WSSTACK_CONTROL"

// A Client talks to the control socket of a running network. It is safe for concurrent use.
type Client struct {
	path    string
	network Network
	http    http.Client
}

// Open returns a client of the socket with this path.
func Open(ctx context.Context, path string) (*Client, error) {
	c := &Client{path: path}
	c.http.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return c.dial(ctx) }}
	if err := c.Get(ctx, "/v1/network", &c.network); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Find returns a client of the running network of this user that has a name. Without a name it is
// that of the only one, or inside of a network that one. The error says which ones run.
func Find(ctx context.Context, name string) (*Client, error) {
	if path := os.Getenv(Environment); path != "" && name == "" {
		return Open(ctx, path)
	}
	clients := openAll(ctx, Directory())
	keep := -1
	var names []string
	for i, c := range clients {
		names = append(names, c.network.Name)
		if c.network.Name == name || name == "" && len(clients) == 1 {
			keep = i
		}
	}
	for i, c := range clients {
		if i != keep {
			c.Close()
		}
	}
	switch {
	case keep >= 0:
		return clients[keep], nil
	case len(names) == 0:
		return nil, Errorf(0, "start one, such as: wsstack exec -- bash", "no network of this user is running")
	case name == "":
		return nil, Errorf(0, "choose one: --network "+names[0], "%d networks are running: %s", len(names), list(names))
	}
	return nil, Errorf(0, "these are running: "+list(names), "no network of this user has the name %q", name)
}

// List returns the running networks of this user, by name.
func List(ctx context.Context) []Network {
	var networks []Network
	for _, c := range openAll(ctx, Directory()) {
		networks = append(networks, c.network)
		c.Close()
	}
	return networks
}

// openAll returns the clients of the sockets in a directory that answer. It removes what networks have
// left that were killed together with all their processes.
func openAll(ctx context.Context, dir string) []*Client {
	paths, _ := filepath.Glob(filepath.Join(dir, "*"+suffix)) // no pattern in it is bad
	var clients []*Client
	for _, path := range paths {
		patient, cancel := context.WithTimeout(ctx, requestTime)
		switch c, err := Open(patient, path); {
		case err == nil:
			clients = append(clients, c)
		case errors.Is(err, syscall.ECONNREFUSED):
			_ = RemoveStale(path) // it looks again; where it fails the file does no harm
		}
		cancel()
	}
	slices.SortFunc(clients, func(a, b *Client) int { return strings.Compare(a.network.Name, b.network.Name) })
	return clients
}

// Network describes the network, as it was when the client was made.
func (c *Client) Network() Network { return c.network }

// Close closes the connections that no request uses. Streams stay.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", c.path)
}

// Get asks for a path, such as "/v1/sockets?host=a", and reads the JSON of the answer into a value.
// Errors of the server are *Error.
func (c *Client) Get(ctx context.Context, path string, answer any) error {
	return c.Send(ctx, http.MethodGet, path, nil, answer)
}

// Send is Get with another method and, unless it is nil, a request as JSON. With a nil answer, what
// the server answers is dropped.
func (c *Client) Send(ctx context.Context, method, path string, request, answer any) error {
	var body io.Reader
	if request != nil {
		b, err := json.Marshal(request)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	response, err := c.do(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if answer == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(answer); err != nil {
		return fmt.Errorf("read the answer of the network %s: %w", c.network.Name, err)
	}
	return nil
}

// do makes a request. The caller closes the body of the response.
func (c *Client) do(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, baseURL+path, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.http.Do(request)
	if err != nil {
		if inner, ok := errors.AsType[*url.Error](err); ok {
			err = inner.Err // without the URL
		}
		return nil, fmt.Errorf("ask the network at %s: %w", c.path, err)
	}
	if response.StatusCode >= http.StatusBadRequest {
		defer response.Body.Close()
		return nil, answerError(response)
	}
	return response, nil
}

// answerError reads the error of an answer.
func answerError(response *http.Response) error {
	e := new(Error)
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil || json.Unmarshal(body, e) != nil || e.Message == "" {
		return Errorf(response.StatusCode, "", "the network answers %s", response.Status)
	}
	e.Status = response.StatusCode
	return e
}

// Stream asks for a stream of a kind. The request goes as JSON, and the reply comes into a value;
// nil: it is dropped. The context bounds the asking alone; who is done closes the Stream.
func (c *Client) Stream(ctx context.Context, kind string, request, reply any) (*Stream, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	return clientStream(ctx, conn, kind, request, reply)
}

// list joins names for a message.
func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
