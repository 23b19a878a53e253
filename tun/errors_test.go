package tun

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNames(t *testing.T) {
	for _, name := range []string{"", "w", "wss0", "wss%d", "fifteen-bytes-a", "wss.100", "größe"} {
		require.NoError(t, CheckName(name), "%q", name)
	}
	for _, name := range []string{
		"sixteen-bytes-ab", strings.Repeat("x", 100), ".", "..", "a/b", "a:1", "a b", "a\tb", "a\x00b", "a%sb", "à", "%d%d", "%",
		"all", "default",
	} {
		err := CheckName(name)
		require.ErrorIs(t, err, ErrName, "%q", name)
		dev, err := OpenWater(name)
		require.Nil(t, dev)
		var openErr *OpenError
		require.ErrorAs(t, err, &openErr, "%q", name)
		require.Equal(t, name, openErr.Name)
		require.Contains(t, openErr.Hint(), "1 to 15 bytes")
	}
}

func TestOpenError(t *testing.T) {
	const path = "/dev/net/tun"
	for _, c := range []struct {
		name string
		err  OpenError
		is   error
		text string
		hint string
	}{
		{"no node", OpenError{"wss0", path, syscall.ENOENT}, fs.ErrNotExist,
			"tun: open wss0: /dev/net/tun: no such file or directory", "mknod /dev/net/tun c 10 200; a container needs --device /dev/net/tun"},
		{"no driver", OpenError{"wss0", path, syscall.ENODEV}, syscall.ENODEV, "", "modprobe tun"},
		{"mode", OpenError{"wss0", path, syscall.EACCES}, fs.ErrPermission, "", "chmod 0666 /dev/net/tun"},
		{"device group", OpenError{"wss0", path, syscall.EPERM}, fs.ErrPermission, "", "--device /dev/net/tun"},
		{"no capability", OpenError{"", "", syscall.EPERM}, fs.ErrPermission,
			"tun: open an interface: operation not permitted", "CAP_NET_ADMIN"},
		{"taken", OpenError{"wss0", "", ErrNameTaken}, fs.ErrExist, "", "the program that has wss0"},
		{"other system", OpenError{"wss0", "", errNameNotChosen}, errors.ErrUnsupported, "", "leave the name empty"},
		{"no such system", OpenError{"", "", errors.ErrUnsupported}, errors.ErrUnsupported, "", "no TUN devices"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var err error = &c.err
			require.ErrorIs(t, err, c.is)
			require.Contains(t, err.Error(), c.text)
			require.Contains(t, c.err.Hint(), c.hint)
		})
	}
	require.Empty(t, (&OpenError{Err: syscall.ENOMEM}).Hint())
}
