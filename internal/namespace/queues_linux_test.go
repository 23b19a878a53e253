package namespace

import (
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/netns"
	"github.com/wsstack/wsstack/tun"
)

// As many queues as a stack has parts, if all descriptors fit into a message.
func TestQueuesOf(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(16))
	for devices, want := range map[int]int{0: 8, 1: 8, 28: 8, 29: 7, 84: 2, 85: 1, MaxDevices: 1} {
		got := queuesOf(devices)
		require.Equal(t, want, got, "%d devices", devices)
		require.LessOrEqual(t, devices*(got+1), maxDescriptors)
	}
	runtime.GOMAXPROCS(2)
	require.Equal(t, 1, queuesOf(1))
}

// The descriptors that a process has passed belong to devices, or to none where the numbers are wrong:
// the process may be one that COMMAND speaks for.
func TestDivide(t *testing.T) {
	files := make([]*os.File, 5)
	for i := range files {
		files[i] = new(os.File)
	}
	require.Equal(t, [][]*os.File{files[:3], files[3:]}, divide(files, []int{2, 1}))
	require.Nil(t, divide(nil, nil))
	for _, queues := range [][]int{nil, {1}, {3}, {5}, {1 << 62}, {0, 3}, {-1, 4}, {2, 1, 1}, {2, 0, 1}, {4, 0}} {
		require.Nil(t, divide(files, queues), "%v", queues)
	}
}

// The devices of a namespace have their queues, and plain ones have one.
func TestQueues(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8))
	n, err := New(Config{Devices: []Device{{Name: "wss0", MTU: 1500}, {Name: "wss1", MTU: 1500, Plain: true}, {Name: "wss2", MTU: 1500}}})
	if err != nil {
		if netns.RequireTUN() {
			t.Fatalf("WSSTACK_REQUIRE_TUN is set, and: %v", err)
		}
		t.Skip(err)
	}
	defer n.Close()
	for i, want := range []int{4, 1, 4} {
		d := n.Devices()[i]
		require.Equal(t, want, d.(tun.Parallel).EnableParallel(), "device %d", i)
		require.Equal(t, 1500, d.MTU())
		require.NoError(t, d.Close())
	}
}
