package netns

import (
	"fmt"
	"os"
)

// Main is what a TestMain does first: it runs the tests in a network namespace of
// their own, where a TUN can be opened, and exits. Where that can't be it returns
// why, for the tests that need it to skip with; with WSSTACK_REQUIRE_TUN it prints
// that, after the package's name, and exits. run runs the tests, and returns the
// exit status.
func Main(name string, run func() int) (unable error) {
	if Inside() {
		Setup()
		os.Exit(run())
	}
	status, err := RunAgain()
	if err == nil {
		os.Exit(status)
	}
	if RequireTUN() {
		fmt.Fprintf(os.Stderr, "%s: WSSTACK_REQUIRE_TUN is set, and %v\n", name, err)
		os.Exit(1)
	}
	return err
}
