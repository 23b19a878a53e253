package main

import (
	"time"

	"gvisor.dev/gvisor/pkg/log"
)

// quiet drops netstack's own log, which goes to standard error: its warnings
// are about single packets, and would stand between the lines of CMD.
type quiet struct{}

// Emit implements log.Emitter.
func (quiet) Emit(int, log.Level, time.Time, string, ...any) {}

func init() { log.SetTarget(quiet{}) }
