package compat

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

func TestSSH(t *testing.T) {
	server, client := newNetwork(t)
	talkSSH(t, listen(t, server, ":22"), client.DialContext)
}

// talkSSH has four sessions of one connection, to the server of a listener on port 22 of serverIP.
// Each sends a megabyte and gets its hash, and an exit status.
func talkSSH(t *testing.T, l net.Listener, dial func(ctx context.Context, network, address string) (net.Conn, error)) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	signer, err := ssh.NewSignerFromKey(key)
	require.NoError(t, err)
	cfg := &ssh.ServerConfig{PasswordCallback: func(c ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
		if c.User() != "gopher" || string(password) != "secret" {
			return nil, ssh.ErrNoAuth
		}
		return nil, nil
	}}
	cfg.AddHostKey(signer)
	serve(t, l, func(c net.Conn) { serveSSH(c, cfg) })

	c, err := dial(soon(t), "tcp", serverIP+":22")
	require.NoError(t, err)
	conn, channels, requests, err := ssh.NewClientConn(c, serverIP+":22", &ssh.ClientConfig{
		User:            "gopher",
		Auth:            []ssh.AuthMethod{ssh.Password("secret")},
		HostKeyCallback: ssh.FixedHostKey(signer.PublicKey()),
	})
	require.NoError(t, err)
	sshClient := ssh.NewClient(conn, channels, requests)
	defer sshClient.Close()

	for i := range 4 {
		session, err := sshClient.NewSession()
		require.NoError(t, err)
		data := bytes.Repeat([]byte{byte(i)}, 1<<20)
		session.Stdin = bytes.NewReader(data)
		out, err := session.Output("sha256")
		var exit *ssh.ExitError
		require.ErrorAs(t, err, &exit)
		require.Equal(t, 7, exit.ExitStatus())
		hash := sha256.Sum256(data)
		require.Equal(t, hex.EncodeToString(hash[:]), string(out))
	}
}

// serveSSH answers each exec request of c with the hash of its input and the exit
// status 7.
func serveSSH(c net.Conn, cfg *ssh.ServerConfig) {
	_, channels, requests, err := ssh.NewServerConn(c, cfg)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for open := range channels {
		channel, requests, err := open.Accept()
		if err != nil {
			return
		}
		go func() {
			for r := range requests {
				r.Reply(r.Type == "exec", nil)
			}
		}()
		go func() {
			defer channel.Close()
			hash := sha256.New()
			io.Copy(hash, channel)
			io.WriteString(channel, hex.EncodeToString(hash.Sum(nil)))
			channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{7}))
		}()
	}
}
