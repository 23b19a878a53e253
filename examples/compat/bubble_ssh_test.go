package compat

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/wsstack/wsstack/simnet"
)

// dialSSH runs an SSH server until the test ends, and returns a client of it.
func dialSSH(t *testing.T, w *world) *ssh.Client {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	signer, err := ssh.NewSignerFromKey(key)
	require.NoError(t, err)
	cfg := &ssh.ServerConfig{NoClientAuth: true}
	cfg.AddHostKey(signer)
	serve(t, listen(t, w.server.Stack, ":22"), func(c net.Conn) { serveSSH(c, cfg) })
	c, err := w.client.DialContext(t.Context(), "tcp", serverIP+":22")
	require.NoError(t, err)
	conn, channels, requests, err := ssh.NewClientConn(c, serverIP+":22", &ssh.ClientConfig{
		HostKeyCallback: ssh.FixedHostKey(signer.PublicKey()),
	})
	require.NoError(t, err)
	client := ssh.NewClient(conn, channels, requests)
	t.Cleanup(func() { client.Close() })
	return client
}

// Four sessions of one connection run at once, on a link that loses packets.
func TestBubble_SSHOnBadLink(t *testing.T) {
	inWorld(t, 3, func(t *testing.T, w *world) {
		client := dialSSH(t, w)
		tookBetween(t, 3*rtt, 10*time.Minute, func() {
			var all sync.WaitGroup
			for i := range 4 {
				all.Go(func() {
					session, err := client.NewSession()
					if !assert.NoError(t, err) {
						return
					}
					data := bytes.Repeat([]byte{byte(i)}, 1<<18)
					session.Stdin = bytes.NewReader(data)
					out, err := session.Output("sha256")
					var exit *ssh.ExitError
					assert.ErrorAs(t, err, &exit)
					hash := sha256.Sum256(data)
					assert.Equal(t, hex.EncodeToString(hash[:]), string(out))
				})
			}
			all.Wait()
		})
		require.NotZero(t, w.link.Stats(w.client).Lost)
	}, simnet.Loss(0.03))
}

// The keep-alive of OpenSSH, as clients of x/crypto/ssh write it: a request every 15 s, and the
// connection is closed when three of them have had no answer.
func TestBubble_SSHKeepAlive(t *testing.T) {
	const every = 15 * time.Second
	inWorld(t, 2, func(t *testing.T, w *world) {
		client := dialSSH(t, w)
		took(t, rtt, func() {
			_, _, err := client.SendRequest("keepalive@openssh.com", true, nil)
			require.NoError(t, err)
		})
		start := time.Now()
		time.AfterFunc(time.Minute, w.link.Partition)
		answers := make(chan error)
		go func() {
			for {
				_, _, err := client.SendRequest("keepalive@openssh.com", true, nil)
				answers <- err
				if err != nil {
					return
				}
				time.Sleep(every)
			}
		}()
		for patience := time.NewTimer(3 * every); ; patience.Reset(3 * every) {
			select {
			case err := <-answers:
				require.NoError(t, err)
				continue
			case <-patience.C:
			}
			break
		}
		// Answers have come 0.1, 15.2, 30.3 and 45.4 s after the start, and none to the request at 60.4 s.
		require.Equal(t, (4*rtt + 3*every + 3*every).String(), time.Since(start).String())
		client.Close()
		require.Error(t, <-answers)
		require.Error(t, client.Wait())
		w.link.Heal() // the server hears of the end: without it, the server would wait for ever
	})
}
