package wg

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wsstack/wsstack/stack"
)

// Keys for the texts of tests, which belong to nobody.
const (
	keyA = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="
	keyB = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
	keyC = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="
)

// key is the key of a text.
func key(t require.TestingT, text string) Key {
	k, err := ParseKey(text)
	require.NoError(t, err)
	return k
}

// A key in JSON is that of a file, and what isn't a key is an error.
func TestKey_JSON(t *testing.T) {
	text, err := json.Marshal(key(t, keyA))
	require.NoError(t, err)
	require.Equal(t, `"`+keyA+`"`, string(text))
	var k Key
	require.NoError(t, json.Unmarshal(text, &k))
	require.Equal(t, key(t, keyA), k)
	require.ErrorContains(t, json.Unmarshal([]byte(`"AAAA"`), &k), "32 bytes in base64")
}

// prefixes are the prefixes of a text.
func prefixes(text string) (all []netip.Prefix) {
	for _, s := range strings.Fields(text) {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}

// A file as people write it: with a mark at its beginning, comments, other line ends, keys in lower
// case, repeated keys, lists, host bits and things about the system.
func TestParseConfig(t *testing.T) {
	c, err := ParseConfig(strings.NewReader("\ufeff# home\r\n" + `
[interface]
privatekey=` + keyA + ` # mine
Address = 10.0.0.1/24, fd00::1/64
Address = 10.1.0.1
DNS = 10.0.0.53, example.net fd00::53
MTU = 1380
LISTENPORT = 51820
FwMark = 0xca6c
Table = off
PostUp = iptables -A FORWARD -i %i -j ACCEPT; echo a = b
SaveConfig = true

[Peer]
PublicKey = ` + keyB + `
PresharedKey = ` + keyC + `
AllowedIPs = 10.0.0.2, 10.2.3.4/16
AllowedIPs =
allowedips = ::/0
Endpoint = [2001:db8::1]:51820
PersistentKeepalive = 25
[PEER]
PublicKey = ` + keyC + `
Endpoint = vpn.example.net:1234
PersistentKeepalive = off
`))
	require.NoError(t, err)
	want := &Config{
		PrivateKey: key(t, keyA), ListenPort: 51820, FirewallMark: 0xca6c, MTU: 1380,
		Addresses: prefixes("10.0.0.1/24 fd00::1/64 10.1.0.1/32"),
		DNS:       []netip.Addr{netip.MustParseAddr("10.0.0.53"), netip.MustParseAddr("fd00::53")},
		Search:    []string{"example.net"},
		Ignored:   []string{"Table = off", "PostUp = iptables -A FORWARD -i %i -j ACCEPT; echo a = b", "SaveConfig = true"},
		Peers: []Peer{
			{
				PublicKey: key(t, keyB), PresharedKey: key(t, keyC), Endpoint: "[2001:db8::1]:51820",
				AllowedIPs: prefixes("10.0.0.2/32 10.2.0.0/16 ::/0"), PersistentKeepalive: 25 * time.Second,
			},
			{PublicKey: key(t, keyC), Endpoint: "vpn.example.net:1234"},
		},
	}
	require.Equal(t, want, c)

	s := c.Stack(nil)
	require.Equal(t, want.Addresses, s.Addresses)
	require.Equal(t, []stack.Route{
		{Destination: netip.MustParsePrefix("10.0.0.2/32")}, {Destination: netip.MustParsePrefix("10.2.0.0/16")}, {Destination: netip.MustParsePrefix("::/0")},
	}, s.Routes)
	require.Equal(t, []netip.AddrPort{netip.MustParseAddrPort("10.0.0.53:53"), netip.MustParseAddrPort("[fd00::53]:53")}, s.Nameservers)
	require.NotNil(t, (&Config{}).Stack(nil).Routes, "without peers nothing has a route")
}

// Every mistake has its place, and a hint.
func TestParseConfig_Mistakes(t *testing.T) {
	const head = "[Interface]\nPrivateKey = " + keyA + "\n"
	const peer = head + "[Peer]\nPublicKey = " + keyB + "\n"
	own := "[Peer]\nPublicKey = " + key(t, keyA).PublicKey().String() + "\n"
	for name, tt := range map[string]struct{ text, want, hint string }{
		"empty":          {"", "wg: there is no section [Interface]", "begin with"},
		"no section":     {"PrivateKey = " + keyA, `1:1: "PrivateKey" stands before the first section`, "[Interface]"},
		"other section":  {"[Interfaces]", `1:1: there is no section "[Interfaces]"`, "[Peer]"},
		"open bracket":   {head + "[Peer", `3:1: there is no section "[Peer"`, "[Peer]"},
		"two interfaces": {head + " [Interface]", "3:2: there is a second section [Interface]", "one"},
		"no equals sign": {head + "  MTU 1420", `3:3: "MTU 1420" has no =`, "Key = value"},
		"slip":           {head + "Adddress = 10.0.0.1", `3:1: there is no key "Adddress" in [Interface]`, "did you mean Address?"},
		"nonsense":       {peer + "Wireless = on", `5:1: there is no key "Wireless" in [Peer]`, "AllowedIPs"},
		"wrong section":  {peer + "MTU = 1420", "5:1: MTU is no key of [Peer]", "[Interface]"},
		"twice":          {head + "MTU = 1420\nmtu = 1400", "4:1: MTU stands in line 3 already", "leave one"},
		"key":            {"[Interface]\nPrivateKey = abc", "2:14: PrivateKey: these 3 characters are no key", "genkey"},
		"port":           {head + "ListenPort = 65536", `3:14: ListenPort: "65536" is no port`, "65535"},
		"mark":           {head + "FwMark = 0x1ffffffff", `3:10: FwMark: "0x1ffffffff" is no mark`, "32 bits"},
		"MTU":            {head + "MTU = big", `3:7: MTU: "big" is no size of a packet`, "1420"},
		"small MTU":      {head + "MTU = 60", "3:7: MTU 60", "68 to"},
		"MTU for IPv6":   {head + "MTU = 1200\nAddress = fd00::1/64", "3:7: MTU 1200 is too small for IPv6", "1280"},
		"address":        {head + "Address = 10.0.0.1/33", `3:11: Address: "10.0.0.1/33" is no address`, "10.0.0.1/24"},
		"name server":    {head + "DNS = 1.2.3", `3:7: DNS: "1.2.3" is neither`, "example.net"},
		"no private key": {"[Interface]\nMTU = 1420", "1:1: there is no private key", "genkey"},
		"no public key":  {head + "[Peer]\nAllowedIPs = 10.0.0.2", "3:1: a peer has no public key", "pubkey"},
		"own key":        {head + own, "4:13: peer " + key(t, keyA).PublicKey().String() + " is this end itself", "private key"},
		"peer twice":     {peer + "[Peer]\nPublicKey = " + keyB, "6:13: peer " + keyB + " is there twice", "one [Peer]"},
		"allowed twice": {peer + "AllowedIPs = 10.0.0.7/24\n[Peer]\nPublicKey = " + keyC + "\nAllowedIPs = 10.0.0.0/24",
			"8:14: 10.0.0.0/24 is allowed to peer " + keyB + " and to peer " + keyC, "one of them"},
		"allowed IP":      {peer + "AllowedIPs = ten", `5:14: AllowedIPs: "ten" is no address`, "10.0.0.2/32"},
		"no port":         {peer + "Endpoint = host", `5:12: peer ` + keyB + `: endpoint "host" has no port`, "192.0.2.1:51820"},
		"no brackets":     {peer + "Endpoint = 2001:db8::1:51820", `5:12: peer ` + keyB + `: endpoint "2001:db8::1:51820" has no port`, "brackets"},
		"no host":         {peer + "Endpoint = :51820", `5:12: peer ` + keyB + `: endpoint ":51820" has no host`, "192.0.2.1"},
		"endpoint's port": {peer + "Endpoint = host:0", `5:12: peer ` + keyB + `: endpoint "host:0": port "0"`, "65535"},
		"empty endpoint":  {peer + "Endpoint =", "5:11: Endpoint: it is empty", "host:port"},
		"keepalive":       {peer + "PersistentKeepalive = 65536", `5:23: PersistentKeepalive: "65536" is no interval`, "65535"},
		"key alone":       {head + keyA, `3:1: there is no key "…" (43 characters) in`, "PrivateKey"},
		"key without =":   {"[Interface]\nPrivateKey " + keyA[:43], `2:1: "…" (54 characters) has no =`, "Key = value"},
		"key elsewhere":   {peer + "Endpoint = " + keyA, "5:12: peer " + keyB + `: endpoint "…" (44 characters) has no port`, "192.0.2.1"},
		"not text":        {"[Interface]\x00", "wg: it isn't text", "UTF-8"},
		"long":            {strings.Repeat("#\n", maxConfig/2) + "#", "wg: there are more than 4194304 bytes", "by hand"},
		"beyond ASCII":    {head + "# ü\nDNS = é", `4:7: DNS: "é" is neither`, "example.net"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := ParseConfig(strings.NewReader(tt.text))
			require.Nil(t, c)
			var e *ConfigError
			require.ErrorAs(t, err, &e)
			require.True(t, strings.HasPrefix(err.Error(), tt.want), "%v", err)
			require.Contains(t, e.Hint(), tt.hint)
			require.Equal(t, 2, e.ExitStatus())
			require.NotContains(t, err.Error()+e.Hint(), keyA[:40], "the private key")
		})
	}
}

// The error of a file begins with its name.
func TestParseConfig_File(t *testing.T) {
	name := filepath.Join(t.TempDir(), "wg0.conf")
	for text, want := range map[string]string{"[Interface]\nMTU = x": name + ":2:7: MTU: ", "": name + ": there is no section"} {
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
		f, err := os.Open(name)
		require.NoError(t, err)
		_, err = ParseConfig(f)
		require.NoError(t, f.Close())
		require.Error(t, err)
		require.True(t, strings.HasPrefix(err.Error(), want), "%v", err)
	}
}

// drawConfig draws a configuration that can be written.
func drawConfig(t *rapid.T) *Config {
	keys := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) Key {
		return Key(rapid.SliceOfN(rapid.Byte(), KeyLen, KeyLen).Draw(t, "key"))
	}), 2, 5, rapid.ID[Key]).Draw(t, "keys")
	address := rapid.Custom(func(t *rapid.T) netip.Addr {
		if rapid.Bool().Draw(t, "IPv6") {
			return netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "address")))
		}
		return netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "address")))
	})
	prefix := rapid.Custom(func(t *rapid.T) netip.Prefix {
		a := address.Draw(t, "of prefix")
		return netip.PrefixFrom(a, rapid.IntRange(0, a.BitLen()).Draw(t, "bits"))
	})
	c := &Config{
		PrivateKey:   keys[0],
		ListenPort:   rapid.IntRange(0, 65535).Draw(t, "port"),
		FirewallMark: rapid.Uint32().Draw(t, "mark"),
		MTU:          rapid.SampledFrom([]int{0, 1280, 1420, MaxMTU}).Draw(t, "MTU"),
		Addresses:    slices.Clip(rapid.SliceOfN(prefix, 0, 3).Draw(t, "addresses")),
		DNS:          rapid.SliceOfN(address, 0, 2).Draw(t, "DNS"),
		Search:       rapid.SliceOfN(rapid.StringMatching(`[a-z]{1,9}(\.[a-z]{2,5})?`), 0, 2).Draw(t, "search"),
	}
	for range rapid.IntRange(0, 2).Draw(t, "commands") {
		c.Ignored = append(c.Ignored, "PostUp = "+strings.TrimSpace(rapid.StringMatching(`[ -"$-~]{0,20}`).Draw(t, "command")))
	}
	free := rapid.SliceOfNDistinct(prefix, 0, 8, netip.Prefix.Masked).Draw(t, "allowed IPs")
	for _, k := range keys[1:] {
		p := Peer{PublicKey: k, PersistentKeepalive: time.Duration(rapid.IntRange(0, 65535).Draw(t, "keepalive")) * time.Second}
		p.Endpoint = rapid.SampledFrom([]string{"", "192.0.2.1:1", "[fe80::1%eth0]:65535", "a-b.example:51820"}).Draw(t, "endpoint")
		n := rapid.IntRange(0, len(free)).Draw(t, "how many")
		for _, ip := range free[:n] {
			p.AllowedIPs = append(p.AllowedIPs, ip.Masked())
		}
		free = free[n:]
		c.Peers = append(c.Peers, p)
	}
	return c
}

// What is written reads the same again.
func TestWriteTo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawConfig(t)
		if c.PrivateKey.IsZero() || c.check() != nil {
			t.Skip("not a configuration")
		}
		var b bytes.Buffer
		n, err := c.WriteTo(&b)
		require.NoError(t, err)
		require.EqualValues(t, b.Len(), n)
		again, err := ParseConfig(&b)
		require.NoError(t, err)
		for _, v := range []*Config{c, again} { // nil and empty are the same here
			v.Addresses, v.DNS, v.Search = append([]netip.Prefix{}, v.Addresses...), append([]netip.Addr{}, v.DNS...), append([]string{}, v.Search...)
		}
		require.Equal(t, c, again)
	})
}

// What wouldn't read the same isn't written.
func TestWriteTo_Refuses(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no key":              func(c *Config) { c.PrivateKey = Key{} },
		"line in a line":      func(c *Config) { c.Ignored = []string{"PostUp = a\nPostUp = b"} },
		"other key":           func(c *Config) { c.Ignored = []string{"MTU = 1420"} },
		"no domain":           func(c *Config) { c.Search = []string{"a b"} },
		"line in an endpoint": func(c *Config) { c.Peers[0].Endpoint = "a\nb:1" },
	} {
		c := &Config{PrivateKey: key(t, keyA), Peers: []Peer{{PublicKey: key(t, keyB)}}}
		change(c)
		var b bytes.Buffer
		_, err := c.WriteTo(&b)
		require.Error(t, err, name)
		require.Zero(t, b.Len(), name)
	}
}

// wg-quick reads what is written, and finds the same in it.
func TestWriteTo_WgQuick(t *testing.T) {
	if _, err := exec.LookPath("wg-quick"); err != nil {
		t.Skip("wg-quick isn't installed")
	}
	if os.Geteuid() != 0 {
		t.Skip("wg-quick wants to be run by root")
	}
	c, err := ParseConfig(strings.NewReader("[Interface]\nPrivateKey = " + keyA + "\nAddress = 10.0.0.1/24\nMTU = 1400\nDNS = 10.0.0.1\nListenPort = 51820\nPostUp = true\n" +
		"[Peer]\nPublicKey = " + keyB + "\nAllowedIPs = 10.0.0.2/32, fd00::/64\nEndpoint = 192.0.2.1:51820\nPersistentKeepalive = 25\n"))
	require.NoError(t, err)
	var b bytes.Buffer
	_, err = c.WriteTo(&b)
	require.NoError(t, err)
	name := filepath.Join(t.TempDir(), "wg0.conf")
	require.NoError(t, os.WriteFile(name, b.Bytes(), 0o600))
	out, err := exec.Command("wg-quick", "strip", name).CombinedOutput()
	require.NoError(t, err, "%s", out)
	stripped, err := ParseConfig(bytes.NewReader(out))
	require.NoError(t, err, "%s", out)
	c.Addresses, c.MTU, c.DNS, c.Ignored = nil, 0, nil, nil
	require.Equal(t, c, stripped)
}

// No text makes the parser fail otherwise than with an error, and what it has read it writes and
// reads again.
func FuzzParseConfig(f *testing.F) {
	f.Add("[Interface]\nPrivateKey = " + keyA + "\nAddress = 10.0.0.1/24, fd00::1/64\nDNS = 10.0.0.1, a.b\nFwMark = off\nPostUp = x = y\n" +
		"[Peer]\nPublicKey = " + keyB + "\nAllowedIPs = 0.0.0.0/0, ::/0\nEndpoint = [::1]:1\nPersistentKeepalive = 25\n")
	f.Add("\ufeff[interface]\r\nprivatekey=" + keyA + "#\r\n[peer]\r\n")
	f.Add("[Interface]\nMTU = 1\n# x\n[Peer]\nAllowedIPs = ,")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseConfig(strings.NewReader(text))
		if err != nil {
			require.Nil(t, c)
			require.NotEmpty(t, err.Error())
			return
		}
		var b bytes.Buffer
		_, err = c.WriteTo(&b)
		require.NoError(t, err)
		again, err := ParseConfig(&b)
		require.NoError(t, err)
		require.Equal(t, c, again)
	})
}
