//go:build !linux

package namespace

import (
	"runtime"

	"github.com/wsstack/wsstack/tun"
)

// setUpInterface sets up an interface of this system by its own tools. The congestion control can't
// be chosen for an interface here.
func setUpInterface(name string, c tun.Config) error {
	list, err := setUpCommands(runtime.GOOS, name, c)
	if err != nil {
		return err
	}
	return runCommands(list)
}
