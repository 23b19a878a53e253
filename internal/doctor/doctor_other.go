//go:build !linux

package doctor

import (
	"os"
	"runtime"
)

// Examine looks at the machine.
func Examine() []Finding {
	list := []Finding{{Name: "exec", State: Note, Text: "wsstack exec needs the network namespaces of Linux; this is " + runtime.GOOS,
		Hint: "run it in a Linux virtual machine or container"}}
	up := Finding{Name: "up", State: OK, Text: "wsstack up may work here; it was never run on this system, only compiled"}
	switch {
	case runtime.GOOS == "windows":
		up.Hint = "it takes the TAP driver of OpenVPN (tap-windows6) and an elevated prompt"
	case os.Geteuid() != 0:
		up.State, up.Text, up.Hint = Note, "wsstack up needs root to make a utun interface", "sudo wsstack up …"
	}
	return append(list, up,
		Finding{Name: "wireguard", State: OK, Text: "wsstack up --wireguard needs nothing but UDP sockets"}, controlSocket())
}
