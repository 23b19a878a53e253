package testbed_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/wsstack/wsstack/internal/namespace"
)

// The process in a namespace is this program again.
func TestMain(m *testing.M) {
	if namespace.IsInit(os.Args) {
		status, _ := namespace.Init(nil)
		os.Exit(status)
	}
	goleak.VerifyTestMain(m)
}
