package gateway

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Connections are told at level debug, and those that didn't come about at level info.
func TestTell(t *testing.T) {
	var out bytes.Buffer
	log := func(level slog.Level) *slog.Logger {
		return slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: level}))
	}
	from, to := netip.MustParseAddrPort("10.77.0.2:5"), netip.MustParseAddrPort("192.0.2.1:80")
	failed := errors.New("refused on purpose")
	for _, c := range []struct {
		log  *slog.Logger
		err  error
		want string
	}{
		{nil, failed, ""},
		{log(slog.LevelWarn), failed, ""},
		{log(slog.LevelInfo), nil, ""},
		{log(slog.LevelInfo), failed, `level=INFO msg="not connected" network=tcp from=10.77.0.2:5 to=192.0.2.1:80 error="refused on purpose"`},
		{log(slog.LevelDebug), nil, `level=DEBUG msg=connected network=tcp from=10.77.0.2:5 to=192.0.2.1:80`},
	} {
		out.Reset()
		g := &Gateway{cfg: Config{Log: c.log}}
		value, err := g.told(func(context.Context, netip.AddrPort, netip.AddrPort) (any, error) { return 42, c.err })(t.Context(), from, to)
		require.Equal(t, 42, value)
		require.Equal(t, c.err, err)
		_, got, _ := strings.Cut(strings.TrimSpace(out.String()), " ")
		require.Equal(t, c.want, got)
	}
}
