//go:build !linux

package wg

import "net/netip"

// A probe knows nothing of paths here.
type probe struct{}

func (p *probe) open()                    {}
func (p *probe) close()                   {}
func (p *probe) setMark(uint32)           {}
func (p *probe) pathMTU(a netip.Addr) int { return 0 }

// mayGoAlone reports whether packets are to be sent one by one after an error.
func mayGoAlone(error) bool { return false }
