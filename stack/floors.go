package stack

import (
	"fmt"

	"github.com/wsstack/wsstack/internal/inet"
)

// The bounds and defaults of Config.MinMSS and Config.MinPathMTU, the floors under
// what peers and routers may ask for. The defaults are those of Linux
// (tcp_min_snd_mss and min_pmtu).
const (
	defaultMinMSS     = 48
	maxMinMSS         = 536
	defaultMinPathMTU = 552
	maxMinPathMTU     = 1500
)

// maxSendBuffer bounds Config.SendBuffer: sequence numbers tell 2 GiB apart.
const maxSendBuffer = 1 << 30

// The least Config.Memory, and its default: 256 connections at full speed, or 16,384 with 64 KiB.
const (
	minMemory     = 1 << 20
	defaultMemory = 1 << 30
)

func (c *Config) validateFloors() error {
	if c.MinMSS > maxMinMSS {
		return fmt.Errorf("config.MinMSS: %d is more than the %d bytes that every host takes", c.MinMSS, maxMinMSS)
	}
	if m := c.MinPathMTU; m != 0 && (m < inet.MinMTU4 || m > maxMinPathMTU) {
		return fmt.Errorf("config.MinPathMTU: %d is not between %d and %d", m, inet.MinMTU4, maxMinPathMTU)
	}
	if b := c.SendBuffer; b < 0 || b > maxSendBuffer {
		return fmt.Errorf("config.SendBuffer: %d is not between 0 and %d", b, maxSendBuffer)
	}
	if c.Memory < 0 || c.Memory > 0 && c.Memory < minMemory {
		return fmt.Errorf("config.Memory: %d is less than %d", c.Memory, minMemory)
	}
	return nil
}

// setFloors puts in the defaults.
func (c *Config) setFloors() {
	if c.MinMSS == 0 {
		c.MinMSS = defaultMinMSS
	}
	if c.MinPathMTU == 0 {
		c.MinPathMTU = defaultMinPathMTU
	}
	if c.Memory == 0 {
		c.Memory = defaultMemory
	}
}
