package compat

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	health_proto "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/wsstack/wsstack/simnet"
)

// grpcHealth runs a gRPC server with the health service, and returns its state and a client. Each
// dial of the client is told to dialled.
func grpcHealth(t *testing.T, w *world, dialled func(), opts ...grpc.DialOption) (*health.Server, health_proto.HealthClient) {
	state := health.NewServer()
	s := grpc.NewServer(grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second}))
	health_proto.RegisterHealthServer(s, state)
	l := listen(t, w.server.Stack, ":50051")
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		require.NoError(t, <-ended)
	})
	conn, err := grpc.NewClient("passthrough:///"+serverIP+":50051", append(opts,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			dialled()
			return w.client.DialContext(ctx, "tcp", address)
		}))...)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return state, health_proto.NewHealthClient(conn)
}

// check calls Check with a time-out, and returns the code.
func check(t *testing.T, c health_proto.HealthClient, timeout time.Duration, opts ...grpc.CallOption) codes.Code {
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	_, err := c.Check(ctx, &health_proto.HealthCheckRequest{}, opts...)
	return status.Code(err)
}

// Keep-alive of gRPC finds out that the cable is cut, and streams end. The client dials again, with
// longer and longer pauses, until the cable is mended.
func TestBubble_GRPCPartition(t *testing.T) {
	keepAlive := keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 3 * time.Second}
	connecting := grpc.ConnectParams{
		Backoff:           backoff.Config{BaseDelay: 4 * time.Second, Multiplier: 2, MaxDelay: time.Minute},
		MinConnectTimeout: 2 * time.Second,
	}
	inWorld(t, 2, func(t *testing.T, w *world) {
		var cut time.Time
		var dials []string
		_, c := grpcHealth(t, w, func() {
			dials = append(dials, time.Since(cut).String())
		}, grpc.WithKeepaliveParams(keepAlive), grpc.WithConnectParams(connecting))

		var watch grpc.ServerStreamingClient[health_proto.HealthCheckResponse]
		took(t, 3*rtt, func() { // a handshake of TCP, settings of HTTP/2, a request
			var err error
			watch, err = c.Watch(t.Context(), &health_proto.HealthCheckRequest{})
			require.NoError(t, err)
			_, err = watch.Recv()
			require.NoError(t, err)
		})
		cut, dials = time.Now(), nil
		w.link.Partition()
		time.AfterFunc(time.Minute, w.link.Heal)
		took(t, time.Second, func() { require.Equal(t, codes.DeadlineExceeded, check(t, c, time.Second)) })

		_, err := watch.Recv() // the answer to the last ping doesn't come
		require.Equal(t, codes.Unavailable, status.Code(err), err)
		require.Equal(t, (keepAlive.Time + keepAlive.Timeout).String(), time.Since(cut).String())

		require.Equal(t, codes.OK, check(t, c, time.Hour, grpc.WaitForReady(true)))
		// An attempt may take as long as the pause after it: 4 s, 8 s, 16 s.
		require.Equal(t, []string{"13s", "21s", "37s", "1m9s"}, dials)
		require.Equal(t, (69*time.Second + 3*rtt).String(), time.Since(cut).String())
	})
}

// A stream on a bad link brings everything, in order.
func TestBubble_GRPCStreamOnBadLink(t *testing.T) {
	inWorld(t, 3, func(t *testing.T, w *world) {
		state, c := grpcHealth(t, w, func() {})
		watch, err := c.Watch(t.Context(), &health_proto.HealthCheckRequest{})
		require.NoError(t, err)
		for i := range 100 {
			want := []health_proto.HealthCheckResponse_ServingStatus{
				health_proto.HealthCheckResponse_NOT_SERVING, health_proto.HealthCheckResponse_SERVING,
			}[i%2]
			r, err := watch.Recv()
			require.NoError(t, err)
			if i == 0 { // how the server begins
				require.Equal(t, health_proto.HealthCheckResponse_SERVING, r.Status)
			} else {
				require.NotEqual(t, want, r.Status)
			}
			state.SetServingStatus("", want)
			require.Equal(t, codes.OK, check(t, c, time.Hour))
		}
		require.Greater(t, w.Now(), 100*rtt)
		require.NotZero(t, w.link.Stats(w.client).Lost)
	}, simnet.Loss(0.05), simnet.Jitter(20*time.Millisecond))
}
