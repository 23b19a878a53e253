//go:build !unix

package play

import "errors"

func makePipe(string) error { return errors.ErrUnsupported }
