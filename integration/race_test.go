//go:build linux && race

package integration

// raceEnabled: the race detector makes bulk transfers ten times slower.
const raceEnabled = true
