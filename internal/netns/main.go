package netns

import (
	"fmt"
	"os"
)

// Main is what a TestMain calls first: it runs the tests in a network namespace of their own, where
// a TUN can be opened, and exits. Where such a namespace can't be had, Main returns the reason,
// with which the tests that need one are skipped; with WSSTACK_REQUIRE_TUN it prints the reason,
// behind the name of the package, and exits. run runs the tests, and returns the exit status.
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
