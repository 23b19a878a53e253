package compat

import (
	"context"
	"database/sql"
	"net"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

// serveUntil is serve, and tells ended when connections end.
func serveUntil(t *testing.T, l net.Listener, ended chan<- time.Time, handle func(net.Conn)) {
	serve(t, l, func(c net.Conn) {
		handle(c)
		ended <- time.Now()
	})
}

// Time-outs of the driver.
const (
	dialTimeout = 4 * time.Second
	readTimeout = 10 * time.Second
)

// openMySQL opens a database on the server, with a pool of one connection.
func openMySQL(t *testing.T, d *dialer) *sql.DB {
	cfg := mysql.NewConfig()
	cfg.User, cfg.Net, cfg.Addr, cfg.DialFunc = "gopher", "tcp", serverIP+":3306", d.DialContext
	cfg.Timeout, cfg.ReadTimeout = dialTimeout, readTimeout
	cfg.Logger = discardLog
	connector, err := mysql.NewConnector(cfg)
	require.NoError(t, err)
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// The pool of database/sql closes a connection that is idle for more than a minute: at a minute it
// looks, and a second later again.
func TestBubble_MySQLIdleTime(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		ended := make(chan time.Time, 1)
		serveUntil(t, listen(t, w.server.Stack, ":3306"), ended, serveMySQL)
		d := &dialer{stack: w.client.Stack}
		db := openMySQL(t, d)
		db.SetConnMaxIdleTime(time.Minute)
		ping := func() { require.NoError(t, db.PingContext(t.Context())) }
		took(t, 4*rtt, ping) // a handshake of TCP, the server's greeting, the login, the ping
		idle := time.Now()
		require.Equal(t, (61*time.Second + delay).String(), (<-ended).Sub(idle).String())
		took(t, 4*rtt, ping)
		require.EqualValues(t, 2, d.calls.Load(), "dials")
	})
}

// The pool closes a connection that is an hour old.
func TestBubble_MySQLLifetime(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		ended := make(chan time.Time, 1)
		serveUntil(t, listen(t, w.server.Stack, ":3306"), ended, serveMySQL)
		db := openMySQL(t, &dialer{stack: w.client.Stack})
		db.SetConnMaxLifetime(time.Hour)
		require.NoError(t, db.PingContext(t.Context()))
		used := time.Now()
		require.Equal(t, (time.Hour + delay).String(), (<-ended).Sub(used).String())
	})
}

// The cable is cut: the driver's time-outs tell of it, and the next connection works.
func TestBubble_MySQLPartition(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		serve(t, listen(t, w.server.Stack, ":3306"), serveMySQL)
		db := openMySQL(t, &dialer{stack: w.client.Stack})
		require.NoError(t, db.PingContext(t.Context()))
		w.link.Partition()
		took(t, readTimeout, func() { require.ErrorIs(t, db.PingContext(t.Context()), mysql.ErrInvalidConn) })
		took(t, dialTimeout, func() { require.ErrorIs(t, db.PingContext(t.Context()), context.DeadlineExceeded) })
		w.link.Heal()
		took(t, 4*rtt, func() { require.NoError(t, db.PingContext(t.Context())) })
	})
}

// A query of pgx ends with its context. The driver tells the server, over a connection of its own;
// it gives the server 15 s to end the first connection. The pool looks for connections that are idle
// for five minutes once a minute.
func TestBubble_PgxPool(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		ended := make(chan time.Time, 1)
		s := &postgresServer{blocked: make(chan struct{}), cancelled: make(chan uint32, 1)}
		serveUntil(t, listen(t, w.server.Stack, ":5432"), ended, s.serve)
		cfg, err := pgxpool.ParseConfig("postgres://gopher@" + serverIP + "/db?sslmode=disable&pool_max_conns=1")
		require.NoError(t, err)
		cfg.ConnConfig.DialFunc = w.client.DialContext
		cfg.MaxConnIdleTime, cfg.HealthCheckPeriod = 5*time.Minute, time.Minute
		start := time.Now()
		pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
		require.NoError(t, err)
		t.Cleanup(pool.Close)
		square := func(ctx context.Context, n int) (got int, err error) {
			err = pool.QueryRow(ctx, "select $1::int4::int8 * $1", n).Scan(&got)
			return got, err
		}
		took(t, 4*rtt, func() { // a handshake of TCP, the login, prepare, execute
			got, err := square(t.Context(), 7)
			require.NoError(t, err)
			require.Equal(t, 49, got)
		})

		asked := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		took(t, 20*time.Second, func() {
			_, err = square(ctx, 0)
			require.ErrorIs(t, err, context.DeadlineExceeded)
		})
		require.EqualValues(t, 42, <-s.cancelled)
		require.Equal(t, (20*time.Second + rtt + delay).String(), time.Since(asked).String())
		<-ended // that of the message
		require.Equal(t, (35*time.Second + delay).String(), (<-ended).Sub(asked).String())

		got, err := square(t.Context(), 9)
		require.NoError(t, err)
		require.Equal(t, 81, got)
		require.Equal(t, (6*time.Minute + delay).String(), (<-ended).Sub(start).String())
	})
}
