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
	cfg := machines.Control(m.All, m.Self, key)
	cfg.Logger = logger.With("tunnel", "control")
	device, err := wg.New(cfg)
	if err != nil {
		return nil, err
	}
	s, err := machines.Open(machines.Config{
		Machines: m.Names(), Self: m.Self, Hosts: m.Hosts, Digest: r.file.Digest, Device: device,
		Ready: ready, Note: func(text string) { r.out.note("%s", printable(text)) },
	})
	if err != nil {
		_ = device.Close() // what counts is the failure before
		return nil, failf("%w", err)
	}
	return s, nil
}

// readKey reads the private key of this machine, and compares it with the file.
func (r *networkRun) readKey() (key wg.Key, err error) {
	m := r.file.Machines.All[r.file.Machines.Self]
	name := cmp.Or(r.flags.key, filepath.Join(filepath.Dir(r.file.Name), m.Name+".key"))
	file, err := os.Open(name)
	if err != nil {
		f := failf("read the key of machine %s: %w", m.Name, err)
		if errors.Is(err, fs.ErrNotExist) {
			f = f.withHint("umask 077; wsstack wg genkey > %s; wsstack wg pubkey < %[1]s # is the public-key of the file", name)
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

// An endedElsewhere says that another machine has ended the network.
type endedElsewhere struct{}

func (endedElsewhere) Error() string { return "another machine has ended the network" }

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
				end(endedElsewhere{})
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
