package hosts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/provision"
)

// Kind is what a difference is about.
type Kind string

// The kinds of differences.
const (
	KindFile    Kind = "file"
	KindUnit    Kind = "unit"
	KindPackage Kind = "package"
	KindMask    Kind = "mask"
)

// Difference is one way in which a host is not as jomctl left it.
type Difference struct {
	Host string `json:"host"`
	Kind Kind   `json:"kind"`
	// Name is a path, a unit or a package.
	Name    string `json:"name"`
	Problem string `json:"problem"`
}

// String is the difference in one line.
func (d Difference) String() string {
	return fmt.Sprintf("%s: %s %s %s", d.Host, d.Kind, d.Name, d.Problem)
}

// Drift compares a host with its record, in order of kinds and names. It changes nothing. A host without a record has none.
func (k *Keeper) Drift(ctx context.Context, m host.Machine) ([]Difference, error) {
	record, err := k.Read(ctx, m)
	if err != nil {
		return nil, err
	}
	d := drift{machine: m, record: record}
	for _, look := range []func(context.Context) error{d.files, d.units, d.packages, d.masks} {
		if err := look(ctx); err != nil {
			return nil, err
		}
	}
	return d.found, nil
}

type drift struct {
	machine host.Machine
	record  *Record
	found   []Difference
}

func (d *drift) add(kind Kind, name, format string, args ...any) {
	d.found = append(d.found, Difference{Host: d.machine.Name(), Kind: kind, Name: name, Problem: fmt.Sprintf(format, args...)})
}

func (d *drift) files(ctx context.Context) error {
	paths := slices.Sorted(maps.Keys(d.record.Files))
	have, err := marks(ctx, d.machine, paths)
	if err != nil {
		return err
	}
	for _, path := range paths {
		was := d.record.Files[path]
		switch now, there := have[path]; {
		case !there:
			d.add(KindFile, path, "is gone")
		case now.SHA256 != was.SHA256:
			d.add(KindFile, path, "was changed")
		case now.Mode != was.Mode:
			d.add(KindFile, path, "has mode %s and was written with %s", now.Mode, was.Mode)
		}
	}
	return nil
}

func (d *drift) units(ctx context.Context) error {
	if len(d.record.Units) == 0 {
		return nil
	}
	list, err := d.machine.Units().List(ctx)
	if err != nil {
		return fmt.Errorf("list the units of host %s: %w", d.machine.Name(), err)
	}
	now := map[string]host.Status{}
	for _, status := range list {
		now[status.Name] = status
	}
	for _, name := range slices.Sorted(maps.Keys(d.record.Units)) {
		status, there := now[name]
		switch {
		case !there:
			d.add(KindUnit, name, "is gone")
			continue
		case len(status.Drift) > 0:
			d.add(KindUnit, name, "was changed: %s", strings.Join(status.Drift, "; "))
		case status.Digest != d.record.Units[name]:
			d.add(KindUnit, name, "is another than what was written")
		}
		if !status.Active {
			d.add(KindUnit, name, "does not run")
		}
	}
	return nil
}

func (d *drift) packages(ctx context.Context) error {
	names := slices.Sorted(maps.Keys(d.record.Packages))
	have, err := versions(ctx, d.machine, names, false)
	if errors.Is(err, fs.ErrNotExist) { // no dpkg
		have, err = versions(ctx, d.machine, names, true)
	}
	if err != nil {
		return err
	}
	for _, name := range names {
		switch now, was := have[name], d.record.Packages[name]; now {
		case was:
		case "":
			d.add(KindPackage, name, "is gone")
		default:
			d.add(KindPackage, name, "is %s and was %s", now, was)
		}
	}
	return nil
}

func (d *drift) masks(ctx context.Context) error {
	if len(d.record.Masked) == 0 {
		return nil
	}
	masked, err := maskedOf(ctx, d.machine, d.record.Masked)
	if err != nil {
		return err
	}
	for _, name := range d.record.Masked {
		if !masked[name] {
			d.add(KindMask, name, "can be started again")
		}
	}
	return nil
}

// Offered keeps what the machine had when its Mesos agent was first described, for Values.
func (k *Keeper) Offered(ctx context.Context, m host.Machine, v provision.HostValues) error {
	_, err := k.change(ctx, m, func(r *Record) { r.Offered = &v })
	return err
}

// Forget takes units and the files in a folder out of the record, as they are no longer on the host.
func (k *Keeper) Forget(ctx context.Context, m host.Machine, dir string, units ...string) error {
	_, err := k.change(ctx, m, func(r *Record) {
		maps.DeleteFunc(r.Files, func(path string, _ FileMark) bool { return strings.HasPrefix(path, dir+"/") })
		maps.DeleteFunc(r.Units, func(name, _ string) bool { return slices.Contains(units, name) })
	})
	return err
}
