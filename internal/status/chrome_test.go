package status

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// A chrome is a headless chromium, spoken to in the DevTools protocol over pipes: what a page does
// can be looked at from outside, and its content security policy holds.
type chrome struct {
	t       *testing.T
	out     *os.File      // messages to the browser, each with a zero byte at its end
	in      *bufio.Reader // messages from it
	session string        // of the page
	last    int           // number of the last message
	errors  []string      // what the page has complained about
}

// startChrome starts a browser with an empty page. The test is skipped without one.
func startChrome(t *testing.T) *chrome {
	t.Helper()
	if testing.Short() {
		t.Skip("a browser takes seconds")
	}
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Skip("there is no chromium on this machine (apt-get install chromium)")
	}
	home, err := os.MkdirTemp("", "browser") //nolint:usetesting // processes of the browser may outlive the test for a moment
	require.NoError(t, err)
	theirIn, out, err := os.Pipe()
	require.NoError(t, err)
	in, theirOut, err := os.Pipe()
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-extensions",
		"--disable-background-networking", "--user-data-dir="+home, "--remote-debugging-pipe", "about:blank")
	cmd.Env = append(os.Environ(), "HOME="+home)
	cmd.ExtraFiles = []*os.File{theirIn, theirOut} // descriptors 3 and 4
	require.NoError(t, cmd.Start())
	theirIn.Close()
	theirOut.Close()
	c := &chrome{t: t, out: out, in: bufio.NewReader(in)}
	t.Cleanup(func() {
		c.send("Browser.close", nil)
		_, _ = io.Copy(io.Discard, in) // until the browser has ended
		cancel()
		_ = cmd.Wait()
		out.Close()
		in.Close()
		os.RemoveAll(home)
	})
	var target struct{ TargetID string }
	c.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	c.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	c.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Accessibility"} {
		c.call(domain+".enable", nil, nil)
	}
	return c
}

// send sends a message without waiting for its answer.
func (c *chrome) send(method string, params any) {
	c.last++
	message := map[string]any{"id": c.last, "method": method, "params": params}
	if params == nil {
		message["params"] = map[string]any{}
	}
	if c.session != "" && method != "Browser.close" {
		message["sessionId"] = c.session
	}
	b, err := json.Marshal(message)
	require.NoError(c.t, err)
	_, err = c.out.Write(append(b, 0))
	require.NoError(c.t, err)
}

// message is an answer, or an event.
type message struct {
	ID     int
	Method string
	Params json.RawMessage
	Result json.RawMessage
	Error  *struct{ Message string }
}

// read reads one message, and keeps complaints.
func (c *chrome) read() message {
	b, err := c.in.ReadBytes(0)
	require.NoError(c.t, err, "the browser has ended")
	var m message
	require.NoError(c.t, json.Unmarshal(b[:len(b)-1], &m))
	if m.Method == "Runtime.exceptionThrown" || m.Method == "Log.entryAdded" {
		c.errors = append(c.errors, string(m.Params))
	}
	return m
}

// call calls a method and decodes its answer.
func (c *chrome) call(method string, params, result any) {
	c.t.Helper()
	c.send(method, params)
	for id := c.last; ; {
		m := c.read()
		if m.ID != id {
			continue
		}
		require.Nil(c.t, m.Error, method)
		if result != nil {
			require.NoError(c.t, json.Unmarshal(m.Result, result))
		}
		return
	}
}

// visit loads a page, and waits until it is loaded.
func (c *chrome) visit(url string) {
	c.t.Helper()
	c.call("Page.navigate", map[string]any{"url": url}, nil)
	for c.read().Method != "Page.loadEventFired" {
	}
}

// eval returns the value of an expression in the page. A promise is waited for.
func (c *chrome) eval(expression string) any {
	c.t.Helper()
	var r struct {
		Result           struct{ Value any }
		ExceptionDetails any
	}
	c.call("Runtime.evaluate", map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true}, &r)
	require.Nil(c.t, r.ExceptionDetails, expression)
	return r.Result.Value
}

// until waits until an expression is true. It looks after each change of the page.
func (c *chrome) until(expression string) {
	c.t.Helper()
	c.eval(fmt.Sprintf(`new Promise(done => {
		const look = () => { if (%s) { watcher.disconnect(); done(true); return true; } };
		const watcher = new MutationObserver(look);
		if (!look()) watcher.observe(document, {subtree: true, childList: true, characterData: true, attributes: true});
	})`, expression))
}
