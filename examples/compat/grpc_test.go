package compat

import (
	"context"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	health_proto "google.golang.org/grpc/health/grpc_health_v1"
)

// The service is grpc's own health check: calls with one answer, and a stream.
func TestGRPC(t *testing.T) {
	server, client := newNetwork(t)
	state := health.NewServer()
	s := grpc.NewServer()
	health_proto.RegisterHealthServer(s, state)
	l := listen(t, server, ":50051")
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		require.NoError(t, <-ended)
	})

	d := &dialer{stack: client}
	conn, err := grpc.NewClient("passthrough:///"+serverIP+":50051",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return d.DialContext(ctx, "tcp", address)
		}))
	require.NoError(t, err)
	defer conn.Close()
	c := health_proto.NewHealthClient(conn)

	watch, err := c.Watch(soon(t), &health_proto.HealthCheckRequest{})
	require.NoError(t, err)
	for i := range 100 {
		want := []health_proto.HealthCheckResponse_ServingStatus{
			health_proto.HealthCheckResponse_SERVING, health_proto.HealthCheckResponse_NOT_SERVING,
		}[i%2]
		state.SetServingStatus("", want)
		r, err := c.Check(soon(t), &health_proto.HealthCheckRequest{})
		require.NoError(t, err)
		require.Equal(t, want, r.Status)
		for { // the stream starts with the state at its beginning
			r, err = watch.Recv()
			require.NoError(t, err)
			if r.Status == want {
				break
			}
		}
	}
	require.EqualValues(t, 1, d.calls.Load(), "dials for 100 calls and a stream")
}
