package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jomctl/jomctl/internal/host"
)

// InPlace says that an installation of the plan replaces the files of the version before, as packages do; archives and images have places of
// their own for every version.
func (p Plan) InPlace() bool {
	switch p.Kind {
	case KindArchive, KindImage, KindPath:
		return false
	}
	return true
}

// Fixed says that the plan names one file, package or image by its checksum or digest once it is locked, so that the same can be had again.
func (p Plan) Fixed() bool { return p.fetched() }

// Free says that the plan takes what the host's own system has, in whatever version: its upgrades are the system's.
func (p Plan) Free() bool {
	return (p.Kind == KindApt && p.Repository == nil || p.Kind == KindYum && p.Yum == nil) && p.Version == ""
}

// had is how the record of a component on a host compares with a plan.
type had int

const (
	hadNone had = iota
	hadDamaged
	hadOther
	hadSame
)

func (i *Installer) had(ctx context.Context, m host.Machine, p Plan, f Fetched) (Programs, had, error) {
	text, err := m.ReadFile(ctx, receiptPath(m, p.Component))
	if errors.Is(err, fs.ErrNotExist) {
		return Programs{}, hadNone, nil
	}
	if err != nil {
		return Programs{}, hadNone, fmt.Errorf("%s: read what is installed: %w", m.Name(), err)
	}
	var was receipt
	if err := json.Unmarshal(text, &was); err != nil {
		return Programs{}, hadDamaged, nil //nolint:nilerr // a damaged record is none
	}
	want, err := i.stamp(p, f)
	if err != nil {
		return Programs{}, hadNone, err
	}
	if was.Stamp != want {
		return was.Programs, hadOther, nil
	}
	return was.Programs, hadSame, nil
}

// Had is what a host was last given for a component. same says that it is what the plan wants, as far as the host's record tells: whether it
// is still so is told by Probe. there is false where nothing was installed yet.
func (i *Installer) Had(ctx context.Context, m host.Machine, p Plan, f Fetched) (programs Programs, there, same bool, err error) {
	programs, state, err := i.had(ctx, m, p, f)
	return programs, state >= hadOther, state == hadSame, err
}

// Ahead brings to a host what the installation of a plan will need, as far as nothing that runs there notices: the package of a repository
// with what it depends on, verified against the lock, or the image. The other kinds come from this machine and need nothing.
func (i *Installer) Ahead(ctx context.Context, m host.Machine, p Plan, f Fetched) error {
	w := Need{Plan: p, Fetched: f}
	switch {
	case p.Kind == KindImage:
		_, err := i.image(ctx, m, p, f)
		return err
	case p.Kind != KindApt || i.uploaded(w):
		return nil
	}
	if err := i.repair(ctx, m); err != nil {
		return err
	}
	if err := i.repositories(ctx, m, []Need{w}); err != nil {
		return err
	}
	_, target, err := i.target(ctx, m, w)
	if err != nil {
		return err
	}
	return i.aptInstall(ctx, m, append([]string{"--download-only", "--allow-downgrades", "--allow-change-held-packages", target}, p.ExtraPackages...))
}

// kept are the programs of an archive that is unpacked as a whole already, which Reuse takes as it is.
func (i *Installer) kept(ctx context.Context, m host.Machine, p Plan, dir string) (Programs, bool) {
	if !i.Reuse {
		return Programs{}, false
	}
	if _, err := m.Stat(ctx, dir); err != nil {
		return Programs{}, false
	}
	programs, err := listed(ctx, m, dir)
	programs.Version, programs.Units = p.Version, nil
	return programs, err == nil && complete(p, programs) == nil
}
