// Package bubble tests an ordinary HTTP client against a server behind a bad link.
package bubble

import (
	"io"
	"net/http"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wsstack/wsstack/simnet"
)

func TestClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // time is virtual in here
		n := simnet.New(t, simnet.Bubble())
		server, client := n.Host("server", "10.0.0.1/24"), n.Host("client", "10.0.0.2/24")
		n.Link(server, client, simnet.Delay(50*time.Millisecond), simnet.Loss(0.05))
		l, err := server.Listen("tcp", ":80")
		if err != nil {
			t.Fatal(err)
		}
		go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(30 * time.Second)
			io.WriteString(w, "hello")
		}))
		web := http.Client{Transport: &http.Transport{DialContext: client.DialContext}}
		web.Timeout = 5 * time.Second
		start := time.Now()
		_, err = web.Get("http://10.0.0.1/")
		if took := time.Since(start); !os.IsTimeout(err) || took != 5*time.Second {
			t.Errorf("after %v: %v, want a time-out after 5 s", took, err)
		}
		web.Timeout = time.Minute
		resp, err := web.Get("http://10.0.0.1/")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	})
}
