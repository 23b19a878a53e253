//go:build linux

package integration

import (
	"fmt"
	"net/netip"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/internal/netns"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// unable is why there is no namespace with a TUN; every test skips then.
var unable error

func TestMain(m *testing.M) {
	unable = netns.Main("integration", func() int {
		goleak.VerifyTestMain(m) // doesn't return
		return 0
	})
	os.Exit(m.Run())
}

// settings are what newNetwork can vary. The zero value: MTU 1500, both
// families, a stack with default routes.
type settings struct {
	mtu    int
	only4  bool // an MTU below 1280 carries no IPv6
	config func(*stack.Config)
	spy    bool                                  // blocked and waited tell what calls wait
	open   func(name string) (tun.Device, error) // nil: the device that usual names

	// observe is called with the interface's name before it is up and before
	// the stack exists.
	observe func(name string)
}

// usual is tun.Open, which means OpenOffload here; with WSSTACK_DEVICE=water all
// tests run over a device of plain packets.
func usual(name string) (tun.Device, error) {
	if os.Getenv("WSSTACK_DEVICE") == "water" {
		return tun.OpenWater(name)
	}
	return tun.Open(name)
}

// eachDevice runs a test over both kinds of device.
func eachDevice(t *testing.T, body func(t *testing.T, s settings)) {
	t.Run("offload", func(t *testing.T) { body(t, settings{open: tun.OpenOffload}) })
	t.Run("water", func(t *testing.T) { body(t, settings{open: tun.OpenWater}) })
}

// A network is one TUN link between the kernel and a stack.
type network struct {
	name          string // of the interface
	mtu           int
	only4         bool
	device        tun.Device
	stack         *stack.Stack
	kernel, wsock *side
	waiting       chan string // the reason of a call that has begun to wait
}

var networks atomic.Int32

// newNetwork makes a link with an interface and addresses of its own:
// 10.77.N.0/24 and fd77:N::/64, .1 for the stack and .2 for the kernel. It
// skips the test where that can't be.
func newNetwork(t testing.TB, s settings) *network {
	t.Helper()
	if unable != nil {
		t.Skip(unable)
	}
	if s.mtu == 0 {
		s.mtu = 1500
	}
	i := networks.Add(1) % 250 // few exist at a time
	n := &network{name: fmt.Sprintf("wss%d", i), mtu: s.mtu, only4: s.only4}
	address := func(host int) []netip.Prefix {
		list := []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("10.77.%d.%d/24", i, host))}
		if !s.only4 {
			list = append(list, netip.MustParsePrefix(fmt.Sprintf("fd77:%x::%d/64", i, host)))
		}
		return list
	}
	if s.open == nil {
		s.open = usual
	}
	device, err := s.open(n.name)
	require.NoError(t, err)
	n.device = device
	if s.observe != nil {
		s.observe(n.name)
	}
	err = tun.Configure(n.name, tun.Config{Addresses: address(2), MTU: s.mtu, NoAddrGen: true})
	require.NoError(t, err)
	cfg := stack.Config{Device: device, Addresses: address(1)}
	if s.config != nil {
		s.config(&cfg)
	}
	if s.spy {
		n.waiting = make(chan string, 1)
		cfg.NewWaiter = func() endpoint.Waiter { return spyWaiter{endpoint.NewChannelWaiter(), n.waiting} }
	}
	n.stack, err = stack.New(cfg)
	require.NoError(t, err)
	n.kernel, n.wsock = kernelSide(address(2)), stackSide(n.stack, address(1))
	t.Cleanup(func() {
		within(t, "Stack.Close", func() { require.NoError(t, n.stack.Close()) })
	})
	return n
}

// A spyWaiter tells that a call of the stack waits.
type spyWaiter struct {
	endpoint.Waiter
	waiting chan<- string
}

func (w spyWaiter) Wait(reason string) {
	select {
	case w.waiting <- reason:
	default:
	}
	w.Waiter.Wait(reason)
}

// waited reports whether a call on the stack has begun to wait since it was
// asked last.
func (n *network) waited() bool { return hasWaited(n.waiting) }

func hasWaited(waiting <-chan string) bool {
	select {
	case <-waiting:
		return true
	default:
		return false
	}
}

// blocked runs a call on the stack, and returns when it waits. One that doesn't
// fails the test.
func (n *network) blocked(t testing.TB, call func() error) <-chan error {
	t.Helper()
	return blocked(t, n.waiting, call)
}

// blocked is that of a network, for any stack whose calls say on waiting that they wait.
func blocked(t testing.TB, waiting <-chan string, call func() error) <-chan error {
	t.Helper()
	hasWaited(waiting) // an earlier call
	result := make(chan error, 1)
	go func() { result <- call() }()
	select {
	case err := <-result:
		require.FailNowf(t, "the call has not waited", "it returned %v", err)
	case <-waiting:
	}
	return result
}

// within fails the test when body hangs, and doesn't wait for it any more.
func within(t testing.TB, what string, body func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done) // also when a require in body ends the goroutine
		body()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		require.FailNow(t, what+" has not returned")
	}
}

// soon waits for a condition that takes a moment.
func soon(t testing.TB, condition func() bool, what string, args ...any) {
	t.Helper()
	require.Eventuallyf(t, condition, patience, 5*time.Millisecond, what, args...)
}

// size is the full size of a test, or a smaller one with -short and under the
// race detector.
func size(full, short int) int {
	if testing.Short() || raceEnabled {
		return short
	}
	return full
}

// forward makes the kernel a router, so that it answers for destinations that
// it has no route to.
func forward(t testing.TB, names ...string) {
	t.Helper()
	if err := netns.Forward(names...); err != nil {
		t.Skipf("the kernel can't be made a router: %v", err)
	}
}
