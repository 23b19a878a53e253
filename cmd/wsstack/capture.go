package main

import (
	"os"
	"sync"
	"time"

	"github.com/wsstack/wsstack/tun"
)

// flushEvery is how far a capture may be behind, for who reads it meanwhile,
// and for the case that the process is killed.
const flushEvery = time.Second

// A capture is a file of packets that is being written.
type capture struct {
	packets *tun.CaptureFile
	file    *os.File
	stop    chan struct{}
	flusher sync.WaitGroup
}

// standardOutput is the name of a file that stands for standard output.
const standardOutput = "-"

// createCapture makes the file, or empties it.
func createCapture(name string) (*capture, error) {
	file, err := openCapture(name)
	if err != nil {
		return nil, err
	}
	c := &capture{packets: tun.NewCaptureFile(file, nil), file: file, stop: make(chan struct{})}
	c.flusher.Go(c.flushOften) // ends with close
	return c, nil
}

func openCapture(name string) (*os.File, error) {
	if name == standardOutput {
		// Under another number: who writes to 1 when its reader has gone is
		// killed, and a capture that fails ends nothing.
		return duplicate(os.Stdout)
	}
	// Not for reading, so that a named pipe waits for its reader.
	return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
}

func (c *capture) flushOften() {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-c.stop:
			return
		case <-tick.C:
			_ = c.packets.Flush() // close reports it
		}
	}
}

// close completes the file. It returns the first error of writing it.
func (c *capture) close() error {
	close(c.stop)
	c.flusher.Wait()
	err := c.packets.Flush()
	if closed := c.file.Close(); err == nil {
		err = closed
	}
	return err
}
