//go:build linux

package integration

import (
	"bytes"
	"encoding/xml"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// recent is what nmap calls the versions of Windows that Profile Windows follows.
var recent = regexp.MustCompile(`^Microsoft (Windows 1[01]|Windows Server (2016|2019|202\d))\b`)

// nmap takes a host of Profile Windows for a recent Windows: nobody who asks from outside sees
// another stack.
func TestNmapNamesWindows(t *testing.T) {
	scan := nmapScan(t, options.Windows, false)
	require.NotEmpty(t, scan.Guesses, "nmap has no guess")
	t.Logf("nmap: %s", scan)
	require.Regexp(t, recent, scan.Guesses[0].Name)
}

// A scan is what nmap writes about the system of a host, in XML.
type scan struct {
	Guesses []struct {
		Name     string `xml:"name,attr"`
		Accuracy string `xml:"accuracy,attr"` // in percent
	} `xml:"host>os>osmatch"` // the best first
	Fingerprint struct {
		Text string `xml:"fingerprint,attr"`
	} `xml:"host>os>osfingerprint"`
}

// String returns the guesses, with the answers of the host to nmap's probes.
func (s scan) String() string {
	var b strings.Builder
	for _, g := range s.Guesses {
		b.WriteString(g.Name + " (" + g.Accuracy + "%), ")
	}
	b.WriteString("\n" + s.Fingerprint.Text)
	return b.String()
}

// nmapScan has nmap guess the system of a host in a profile, which has an open and a closed port of
// TCP, and closed ones of UDP. It skips the test where there is no nmap.
func nmapScan(t *testing.T, p options.Profile, v6 bool) (s scan) {
	t.Helper()
	nmap := program(t, "nmap")
	n := newNetwork(t, settings{config: func(c *stack.Config) { c.Profile = p }})
	l, err := n.stack.Listen("tcp", ":80")
	require.NoError(t, err)
	defer l.Close()
	// -d: the answers are in the output even where the guess is good.
	args := []string{"-n", "-Pn", "-O", "--osscan-guess", "--max-os-tries", "1", "-d", "-p", "80,81", "-oX", "-"}
	if v6 {
		args = append(args, "-6")
	}
	cmd := exec.Command(nmap, append(args, n.wsock.addr(v6).String())...)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	require.NoError(t, err, "%s%s", out, &problems)
	require.NoError(t, xml.Unmarshal(out, &s), "%s", out)
	return s
}

// p0f takes connections that a host of Profile Windows opens for those of Windows NT.
func TestP0fNamesWindows(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		systems := p0fNames(t, options.Windows, v6)
		t.Logf("p0f, IPv6 %t: %q", v6, systems)
		require.Len(t, systems, 3)
		for _, s := range systems {
			require.Regexp(t, `^Windows (NT kernel( 6\.x)?|7 or 8|10)$`, s)
		}
	}
}

// p0fNames returns what p0f says of each of three connections that a host in a profile opens. It
// skips the test where there is no p0f.
func p0fNames(t *testing.T, p options.Profile, v6 bool) (systems []string) {
	t.Helper()
	p0f := program(t, "p0f")
	path := filepath.Join(t.TempDir(), "capture.pcapng")
	file, err := os.Create(path)
	require.NoError(t, err)
	t.Cleanup(func() { file.Close() }) // after the device, whose end is in the file
	packets := tun.NewCaptureFile(file, nil)
	n := newNetwork(t, settings{
		config: func(c *stack.Config) { c.Profile = p },
		open: func(name string) (tun.Device, error) {
			device, err := usual(name)
			if err != nil {
				return nil, err
			}
			return tun.Capture(device, packets, name)
		},
	})
	l, err := net.Listen("tcp", net.JoinHostPort(n.kernel.addr(v6).String(), "0"))
	require.NoError(t, err)
	defer l.Close()
	for range 3 {
		c, err := n.stack.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		require.NoError(t, c.Close())
	}
	require.NoError(t, packets.Flush())
	out, err := exec.Command(p0f, "-r", path).CombinedOutput()
	require.NoError(t, err, "%s", out)
	// The lines below a header say what was found out about the packet. The SYNs are the stack's.
	found := regexp.MustCompile(`(?ms)^\.-\[ \S+ -> \S+ \(syn\) \]-$.*?^\| os +=\s+(.*?)$`)
	for _, match := range found.FindAllStringSubmatch(string(out), -1) {
		systems = append(systems, match[1])
	}
	require.NotEmpty(t, systems, "%s", out)
	return systems
}

// program is the path of a program that not every machine has. It skips the test where that is
// missing.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = exec.LookPath(filepath.Join("/usr/sbin", name)) // not everybody's PATH has it
	}
	if err != nil {
		t.Skipf("%s isn't installed (Debian's package has its name)", name)
	}
	return path
}
