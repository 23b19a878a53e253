// Package namespace runs a command in a Linux network namespace whose TUN devices belong to the
// caller. It is what "wsstack exec" and the namespaces of a test network are made of.
//
//	n, err := namespace.New(namespace.Config{…}) // the namespace and its devices
//	devices := n.Devices()                       // to be given to stacks of this process
//	err = n.Start(namespace.Command{…})
//	status, err := n.Wait()
//	err = n.Close()
//
// A program that imports the package calls [Main] at the beginning of its main function, because
// the first process in a namespace is the same program again.
package namespace

import (
	"net/netip"
	"os"

	"github.com/wsstack/wsstack/tun"
)

// Config describes a namespace.
type Config struct {
	// Devices are the TUN interfaces of the namespace, at most MaxDevices. The loopback interface
	// is there anyway.
	Devices []Device

	// Files are files that the command finds in place of those that the host has. Where mounting
	// is forbidden, as in many containers, the host's files stay.
	Files []File

	// Hide are folders that the command finds empty, where mounting isn't forbidden.
	Hide []string

	// Leftover is what the process in the namespace gives to the function of Main when this process
	// has died without Close, such as the name of a file that is to be removed.
	Leftover string

	// Use says what the namespace is for, in the words of errors.
	Use Use
}

// MaxDevices is the largest number of devices of a namespace: the kernel passes on 253 descriptors
// at once (unix(7)), and each device takes two at least.
const MaxDevices = 120

// A Command is a program that runs in a namespace.
type Command struct {
	Path string   // the file of the program, as LookCommand has found it
	Args []string // the arguments, beginning with the name of the program
	Env  []string // the whole environment; nil: that of this process
	Dir  string   // the working directory; "": that of this process

	// Streams are standard input, output and error of the command; nil stands for the null device.
	Streams [3]*os.File

	// Foreground puts the command into the process group of this process, so that it has the
	// terminal and the signals of the terminal. Otherwise the command has a process group of its
	// own, and Signal is for the whole group.
	Foreground bool
}

// A Device is a TUN interface of a namespace. Its other end is a tun.Device of this process.
type Device struct {
	Name       string         // of the interface
	Addresses  []netip.Prefix // addresses of the namespace on the link
	MTU        int            // size of the largest packet in bytes
	Plain      bool           // packets without segmentation and checksum offload
	Congestion string         // congestion control of connections over the link; see tun.Config
	Routes     []tun.Route    // routes over the link besides those of Addresses
}

// A File is a file that stands in for another one.
type File struct {
	Path string // an absolute name; nothing happens if there is no such file
	Text string // what is in it
}

// ResolvConf is the name of the file that names the name servers (resolv.conf(5)).
const ResolvConf = "/etc/resolv.conf"

// Use says for whom an interface is made.
type Use struct {
	Command string // the subcommand of wsstack, such as "run"; empty stands for "exec"

	// Here says that the interface is one of the host itself, and not in a namespace of its own.
	Here bool
}

// String returns the name of the subcommand.
func (u Use) String() string {
	if u.Command == "" {
		return "exec"
	}
	return u.Command
}
