package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

// logged parses flags and returns what a logger of them writes.
func logged(t *testing.T, flags []string, log func(*slog.Logger)) string {
	t.Helper()
	var f logFlags
	set := pflag.NewFlagSet("test", pflag.ContinueOnError)
	f.addFlags(set)
	require.NoError(t, set.Parse(flags))
	var out bytes.Buffer
	log(f.logger(&out))
	return out.String()
}

func TestLog_Text(t *testing.T) {
	all := func(l *slog.Logger) {
		l.Debug("a debug")
		l.Info("an info", "n", 1)
		l.Warn("a\nwarning", "text", "two words\n", "level", "own")
		l.With("host", "a").WithGroup("g").Error("an error", "msg", "own")
	}
	require.Equal(t, "wsstack: warning: a warning text=\"two words\\n\" level=own\nwsstack: error: an error host=a g.msg=own\n",
		logged(t, nil, all))
	require.Equal(t, 3, strings.Count(logged(t, []string{"--log-level", "info"}, all), "\n"))
	require.Equal(t, 4, strings.Count(logged(t, []string{"--log-level=debug", "--log-format=text"}, all), "\n"))
	require.Contains(t, logged(t, []string{"--log-level", "info"}, all), "wsstack: info: an info n=1\n")
}

func TestLog_JSON(t *testing.T) {
	text := logged(t, []string{"--log-format", "json"}, func(l *slog.Logger) {
		l.Info("quiet")
		l.Warn("a\nwarning", "n", 1)
	})
	var record map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &record))
	require.NotEmpty(t, record["time"])
	delete(record, "time")
	require.Equal(t, map[string]any{"level": "WARN", "msg": "a\nwarning", "n": 1.0}, record)
}

// The lines of several goroutines aren't mixed.
func TestLog_Concurrent(t *testing.T) {
	text := logged(t, nil, func(l *slog.Logger) {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 100 {
					l.With("a", 1).Warn("message", "b", 2)
				}
			})
		}
		all.Wait()
	})
	require.Equal(t, strings.Repeat("wsstack: warning: message a=1 b=2\n", 800), text)
}

func TestLog_Failure(t *testing.T) {
	var out bytes.Buffer
	text, lines := logFlags{}, logFlags{json: true}
	err := usagef("no such thing").withHint("try another")
	require.Equal(t, error(err), text.failed(&out, err))
	require.Equal(t, exitStatus(42), lines.failed(&out, exitStatus(42)))
	require.NoError(t, lines.failed(&out, nil))
	require.Empty(t, out.String())
	require.Equal(t, exitStatus(statusUsage), lines.failed(&out, err))
	require.Contains(t, out.String(), `"level":"ERROR","msg":"no such thing","hint":"try another"}`)
	out.Reset()
	require.Equal(t, exitStatus(statusFailed), lines.failed(&out, errors.New("plain")))
	require.NotContains(t, out.String(), "hint")
}

func TestLog_Flags(t *testing.T) {
	for flag, want := range map[string]string{
		"--log-format=xml":  `invalid argument "xml" for "--log-format" flag: not one of text, json`,
		"--log-level=4":     `invalid argument "4" for "--log-level" flag: not one of debug, info, warn, error`,
		"--log-level=INFO":  `invalid argument "INFO" for "--log-level" flag: not one of debug, info, warn, error`,
		"--log-level=":      `invalid argument "" for "--log-level" flag: not one of debug, info, warn, error`,
		"--log-level=warn2": `invalid argument "warn2" for "--log-level" flag: not one of debug, info, warn, error`,
	} {
		var f logFlags
		set := pflag.NewFlagSet("test", pflag.ContinueOnError)
		f.addFlags(set)
		require.EqualError(t, set.Parse([]string{flag}), want)
	}
}
