package options_test

import (
	"fmt"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

func ExampleTable() {
	for _, o := range options.Table() {
		if o.Symbol == "SO_DONTLINGER" {
			fmt.Println(o.LevelName, o.Number, o.Type, o.Default.Documented)
			fmt.Println(o.Description)
		}
	}
	// Output:
	// SOL_SOCKET -129 BOOL TRUE
	// The opposite of l_onoff of SO_LINGER; FALSE restores the time-out that SO_LINGER set last, or 60 s.
}

func ExampleDefaults() {
	listener := options.Defaults(options.Documented, wsa.AF_INET, options.Stream)
	listener.NoDelay, listener.ConditionalAccept = true, true
	accepted := options.Inherit(listener)
	fmt.Println(accepted.NoDelay, accepted.ConditionalAccept, accepted.SendBuffer.Bytes)
	// Output: true false 65536
}
