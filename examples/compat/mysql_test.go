package compat

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"
)

// The driver looks at a pooled connection before it uses it: one that it takes for
// dead costs a dial for each query.
func TestMySQL_PoolKeepsItsConnection(t *testing.T) {
	server, client := newNetwork(t)
	serve(t, listen(t, server, ":3306"), serveMySQL)

	d := &dialer{stack: client}
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd, cfg.DBName = "gopher", "secret", "db"
	cfg.Net, cfg.Addr = "tcp", serverIP+":3306"
	cfg.DialFunc = d.DialContext
	cfg.InterpolateParams = true
	cfg.Timeout, cfg.ReadTimeout, cfg.WriteTimeout = patience, patience, patience
	connector, err := mysql.NewConnector(cfg)
	require.NoError(t, err)
	db := sql.OpenDB(connector)
	defer db.Close()

	for i := range 100 {
		var got string
		n := i * i * 10 // to 98,010: many segments
		require.NoError(t, db.QueryRowContext(soon(t), "SELECT REPEAT('x', ?)", n).Scan(&got))
		require.Equal(t, strings.Repeat("x", n), got)
		require.NoError(t, db.PingContext(soon(t)))
	}
	tx, err := db.BeginTx(soon(t), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(soon(t), "INSERT INTO t VALUES (?)", "it's")
	require.NoError(t, err)
	require.NoError(t, tx.Commit())
	require.EqualValues(t, 1, d.calls.Load(), "dials for 203 commands")
}
