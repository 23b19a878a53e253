//go:build !linux

package main

import "errors"

func tunUsable() error               { return errors.ErrUnsupported }
func probeTUN([]string) error        { return errors.ErrUnsupported }
func probeNamespace([]string) error  { return errors.ErrUnsupported }
func probeUp([]string) error         { return errors.ErrUnsupported }
func canMknod() bool                 { return false }
func probeCongestion([]string) error { return errors.ErrUnsupported }
