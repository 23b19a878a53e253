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
	err := Enter()
	if err == nil {
		os.Exit(run())
	}
	if RequireTUN() {
		fmt.Fprintf(os.Stderr, "%s: WSSTACK_REQUIRE_TUN is set, and %v\n", name, err)
		os.Exit(1)
	}
	return err
}

// Enter is what a program calls first that works in a network namespace of its own: it runs the
// program again there, and exits with its status. There Enter returns nil; an error says why such a
// namespace can't be had.
func Enter() error {
	if Inside() {
		Setup()
		return nil
	}
	status, err := RunAgain()
	if err == nil {
		os.Exit(status)
	}
	return err
}
