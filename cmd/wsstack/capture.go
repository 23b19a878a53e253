package main

import (
	"os"
	"sync"
	"time"

	"github.com/wsstack/wsstack/tun"
)

// flushEvery is the longest time for which packets stay in a buffer, for programs that read the
// capture meanwhile, and for the case that the process is killed.
const flushEvery = time.Second

// A capture is a file of packets that is being written.
type capture struct {
	packets *tun.CaptureFile
	file    *os.File
	stop    chan struct{}
	flusher sync.WaitGroup
}

// standardOutput is the file name that stands for standard output.
const standardOutput = "-"

// createCapture makes a capture file, or empties the file that has its name.
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
		// Under another number: a write to descriptor 1 whose reader is gone kills the process, and
		// a capture that fails must not.
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
