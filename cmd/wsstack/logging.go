package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"github.com/wsstack/wsstack/internal/testbed"
)

// logHelp is the part of the help of exec and up that says what they tell of their work.
const logHelp = `Standard error gets a log: with --log-level info it has what starts and ends, with debug
also each connection of the gateway, of forwards and of services. --log-format json
writes it, and errors, as lines of JSON. At the end, what the link has carried each way
(packets, bytes, drops, retransmissions) is written to a terminal, and elsewhere with
--summary.`

// logFlags say what a command tells of its work on standard error.
type logFlags struct {
	json  bool
	level slog.Level
}

// The words of the flags.
var (
	logFormats = []string{"text", "json"}
	logLevels  = []string{"debug", "info", "warn", "error"}
)

func (f *logFlags) addFlags(flags *pflag.FlagSet) {
	f.level = slog.LevelWarn
	flags.Var(newParsed(&f.json, parseLogFormat), "log-format", "`FORMAT` of the log: text or json (default text)")
	flags.Var(newParsed(&f.level, parseLogLevel), "log-level", "`LEVEL` of the log: debug, info, warn or error (default warn)")
}

func parseLogFormat(s string) (asJSON bool, err error) {
	if !slices.Contains(logFormats, s) {
		return false, errors.New("not one of " + strings.Join(logFormats, ", "))
	}
	return s == "json", nil
}

func parseLogLevel(s string) (level slog.Level, err error) {
	if !slices.Contains(logLevels, s) {
		return 0, errors.New("not one of " + strings.Join(logLevels, ", "))
	}
	return level, level.UnmarshalText([]byte(s))
}

// logger returns the logger of a command. Records go to w, one line each.
func (f *logFlags) logger(w io.Writer) *slog.Logger {
	if f.json {
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: f.level}))
	}
	return slog.New(newTextHandler(w, f.level))
}

// options are those of a network whose records go to a writer, beside what services write to their
// standard error.
func (f *logFlags) options(stderr io.Writer) testbed.Options {
	logger := f.logger(stderr)
	return testbed.Options{
		Logger: logger,
		Event:  func(e testbed.Event) { logger.Info(e.Text, "host", e.Host) },
		Output: func(l testbed.Line) { _, _ = io.WriteString(stderr, l.Text+"\n") },
	}
}

// failed returns the error that ends a command. With --log-format json the message is written here,
// as a line of JSON, and what is returned is the exit status alone.
func (f *logFlags) failed(w io.Writer, err error) error {
	if _, ok := errors.AsType[exitStatus](err); err == nil || ok || !f.json {
		return err
	}
	failure := failureOf(err)
	var attributes []any
	if failure.hint != "" {
		attributes = append(attributes, "hint", failure.hint)
	}
	slog.New(slog.NewJSONHandler(w, nil)).Error(failure.text, attributes...)
	return exitStatus(failure.status)
}

// A textHandler writes records as the command writes its errors: "wsstack: info: message
// name=value". The attributes are those of slog.TextHandler, which quotes what needs it.
type textHandler struct {
	slog.Handler
	to *textOutput
}

// textOutput is where the handlers of a logger write.
type textOutput struct {
	mu   sync.Mutex
	line bytes.Buffer // what the handler of slog writes
	w    io.Writer
}

func newTextHandler(w io.Writer, level slog.Level) textHandler {
	to := &textOutput{w: w}
	return textHandler{slog.NewTextHandler(&to.line, &slog.HandlerOptions{Level: level, ReplaceAttr: withoutHead}), to}
}

// withoutHead leaves out what the head of a line says: the level, and the message, which Handle has
// emptied. Attributes of the same names stay.
func withoutHead(groups []string, a slog.Attr) slog.Attr {
	_, isLevel := a.Value.Any().(slog.Level)
	if len(groups) == 0 && (a.Key == slog.LevelKey && isLevel || a.Key == slog.MessageKey && a.Value.String() == "") {
		return slog.Attr{}
	}
	return a
}

// Handle implements slog.Handler.
func (h textHandler) Handle(ctx context.Context, r slog.Record) error {
	level, message := r.Level, r.Message
	plain := slog.NewRecord(time.Time{}, level, "", 0) // slog leaves out the zero time
	r.Attrs(func(a slog.Attr) bool {
		plain.AddAttrs(a)
		return true
	})
	h.to.mu.Lock()
	defer h.to.mu.Unlock()
	h.to.line.Reset()
	if err := h.Handler.Handle(ctx, plain); err != nil {
		return err
	}
	line := "wsstack: " + levelText(level) + ": " + oneLine(message)
	if attributes := strings.TrimRight(h.to.line.String(), "\n"); attributes != "" {
		line += " " + attributes
	}
	_, err := io.WriteString(h.to.w, line+"\n")
	return err
}

// WithAttrs implements slog.Handler.
func (h textHandler) WithAttrs(a []slog.Attr) slog.Handler {
	return textHandler{h.Handler.WithAttrs(a), h.to}
}

// WithGroup implements slog.Handler.
func (h textHandler) WithGroup(name string) slog.Handler {
	return textHandler{h.Handler.WithGroup(name), h.to}
}

// levelText is a level as errors of the command have theirs.
func levelText(l slog.Level) string {
	switch {
	case l < slog.LevelInfo:
		return "debug"
	case l < slog.LevelWarn:
		return "info"
	case l < slog.LevelError:
		return "warning"
	}
	return "error"
}
