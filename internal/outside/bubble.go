package outside

import (
	"bytes"
	"runtime"
	"strconv"
	"time"
)

// Bubbled reports whether the caller is in a bubble.
func Bubbled() bool { return Fake(time.Now()) }

// Fake reports whether a reading of the time was taken in a bubble: there, and on no other
// goroutine, readings have no monotonic part (package runtime: "Don't return a monotonic time
// inside a synctest bubble").
func Fake(reading time.Time) bool { return reading == reading.Round(0) }

// A Bubble is the number that package runtime gives a bubble. No two bubbles of a process have the
// same. Zero stands for no bubble.
type Bubble uint64

// unnumbered stands for all bubbles where package runtime doesn't write their numbers any more.
const unnumbered Bubble = 1<<64 - 1

// Here returns the bubble of the caller. Its cost is that of a traceback, some 10 µs.
func Here() Bubble {
	if !Bubbled() {
		return 0
	}
	var header [128]byte
	return numberOf(header[:runtime.Stack(header[:], false)])
}

// numberOf reads the first line of a traceback, such as "goroutine 9 [running, synctest bubble 8]:".
func numberOf(traceback []byte) Bubble {
	line, _, _ := bytes.Cut(traceback, []byte{'\n'})
	_, rest, _ := bytes.Cut(line, []byte("synctest bubble "))
	digits, _, _ := bytes.Cut(rest, []byte{']'})
	n, err := strconv.ParseUint(string(digits), 10, 64)
	if err != nil || n == 0 {
		return unnumbered
	}
	return Bubble(n)
}
