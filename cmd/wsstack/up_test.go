package main

import (
	"strings"
	"testing"

	"github.com/wsstack/wsstack/options"
)

func TestAnnounce(t *testing.T) {
	cfg := defaultNetwork()
	cfg.Wire = wireConfig{Bad: impairments{Both: "delay=50ms"}, Pcap: "link.pcapng"}
	for _, tt := range []struct {
		name           string
		asJSON, person bool
		want           string
	}{
		{"JSON", true, true, `{"name":"wss0","addresses":["10.77.0.1/24","fd77::1/64"],"host_addresses":["10.77.0.2/24","fd77::2/64"],"mtu":1500}
`},
		{"to a program", false, false, `wss0 is up: the stack is 10.77.0.1 and fd77::1, this host 10.77.0.2 and fd77::2, MTU 1500
`},
		{"to a person", false, true, `wss0 is up: the stack is 10.77.0.1 and fd77::1, this host 10.77.0.2 and fd77::2, MTU 1500
each way: delay=50ms
packets are recorded in link.pcapng

Try in another terminal:
  curl http://10.77.0.1/
  curl 'http://[fd77::1]/'
  ping 10.77.0.1

^C ends it and removes the device.
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			if err := announce(&out, cfg, "wss0", tt.asJSON, tt.person); err != nil || out.String() != tt.want {
				t.Errorf("announce wrote %q, %v, want %q", out.String(), err, tt.want)
			}
		})
	}
}

// A profile other than that of the documents is said.
func TestAnnounce_Profile(t *testing.T) {
	cfg := defaultNetwork()
	cfg.Profile = options.Windows
	for asJSON, want := range map[bool]string{false: "MTU 1500, profile windows\n", true: `"mtu":1500,"profile":"windows"}` + "\n"} {
		var out strings.Builder
		if err := announce(&out, cfg, "wss0", asJSON, false); err != nil || !strings.HasSuffix(out.String(), want) {
			t.Errorf("announce wrote %q, %v, want %q at the end", out.String(), err, want)
		}
	}
}

func TestPacingNote(t *testing.T) {
	for _, tt := range []struct {
		chosen, system string
		said           bool
	}{
		{"", "bbr", true}, {"", "bbr3", true}, {"reno", "bbr", false}, {"", "cubic", false}, {"", "", false},
	} {
		if got := pacingNote(tt.chosen, tt.system); (got != "") != tt.said || tt.said && !strings.Contains(got, tt.system) {
			t.Errorf("pacingNote(%q, %q) = %q", tt.chosen, tt.system, got)
		}
	}
}
