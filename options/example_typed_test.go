package options_test

import (
	"fmt"
	"time"

	"github.com/wsstack/wsstack/options"
)

// printer stands for an *endpoint.Conn.
type printer struct{}

func (printer) SetSockOpt(level, name int32, optval []byte) error {
	fmt.Println(level, name, optval)
	return nil
}

func ExampleSetAll() {
	var conn printer
	err := options.SetAll(conn,
		options.SO_KEEPALIVE.With(true),
		options.TCP_KEEPIDLE.With(90*time.Second),
	)
	fmt.Println(err)
	// Output:
	// 65535 8 [1 0 0 0]
	// 6 3 [90 0 0 0]
	// <nil>
}
