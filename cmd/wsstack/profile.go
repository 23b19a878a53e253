package main

import (
	"errors"
	"strings"

	"github.com/wsstack/wsstack/internal/conform"
	"github.com/wsstack/wsstack/options"
)

// profileNames is how texts for people list the profiles.
const profileNames = "documented, windows or legacy"

// parseProfile reads the name of a profile, in upper or lower case.
func parseProfile(name string) (options.Profile, error) {
	for _, p := range conform.Profiles() {
		if strings.EqualFold(p.String(), name) {
			return p, nil
		}
	}
	return 0, errors.New("not a profile: " + profileNames)
}
