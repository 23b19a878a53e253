package namespace_test

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
	if len(os.Args) > 1 && os.Args[1] == "limited" {
		os.Exit(limited())
	}
	goleak.VerifyTestMain(m)
}
