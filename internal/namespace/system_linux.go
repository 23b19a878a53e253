package namespace

import "github.com/wsstack/wsstack/tun"

// setUpInterface sets up an interface of this system.
func setUpInterface(name string, c tun.Config) error { return tun.Configure(name, c) }
