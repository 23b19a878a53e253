package control_test

import (
	"os"
	"strings"
)

// init is what the processes of the tests do that are clients.
func init() {
	path := os.Getenv(clientVariable)
	if path == "" {
		return
	}
	if path, ok := strings.CutPrefix(path, "pass:"); ok {
		passConnection(path)
	} else {
		askAsClient(path)
	}
	os.Exit(0)
}
