package compat

import (
	"net"
	"strconv"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// go-redis looks at a pooled connection before it takes it: one that it takes
// for dead costs a dial for each command.
func TestRedis_PoolKeepsItsConnection(t *testing.T) {
	server, client := newNetwork(t)
	redisServer := miniredis.RunT(t)
	forward(t, listen(t, server, ":6379"), func() (net.Conn, error) {
		return net.Dial("tcp", redisServer.Addr())
	})

	d := &dialer{stack: client}
	db := redis.NewClient(&redis.Options{Addr: serverIP + ":6379", DialTimeout: patience, ReadTimeout: patience, WriteTimeout: patience, Dialer: d.DialContext, MaxRetries: -1})
	defer db.Close()
	for i := range 100 {
		key, value := "key"+strconv.Itoa(i), strconv.Itoa(i*i)
		require.NoError(t, db.Set(soon(t), key, value, 0).Err())
		got, err := db.Get(soon(t), key).Result()
		require.NoError(t, err)
		require.Equal(t, value, got)
	}
	require.EqualValues(t, 1, d.calls.Load(), "dials for 200 commands")
	require.Zero(t, db.PoolStats().StaleConns)
}

func TestRedis_PublishAndSubscribe(t *testing.T) {
	server, client := newNetwork(t)
	redisServer := miniredis.RunT(t)
	forward(t, listen(t, server, ":6379"), func() (net.Conn, error) {
		return net.Dial("tcp", redisServer.Addr())
	})

	db := redis.NewClient(&redis.Options{Addr: serverIP + ":6379", DialTimeout: patience, ReadTimeout: patience, WriteTimeout: patience, Dialer: client.DialContext})
	defer db.Close()
	sub := db.Subscribe(soon(t), "news")
	defer sub.Close()
	_, err := sub.Receive(soon(t)) // the confirmation
	require.NoError(t, err)
	n, err := db.Publish(soon(t), "news", "hello").Result()
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	m, err := sub.ReceiveMessage(soon(t))
	require.NoError(t, err)
	require.Equal(t, "hello", m.Payload)
}
