package source

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jomctl/jomctl/internal/host"
)

// Need is what one component needs on a host, and what was fetched for it.
type Need struct {
	Plan    Plan
	Fetched Fetched
	// named says that the caller names the component in every error.
	named bool
}

// about says which component an error is about.
func (w Need) about(err error) error {
	if w.named {
		return err
	}
	return fmt.Errorf("%s: %w", w.Plan.subject(), err)
}

// name is that of the package, as far as it is known, with its version.
func (w Need) name() string {
	name := w.Plan.Package
	if inside := w.Fetched.Inside.Package; inside != "" {
		name = inside
	}
	if version := w.Fetched.Locked.Version; version != "" {
		name += " " + version
	}
	return name
}

// System installs packages from the system's own sources, and in the same transaction those of the components which a host has not at all
// yet: by dnf or yum, or by apt-get. None of their services is started. Components that come in another way, or whose package is
// there in another version, are left to Install, which then finds the others done.
func (i *Installer) System(ctx context.Context, m host.Machine, redHat bool, names []string, with ...Need) error {
	wanted, err := i.absent(ctx, m, redHat, with)
	if err != nil {
		return err
	}
	if len(wanted) > 0 {
		var all []string
		for _, w := range wanted {
			all = append(all, w.name())
		}
		for _, name := range names {
			if !slices.ContainsFunc(wanted, func(w Need) bool { return w.Plan.Package == name }) {
				all = append(all, name)
			}
		}
		i.say(m, "installing %s", strings.Join(all, ", "))
	}
	var programs []Programs
	if redHat {
		programs, err = i.redHat(ctx, m, names, wanted)
	} else {
		programs, err = i.debian(ctx, m, nil, names, wanted)
	}
	if err != nil {
		return err
	}
	for n, w := range wanted {
		if err := i.record(ctx, m, w.Plan, w.Fetched, programs[n]); err != nil {
			return err
		}
	}
	return nil
}

// absent are those that come as packages of the host's kind, of which the host has no version: nothing that somebody holds is changed
// for them.
func (i *Installer) absent(ctx context.Context, m host.Machine, redHat bool, with []Need) ([]Need, error) {
	kinds := []Kind{KindApt, KindDeb}
	if redHat {
		kinds = []Kind{KindYum, KindRPM}
	}
	var wanted []Need
	for _, w := range with {
		name := w.Plan.Package
		if w.Fetched.File != "" && w.Fetched.Inside.Package != "" {
			name = w.Fetched.Inside.Package
		}
		if !slices.Contains(kinds, w.Plan.Kind) || name == "" {
			continue
		}
		there, err := onHost(ctx, m, redHat, name)
		if err != nil {
			return nil, err
		}
		if !there {
			wanted = append(wanted, w)
		}
	}
	return wanted, nil
}

// onHost says whether a package is on the host in any state, or held off it.
func onHost(ctx context.Context, m host.Machine, redHat bool, name string) (bool, error) {
	if redHat {
		version, err := rpmInstalled(ctx, m, name)
		return version != "", err
	}
	out, err := m.Run(ctx, "dpkg-query", "-W", "-f", "${db:Status-Abbrev}", name)
	switch {
	case err == nil:
		status := strings.TrimSpace(out.Stdout)
		return status != "un" && status != "pn", nil
	case out.Code == 1: // not known to dpkg
		return false, nil
	}
	return false, fmt.Errorf("%s: ask dpkg for %s: %w", m.Name(), name, err)
}
