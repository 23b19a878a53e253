package api

import (
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the golden files")

// golden is the file with the exported API as it was reviewed.
const golden = "testdata/api.txt"

// TestAPI compares the exported names of the public packages, with their types, with the golden
// file.
func TestAPI(t *testing.T) {
	lines := exported(t)
	text := new(strings.Builder)
	for _, l := range lines {
		text.WriteString(l.String() + "\n")
	}
	if *rewrite {
		require.NoError(t, os.MkdirAll("testdata", 0o777))
		require.NoError(t, os.WriteFile(golden, []byte(text.String()), 0o666))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	gone, added := difference(strings.Split(string(want), "\n"), strings.Split(text.String(), "\n"))
	if len(gone)+len(added) > 0 {
		t.Errorf("the exported API isn't that of %s; if that is meant, run make golden:\n%s%s", golden,
			strings.Join(gone, ""), strings.Join(added, ""))
	}
}

// difference lists the lines that only one of two texts has.
func difference(want, got []string) (gone, added []string) {
	only := func(mark string, these, those []string) (list []string) {
		for _, l := range these {
			if !slices.Contains(those, l) {
				list = append(list, mark+l+"\n")
			}
		}
		return list
	}
	return only("- ", want, got), only("+ ", got, want)
}

// Reasons that several names have.
const (
	ofStack = "package stack makes the faces of its sockets with it"
	clock   = "the clock that netstack takes: a program with a clock of its own made it for gVisor"
	metric  = "package metrics is for programs that have a registry of Prometheus's client"
	engine  = "the engine of WireGuard: who has one joins it to a stack"
	traced  = "a value that prints itself, and that tests compare with what they have got from a trace"
)

// foreign lists the exported names whose types may name a type that no public package of the
// module or the standard library has, each with the reason.
var foreign = map[string]string{
	"endpoint.NewConn":        ofStack,
	"endpoint.NewListener":    ofStack,
	"endpoint.NewPacketConn":  ofStack,
	"endpoint.NewPoller":      ofStack,
	"endpoint.InfoOf":         ofStack,
	"endpoint.HandleOf":       ofStack,
	"endpoint.SocketOf":       "internal/gateway attends to the socket of a connection",
	"tun.Packet.Data":         "a packet is a chain of gVisor's reference-counted buffers, or every device would copy",
	"stack.Config.Clock":      clock,
	"stack.(*Stack).Clock":    clock,
	"tun.ImpairConfig.Clock":  clock,
	"tun.NewCaptureFile":      clock,
	"simnet.(*Network).Clock": clock,
	"metrics.New":             metric,
	"metrics.NewLink":         metric,
	"simnet.Arrival.Flags":    traced,
	"simnet.Arrival.Options":  traced,
	"simnet.Segment.Flags":    traced,
	"simnet.Segment.Options":  traced,
	"simnet.Line.Kind":        traced,
	"wg.Config.Bind":          engine,
	"wg.(*TUN).Bind":          engine,
	"wg.(*TUN).Tunnel":        engine,
	"wgnet.CreateNetTUN":      engine,
	"wgnet.New":               engine,
	"wgnet.(*Net).Bind":       engine,
	"stack.(*Stack).Netstack": "the way out to gVisor's API, for what package stack has no words for",
}

// TestForeignTypes wants public signatures to name types of gVisor and of internal packages only
// where nothing else can be meant.
func TestForeignTypes(t *testing.T) {
	unused := maps.Clone(foreign)
	for _, l := range exported(t) {
		delete(unused, l.name)
		if len(l.foreign) > 0 && foreign[l.name] == "" {
			t.Errorf("%s names %s: see foreign in this test", l, strings.Join(l.foreign, ", "))
		}
	}
	for name := range unused {
		t.Errorf("foreign has %s, which is no exported name", name)
	}
}
