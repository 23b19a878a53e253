//go:build !windows

package main

import (
	"errors"
	"io/fs"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// What wireguard-go says to an ordinary user is that there is no old socket to remove, where root
// has made the folder.
func TestWGSocketFailure(t *testing.T) {
	for _, tt := range []struct {
		err         error
		words, hint string
	}{
		{&fs.PathError{Op: "remove", Path: "a.sock", Err: os.ErrNotExist}, "permission", "sudo"},
		{&fs.PathError{Op: "mkdir", Path: "wireguard", Err: os.ErrPermission}, "permission", "sudo"},
		{errors.New("unix socket in use"), "in use", "--name"},
	} {
		f := failureOf(wgSocketFailure(tt.err))
		require.ErrorContains(t, f, tt.words)
		require.Contains(t, f.hint, tt.hint)
	}
}
