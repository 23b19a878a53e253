package main

import (
	"net/http"
	"time"

	"github.com/wsstack/wsstack/internal/status"
)

// pageOf is the status page of one stack.
func pageOf(s status.Stack) http.Handler {
	return status.Handler(func() status.Network {
		return status.Network{Version: version(), Time: time.Now(), Hosts: []status.Host{{Stack: s}}}
	}, nil)
}
