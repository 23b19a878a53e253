package main

import (
	"io"

	"github.com/wsstack/wsstack/internal/testbed"
)

// wgSocketFeature fails: the program wg looks for a named pipe here, which nobody has tried.
func wgSocketFeature(string) testbed.Feature {
	return testbed.Feature{Text: "socket for wg(8)", Start: func(*testbed.RunningHost) (io.Closer, error) {
		return nil, failf("there is none on this system").withHint("leave out --wg-socket, and use wsstack wg show")
	}}
}
