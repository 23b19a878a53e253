package kernel_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/wsstack/wsstack/internal/namespace"
)

func TestMain(m *testing.M) {
	if namespace.IsInit(os.Args) {
		status, err := namespace.Init(nil)
		if err != nil {
			println(err.Error())
		}
		os.Exit(status)
	}
	goleak.VerifyTestMain(m)
}
