package calls_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/script/calls"
)

// Every call is written as its usage says: it can be read, and has as many arguments.
func TestUsage(t *testing.T) {
	names := calls.Names()
	require.Greater(t, len(names), 50)
	for _, name := range names {
		call := parse(t, calls.Usage(name))
		require.Equal(t, name, call.Name)
		require.Nil(t, calls.Check(call), name)
	}
}

func TestCheck(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{"bind(3, ...) = 0", "1:3: the number of arguments of bind is 3, and not 2 | hint: write bind(3, ..., ...) = 0"},
		{"fcntl(3) = 0", "1:3: the number of arguments of fcntl is 2 to 3, and not 1 | hint: write fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0"},
		{"sendfile(4, 5, [0], 5) = 5", "1:3: sendfile isn't supported | hint: send the same bytes with write: there are no files"},
		{"lisen(3, 1) = 0", "1:3: there is no call lisen | hint: perhaps listen is meant: listen(3, 1) = 0"},
		{"completelydifferent(3, 1) = 0", "1:3: there is no call completelydifferent"},
		{"socket(..., KIND, IPPROTO_TCP) = 3", "1:15: there is no name KIND"},
		{"poll([{fd=3, events=POLLIN|POLLNEVER, revents=0}], 1, 0) = 1", "1:30: there is no name POLLNEVER"},
		{"listen(3, 1) = -1 ENOSUCH", "1:3: there is no error ENOSUCH"},
	} {
		out := calls.Outcome{Fault: calls.Check(parse(t, tt.line))}
		require.NotNil(t, out.Fault, tt.line)
		require.Contains(t, describe(out), tt.want)
	}
}

// A call that Check refuses isn't made.
func TestDo_Refused(t *testing.T) {
	s := newStage(t)
	require.Contains(t, s.fault("sendfile(4, 5, [0], 5) = 5"), "sendfile isn't supported")
}
