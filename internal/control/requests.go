package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
)

// CaptureTo records the packets of a link in a file, until CaptureOff or the end of the network.
// The file is an ordinary one, open for writing and empty. The network has a descriptor of its own:
// the caller may close the file.
func (c *Client) CaptureTo(ctx context.Context, link string, file *os.File, name string) error {
	s, err := c.Stream(ctx, "capture", CaptureRequest{Link: link, File: name}, nil)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := sendFile(s, file); err != nil {
		return fmt.Errorf("pass the file to the network: %w", err)
	}
	_, err = s.Read(make([]byte, 1))
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// CaptureOff ends the recordings of a link in files; with a name, the one in that file.
func (c *Client) CaptureOff(ctx context.Context, link, name string) error {
	path := linkPath(link) + "/captures"
	if name != "" {
		path += "?file=" + url.QueryEscape(name)
	}
	return c.Send(ctx, http.MethodDelete, path, nil, nil)
}

// Capture writes the packets of a link to w as a pcapng file, until ctx ends, which is no error, or
// the network does. missed is how many packets the network has dropped because w was too slow.
func (c *Client) Capture(ctx context.Context, link string, w io.Writer) (missed uint64, err error) {
	response, err := c.do(ctx, http.MethodGet, linkPath(link)+"/capture", nil)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(w, response.Body)
	if ctx.Err() != nil {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	missed, _ = strconv.ParseUint(response.Trailer.Get(droppedTrailer), 10, 64)
	return missed, nil
}

// linkPath is the path of a link.
func linkPath(name string) string { return "/v1/links/" + url.PathEscape(name) }

// Link describes a link.
func (c *Client) Link(ctx context.Context, name string) (LinkInfo, error) {
	var info LinkInfo
	err := c.Get(ctx, linkPath(name), &info)
	return info, err
}

// SetLink changes the impairments of a link.
func (c *Client) SetLink(ctx context.Context, name string, change LinkChange) (LinkInfo, error) {
	var info LinkInfo
	err := c.Send(ctx, http.MethodPut, linkPath(name), change, &info)
	return info, err
}

// Links describes all links.
func (c *Client) Links(ctx context.Context) ([]LinkInfo, error) {
	var answer Links
	err := c.Get(ctx, "/v1/links", &answer)
	return answer.Links, err
}

// Sockets describes the sockets that a query chooses, such as host=a&state=listen.
func (c *Client) Sockets(ctx context.Context, query url.Values) (Sockets, error) {
	var answer Sockets
	err := c.Get(ctx, "/v1/sockets?"+query.Encode(), &answer)
	return answer, err
}

// SetOption sets an option of a socket, such as "SO_KEEPALIVE=1", and describes the socket.
func (c *Client) SetOption(ctx context.Context, host string, id uint64, assignment string) (Socket, error) {
	var answer Socket
	path := fmt.Sprintf("/v1/sockets/%d/options?host=%s", id, url.QueryEscape(host))
	err := c.Send(ctx, http.MethodPost, path, OptionChange{assignment}, &answer)
	return answer, err
}
