package provider_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// Broadcasts and multicasts stay on the loopback while it is the only interface (BC-1, C-110).
func TestGroupsOnTheLoopback(t *testing.T) {
	for _, profile := range []options.Profile{options.Documented, options.Windows, options.Legacy} {
		st := newStack(t, stack.Config{Profile: profile})
		p := startup(t, st)
		socket := func(family int32) wsa.SOCKET {
			s, err := p.Socket(family, wsa.SOCK_DGRAM, 0)
			require.NoError(t, err)
			return s
		}
		receiver := socket(wsa.AF_INET)
		require.NoError(t, p.Bind(receiver, netip.MustParseAddrPort("0.0.0.0:99")))
		require.NoError(t, p.SetSockOpt(receiver, wsa.IPPROTO_IP, wsa.IP_ADD_MEMBERSHIP, []byte{239, 1, 1, 1, 0, 0, 0, 0}, 8))
		require.NoError(t, p.SetSockOpt(receiver, wsa.SOL_SOCKET, wsa.SO_BROADCAST, []byte{1, 0, 0, 0}, 4))
		for _, text := range []string{"255.255.255.255:99", "127.255.255.255:99", "239.1.1.1:99"} {
			s, to := socket(wsa.AF_INET), netip.MustParseAddrPort(text)
			broadcast := !to.Addr().IsMulticast()
			if broadcast {
				_, err := p.SendTo(s, []byte("x"), 0, to)
				assert.Equal(t, wsa.WSAEACCES, err, "%v %v", profile, to)
			}
			if broadcast && profile == options.Documented {
				assert.Equal(t, wsa.WSAEACCES, p.Connect(s, to), "%v %v", profile, to)
				require.NoError(t, p.SetSockOpt(s, wsa.SOL_SOCKET, wsa.SO_BROADCAST, []byte{1, 0, 0, 0}, 4))
			}
			require.NoError(t, p.Connect(s, to), "%v %v", profile, to)
			_, err := p.Send(s, []byte(text), 0)
			require.NoError(t, err, "%v %v", profile, to)
			buf := make([]byte, 32)
			n, from, err := p.RecvFrom(receiver, buf, 0)
			require.NoError(t, err)
			assert.Equal(t, text, string(buf[:n]))
			assert.Equal(t, netip.MustParseAddr("127.0.0.1"), from.Addr())
		}
		six := socket(wsa.AF_INET6)
		_, err := p.SendTo(six, []byte("x"), 0, netip.MustParseAddrPort("[ff02::1]:99"))
		assert.NoError(t, err)

		// With another interface they leave by its routes, of which there are none here.
		device := tun.NewFunc(1500, nil)
		require.NoError(t, st.AddDevice(device, prefixes("10.0.0.1/24")...))
		s, group := socket(wsa.AF_INET), netip.MustParseAddrPort("239.1.1.1:99")
		assert.Equal(t, wsa.WSAENETUNREACH, p.Connect(s, group))
		require.NoError(t, st.RemoveDevice(device))
		assert.NoError(t, p.Connect(s, group))
	}
}
