package compat

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

func TestPgx(t *testing.T) {
	server, client := newNetwork(t)
	s := &postgresServer{blocked: make(chan struct{}), cancelled: make(chan uint32, 1)}
	serve(t, listen(t, server, ":5432"), s.serve)

	d := &dialer{stack: client}
	cfg, err := pgxpool.ParseConfig("postgres://gopher@" + serverIP + "/db?sslmode=disable&pool_max_conns=1")
	require.NoError(t, err)
	cfg.ConnConfig.DialFunc = d.DialContext
	cfg.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return true }
	pool, err := pgxpool.NewWithConfig(soon(t), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)

	square := func(ctx context.Context, n int) (got int, err error) {
		err = pool.QueryRow(ctx, "select $1::int4::int8 * $1", n).Scan(&got)
		return got, err
	}
	for i := 1; i <= 100; i++ {
		got, err := square(soon(t), i)
		require.NoError(t, err)
		require.Equal(t, i*i, got)
	}
	require.EqualValues(t, 1, d.calls.Load(), "dials for 100 queries")
	require.GreaterOrEqual(t, s.pings.Load(), int32(99))

	// A context that ends wakes the read, by a deadline in the past. pgx then
	// tells the server over a connection of its own, and the pool dials anew.
	ctx, cancel := context.WithCancel(soon(t))
	go func() {
		<-s.blocked
		cancel()
	}()
	_, err = square(ctx, 0)
	require.ErrorIs(t, err, context.Canceled)
	require.EqualValues(t, 42, <-s.cancelled)
	got, err := square(soon(t), 9)
	require.NoError(t, err)
	require.Equal(t, 81, got)
	require.EqualValues(t, 3, d.calls.Load(), "dials: the first, the cancel request's, the new one")
}
