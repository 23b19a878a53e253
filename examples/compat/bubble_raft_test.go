package compat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
)

// A raftNode is a node of a cluster on a host of its own. What it applies is appended to log.
type raftNode struct {
	*raft.Raft
	net.Listener // with Dial, a raft.StreamLayer
	host         *simnet.Host
	link         *simnet.Link

	mu  sync.Mutex
	log []string
}

var (
	_ raft.FSM         = (*raftNode)(nil)
	_ raft.StreamLayer = (*raftNode)(nil)
)

// Dial implements raft.StreamLayer.
func (n *raftNode) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return n.host.DialContext(ctx, "tcp", string(address))
}

// Apply implements raft.FSM.
func (n *raftNode) Apply(l *raft.Log) any {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.log = append(n.log, string(l.Data))
	return len(n.log)
}

// applied is what the node has applied.
func (n *raftNode) applied() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.log)
}

// Snapshot implements raft.FSM: the logs here are too short for one.
func (n *raftNode) Snapshot() (raft.FSMSnapshot, error) { return nil, errors.New("no snapshots") }

// Restore implements raft.FSM.
func (n *raftNode) Restore(io.ReadCloser) error { return errors.New("no snapshots") }

// startRaft starts a cluster of hosts around a router.
func startRaft(t *testing.T, n *simnet.Network, size int) []*raftNode {
	router := n.HostConfig("router", stack.Config{
		Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}, Forwarding: true,
	})
	nodes := make([]*raftNode, size)
	var members raft.Configuration
	for i := range nodes {
		subnet := fmt.Sprintf("10.0.%d", i)
		node := &raftNode{host: n.HostConfig(fmt.Sprintf("node%d", i), stack.Config{
			Addresses: []netip.Prefix{netip.MustParsePrefix(subnet + ".2/24")},
			Routes:    []stack.Route{{Destination: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr(subnet + ".1")}},
		})}
		opts := []simnet.LinkOption{simnet.Delay(5 * time.Millisecond), simnet.Loss(0.01)}
		if i > 0 {
			opts = append(opts, simnet.Addresses(router, subnet+".1/24"))
		}
		node.link = n.Link(node.host, router, opts...)
		var err error
		node.Listener, err = node.host.Listen("tcp", subnet+".2:8300")
		require.NoError(t, err)
		nodes[i] = node
		members.Servers = append(members.Servers, raft.Server{
			ID: raft.ServerID(strconv.Itoa(i)), Address: raft.ServerAddress(node.Addr().String()),
		})
	}
	transports := make([]*raft.NetworkTransport, size)
	for i, node := range nodes {
		cfg := raft.DefaultConfig()
		cfg.LocalID = members.Servers[i].ID
		cfg.Logger = hclog.NewNullLogger()
		transport := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
			Stream: node, MaxPool: 3, Timeout: 10 * time.Second, Logger: hclog.NewNullLogger(),
			// A pipeline that a follower has answered with a failure may keep its leader from ending:
			// pipelineDecode is gone then, and decodeResponses and pipelineSend wait for each other.
			MaxRPCsInFlight: 1,
		})
		store := raft.NewInmemStore()
		var err error
		node.Raft, err = raft.NewRaft(cfg, node, store, store, raft.NewInmemSnapshotStore(), transport)
		require.NoError(t, err)
		transports[i] = transport
	}
	t.Cleanup(func() {
		var ends []raft.Future
		for i, node := range nodes {
			ends = append(ends, node.Shutdown())
			require.NoError(t, transports[i].Close())
		}
		// A leader only ends when its followers have answered or the connections to them are gone. A
		// follower that has ended doesn't answer, and keeps its connections: so the hosts crash.
		for _, node := range nodes {
			require.NoError(t, node.host.Close())
		}
		for _, end := range ends {
			require.NoError(t, end.Error())
		}
	})
	require.NoError(t, nodes[0].BootstrapCluster(members).Error())
	return nodes
}

// awaitLeader waits until a node is the leader, and says which.
func awaitLeader(nodes []*raftNode) *raftNode {
	for ; ; time.Sleep(time.Millisecond) {
		for _, n := range nodes {
			if n.State() == raft.Leader {
				return n
			}
		}
	}
}

// The leader of five nodes is cut off. It gives up, and the others elect another one. Writing goes
// on, and when the cable is mended, all have the same log.
func TestBubble_RaftPartition(t *testing.T) {
	cfg := raft.DefaultConfig()
	inBubble(t, 3, func(t *testing.T, n *simnet.Network) {
		nodes := startRaft(t, n, 5)
		var first, second *raftNode
		// A node waits for a leader once or twice as long as HeartbeatTimeout, and so it does for votes.
		// Where votes are split, it waits again.
		tookBetween(t, cfg.HeartbeatTimeout, 30*time.Second, func() { first = awaitLeader(nodes) })
		tookBetween(t, 50*20*time.Millisecond, 50*time.Second, func() {
			for i := range 50 {
				require.NoError(t, first.Raft.Apply([]byte(strconv.Itoa(i)), 0).Error())
			}
		})

		first.link.Partition()
		cut := time.Now()
		orphan := first.Raft.Apply([]byte("nobody hears this"), 0)
		tookBetween(t, cfg.LeaderLeaseTimeout/2, 2*cfg.LeaderLeaseTimeout, func() {
			require.ErrorIs(t, orphan.Error(), raft.ErrLeadershipLost)
		})
		require.NotEqual(t, raft.Leader, first.State())
		others := slices.DeleteFunc(slices.Clone(nodes), func(n *raftNode) bool { return n == first })
		second = awaitLeader(others)
		require.Greater(t, time.Since(cut), cfg.HeartbeatTimeout/2)
		require.Less(t, time.Since(cut), 30*time.Second)
		for i := range 50 {
			require.NoError(t, second.Raft.Apply([]byte(strconv.Itoa(50+i)), 0).Error())
		}

		first.link.Heal()
		tookBetween(t, 0, time.Minute, func() {
			for _, node := range nodes {
				for len(node.applied()) < 100 {
					time.Sleep(time.Millisecond)
				}
			}
		})
		var want []string
		for i := range 100 {
			want = append(want, strconv.Itoa(i))
		}
		leaders := 0
		for _, node := range nodes {
			require.Equal(t, want, node.applied())
			if node.State() == raft.Leader {
				leaders++
			}
		}
		require.Equal(t, 1, leaders, "leaders")
	})
}
