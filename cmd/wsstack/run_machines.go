package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/wsstack/wsstack/internal/machines"
	"github.com/wsstack/wsstack/internal/netfile"
	"github.com/wsstack/wsstack/internal/testbed"
	"github.com/wsstack/wsstack/wg"
)

// notHere lists the commands that start a file with machines, and returns the error of starting it
// without --on.
func notHere(file *netfile.File, stderr io.Writer) error {
	for i, m := range file.Machines.All {
		fmt.Fprintf(stderr, "  ssh %s wsstack run --on %s %s\n", file.Machines.Logins[i], m.Name, file.Name)
	}
	return usagef("%s is for %s", file.Name, counted(len(file.Machines.All), "machine")).
		withHint("start it on each of them with --on, as above")
}

// open joins the other machines of the network. ready is told of their hosts.
func (r *networkRun) open(ready func(host string)) (*machines.Session, error) {
	m := &r.file.Machines
	key, err := r.readKey()
	if err != nil {
		return nil, err
	}
	logger := r.flags.log.logger(r.stderr)
	r.file.Connect(key, logger)
	device, err := r.file.Control(key, logger)
	if err != nil {
		return nil, failf("%w", err)
	}
	told := "" // once, not with each note
	note := func(text string) {
		hint := silence(m.All, device.Peers())
		if hint != told {
			told, text = hint, text+hint
		}
		r.out.note("%s", printable(text))
	}
	s, err := machines.Open(machines.Config{
		Machines: m.Names(), Self: m.Self, Hosts: m.Hosts, Digest: r.file.Digest, Device: device,
		Ready: ready, Note: note,
	})
	if err != nil {
		_ = device.Close() // what counts is the failure before
		return nil, failf("%w", err)
	}
	return s, nil
}

// silence says what to look at where nothing has ever come from a machine: the first of them.
func silence(all []machines.Machine, peers []wg.PeerStatus) string {
	for _, p := range peers {
		i := slices.IndexFunc(all, func(m machines.Machine) bool { return m.PublicKey == p.PublicKey })
		if i >= 0 && p.LastHandshake.IsZero() {
			return fmt.Sprintf("; nothing has come from %s: does it run there, is UDP port %d of %s open, and is its key that of the file?",
				all[i].Name, all[i].Port, all[i].Host)
		}
	}
	return ""
}

// readKey reads the private key of this machine, and compares it with the file.
func (r *networkRun) readKey() (key wg.Key, err error) {
	m := r.file.Machines.All[r.file.Machines.Self]
	name := cmp.Or(r.flags.key, filepath.Join(filepath.Dir(r.file.Name), m.Name+".key"))
	file, err := os.Open(name)
	if err != nil {
		f := failf("read the key of machine %s: %w", m.Name, err)
		if errors.Is(err, fs.ErrNotExist) {
			f = f.withHint("if this is machine %s, name the file of its key with --key; or make one, and put what the second command prints "+
				"into the network file, on all machines, as its public-key: umask 077; wsstack wg genkey > %s; wsstack wg pubkey < %[2]s", m.Name, name)
		}
		return key, f
	}
	defer file.Close()
	if key, err = readKey(file); err != nil {
		return key, failf("%s has no key", name).withHint("name the file of one with --key, as %q prints it", "wsstack wg genkey")
	}
	warnOfReaders(r.stderr, file)
	if public := key.PublicKey(); public != m.PublicKey {
		return key, failf("the key in %s is not that of machine %s", name, m.Name).
			withHint("the network file, on all machines, should say public-key: %v; or name another file with --key", public)
	}
	return key, nil
}

// errEndedElsewhere is the cause of an end on this machine that another one wants.
var errEndedElsewhere = errors.New("another machine has ended the network")

// waitTogether waits for the end of the network on all machines, whichever ends it, and ends the
// commands of this one. When hurry is done it waits no more.
func (r *networkRun) waitTogether(ctx, hurry context.Context, t *testbed.Testbed, end context.CancelCauseFunc) error {
	waited := make(chan struct{})
	defer close(waited)
	go func() { // ends with waitTogether
		for begun := r.session.Begun(); ; {
			select {
			case <-begun:
				r.out.note("all %s are there", counted(len(r.file.Machines.All), "machine"))
				begun = nil
			case <-r.session.Ended():
				end(errEndedElsewhere)
				return
			case <-waited:
				return
			}
		}
	}()
	r.session.Begin()
	own, err := r.ending(ctx, t)
	wish := own
	wish.Text = fmt.Sprintf("%s (machine %s)", cmp.Or(own.Text, "the network has ended"), r.flags.on)
	ending := r.session.End(hurry, wish)
	switch {
	case ending == wish:
		r.noteEnding(own)
	case ending.Failed:
		err = &failure{status: ending.Status, text: printable(ending.Text), hint: printable(ending.Hint)}
	default:
		err = nil
		r.out.note("%s", printable(ending.Text))
	}
	t.Stop(hurry, stopGrace)
	r.session.Leave(hurry)
	if err != nil {
		return err
	}
	return exitStatus(ending.Status)
}
