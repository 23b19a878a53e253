package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain puts two programs into PATH, both of them this test binary: wsstack
// itself, and probe, the other end of many tests.
//
// With -race a program sleeps for a second before it exits; here are too many
// of them for that.
func TestMain(m *testing.M) {
	if os.Getenv("GORACE") == "" {
		os.Setenv("GORACE", noExitSleep)
	}
	testscript.Main(tests{m}, map[string]func(){
		"wsstack": main,
		"probe":   probe,
	})
}

// tests are those of this package, and not one of the programs.
type tests struct{ *testing.M }

// Run runs them so that the programs they start find the default actions of all
// signals, also where whoever runs the tests has set some to be ignored (nohup, a
// job in the background of a script). What is ignored stays so in a child; what
// is caught has its default action there.
func (t tests) Run() int {
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGINT} { // Go itself catches the others
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s) // nobody listens: the tests go on ignoring it
		}
	}
	return t.M.Run()
}

const noExitSleep = "atexit_sleep_ms=0"

func TestScripts(t *testing.T) {
	openToAll(t, "wsstack")
	if err := tunUsable(); err != nil {
		t.Logf("scripts that need a TUN device are skipped: %v", err)
	}
	testscript.Run(t, testscript.Params{
		Dir:       filepath.Join("testdata", "script"),
		Condition: condition,
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", noExitSleep)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": statusCommand},
	})
}

// openToAll lets every user run a program that testscript has installed for
// root alone.
func openToAll(t *testing.T, program string) {
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{filepath.Dir(path), filepath.Dir(filepath.Dir(path))} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// condition adds [tun]: can "wsstack exec" work here? It is an error, not false,
// where it must. [mknod]: may this user make device nodes?
func condition(name string) (bool, error) {
	switch name {
	case "tun":
		err := tunUsable()
		if err != nil && tunRequired() {
			return false, fmt.Errorf("WSSTACK_REQUIRE_TUN is set, but %w", err)
		}
		return err == nil, nil
	case "mknod":
		return canMknod(), nil
	}
	return false, fmt.Errorf("unknown condition %s", name)
}

// requireTUN skips a test where "wsstack exec" can't work, or fails it where it
// must.
func requireTUN(t *testing.T) {
	t.Helper()
	err := tunUsable()
	switch {
	case err != nil && tunRequired():
		t.Fatalf("WSSTACK_REQUIRE_TUN is set, but %v", err)
	case err != nil:
		t.Skipf("no TUN device in a namespace: %v", err)
	}
}

func tunRequired() bool { return os.Getenv("WSSTACK_REQUIRE_TUN") == "1" }

// statusCommand is the script command "status N program …": the program must exit
// with status N.
func statusCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status number program [argument …]")
	}
	want, err := strconv.Atoi(args[0])
	if err != nil {
		ts.Fatalf("status %s: %v", args[0], err)
	}
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit := (*exec.ExitError)(nil)
		if !errors.As(err, &exit) {
			ts.Fatalf("%s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}
