//go:build !unix

package control

import (
	"errors"
	"os"
)

var errNoPassing = errors.New("this system passes no files between processes; let the client write: wsstack capture -")

func sendFile(*Stream, *os.File) error              { return errNoPassing }
func receiveFile(*Stream, string) (*os.File, error) { return nil, errNoPassing }
