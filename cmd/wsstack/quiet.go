package main

import (
	"time"

	"gvisor.dev/gvisor/pkg/log"
)

// quiet drops the log of netstack, which would go to standard error: its warnings are about single
// packets, and would stand between the lines of the command.
type quiet struct{}

// Emit implements log.Emitter.
func (quiet) Emit(int, log.Level, time.Time, string, ...any) {}

func init() { log.SetTarget(quiet{}) }
