package machines

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSplitEndpoint(t *testing.T) {
	for text, want := range map[string]struct {
		host string
		port int
	}{
		"lab":               {"lab", 0},
		"Lab.example.org:5": {"Lab.example.org", 5},
		"192.0.2.1":         {"192.0.2.1", 0},
		"192.0.2.1:65535":   {"192.0.2.1", 65535},
		"2001:db8::1":       {"2001:db8::1", 0},
		"[2001:db8::1]":     {"2001:db8::1", 0},
		"[2001:db8::1]:7":   {"2001:db8::1", 7},
	} {
		host, port, err := SplitEndpoint(text)
		require.NoError(t, err, text)
		require.Equal(t, want.host, host, text)
		require.Equal(t, want.port, port, text)
	}
	for text, want := range map[string]string{
		"": `"" is not a name`, ":5": `":5" is not a name`, "a b": `"a b" is not a name`, "-": `"-" is not a name`,
		"a:b:c": `"a:b:c" is not a name`, "[::1": `"[::1" is not a name`, "a:": `"" is not the number of a port`,
		"a:0": `"0" is not the number of a port`, "a:65536": `"65536" is not`, "a:+1": `"+1" is not`, "a\n": `"a\n" is not a name`,
	} {
		_, _, err := SplitEndpoint(text)
		require.ErrorContains(t, err, want, text)
	}
}
