package gateway_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/internal/gateway"
	"github.com/wsstack/wsstack/wsa"
)

// A RST of either side is one at the other, whatever was closed before.
func TestReset(t *testing.T) {
	each(t, func(t *testing.T, family string) {
		w := newWorld(t, gateway.Config{})
		for _, half := range []bool{false, true} {
			t.Run(fmt.Sprintf("of the client, half-closed %v", half), func(t *testing.T) {
				began, ended := make(chan struct{}), make(chan error, 1)
				at := server(t, family, func(c *net.TCPConn) {
					b := make([]byte, 8)
					io.ReadFull(c, b[:1])
					if half {
						c.Read(b) // the FIN
						close(began)
						for { // a RST is what writing hears of
							if _, err := c.Write(b); err != nil {
								ended <- err
								return
							}
						}
					}
					close(began)
					_, err := c.Read(b)
					ended <- err
				})
				c, err := w.client.Dial("tcp", at)
				require.NoError(t, err)
				c.Write([]byte("x"))
				if half {
					require.NoError(t, c.(*endpoint.Conn).CloseWrite())
				}
				<-began
				require.NoError(t, c.(*endpoint.Conn).SetLinger(0))
				require.NoError(t, c.Close())
				err = <-ended
				require.True(t, errors.Is(err, syscall.ECONNRESET) || half && errors.Is(err, syscall.EPIPE), err)
			})
			t.Run(fmt.Sprintf("of the server, half-closed %v", half), func(t *testing.T) {
				begin := make(chan struct{})
				at := server(t, family, func(c *net.TCPConn) {
					if half {
						c.CloseWrite()
					}
					<-begin
					c.SetLinger(0)
				})
				c, err := w.client.Dial("tcp", at)
				require.NoError(t, err)
				defer c.Close()
				if half {
					_, err = c.Read(make([]byte, 1))
					require.Equal(t, io.EOF, err)
				}
				close(begin)
				if !half {
					_, err = c.Read(make([]byte, 1))
				} else {
					for err = nil; err == nil; {
						_, err = c.Write(make([]byte, 1000))
					}
				}
				require.ErrorIs(t, err, wsa.WSAECONNRESET)
			})
		}
		t.Run("of the server, behind data", func(t *testing.T) {
			at := server(t, family, func(c *net.TCPConn) {
				io.ReadFull(c, make([]byte, 1)) // and not the rest: closing it is a RST
				c.Write([]byte("413 too much"))
			})
			for range 10 { // whether reading or writing hears of it first is chance
				c, err := w.client.Dial("tcp", at)
				require.NoError(t, err)
				var writer sync.WaitGroup
				writer.Go(func() { io.Copy(c, strings.NewReader(strings.Repeat("x", 1<<20))) })
				_, err = io.ReadAll(c)
				require.ErrorIs(t, err, wsa.WSAECONNRESET)
				writer.Wait()
				require.NoError(t, c.Close())
			}
		})
	})
}

// A client that has gone makes room, also where it had said all before and the server says nothing.
func TestResetOfIdle(t *testing.T) {
	w := newWorld(t, gateway.Config{Sessions: 1})
	gone := make(chan struct{})
	heard := make(chan struct{}, 2)
	at := server(t, "IPv4", func(c *net.TCPConn) {
		io.Copy(io.Discard, c)
		heard <- struct{}{}
		<-gone
	})
	c, err := w.client.Dial("tcp", at)
	require.NoError(t, err)
	require.NoError(t, c.(*endpoint.Conn).CloseWrite())
	<-heard
	require.NoError(t, c.(*endpoint.Conn).SetLinger(0))
	require.NoError(t, c.Close())
	c, err = w.client.Dial("tcp", at) // retransmissions find room
	require.NoError(t, err)
	require.NoError(t, c.Close())
	close(gone)
}

// A server that has gone makes room, also where it had said all before and the client says nothing.
func TestResetOfIdleByServer(t *testing.T) {
	w := newWorld(t, gateway.Config{Sessions: 1})
	reset, first := make(chan struct{}), make(chan struct{}, 1)
	first <- struct{}{}
	at := server(t, "IPv4", func(c *net.TCPConn) {
		select {
		case <-first:
			c.CloseWrite()
			<-reset
			c.SetLinger(0)
		default: // a later one is ordinary
			echo(c)
		}
	})
	c, err := w.client.Dial("tcp", at)
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Read(make([]byte, 1))
	require.Equal(t, io.EOF, err)
	close(reset)
	next, err := w.client.Dial("tcp", at) // retransmissions find room
	require.NoError(t, err)
	require.NoError(t, next.Close())
}
