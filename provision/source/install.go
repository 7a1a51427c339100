package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/host"
)

// installRoot is where archives and stand-ins go on a host; packages know their own places.
const installRoot = "/opt/jomctl"

// Installer brings programs to a host. Nothing that it installs is started.
type Installer struct {
	// Upload brings the fetched packages and images to the host, for hosts without internet; otherwise a host with a repository or a
	// registry fetches for itself. Files by URL are always uploaded.
	Upload bool
	// Reuse takes an archive that is unpacked and an image that is there as they are, so that programs which run from them are left alone.
	Reuse bool
	// Standin is this machine's path of the program standin, for the kind of that name.
	Standin string
	// Say gets what is going on; nil means nobody listens.
	Say func(text string)
	// Pause waits between two tries at a lock; nil means 5 s.
	Pause func(ctx context.Context) error
}

// receipt is what was installed for a component, kept on the host.
type receipt struct {
	// Stamp identifies what was wanted.
	Stamp    string   `json:"stamp"`
	Programs Programs `json:"programs"`
}

func receiptPath(m host.Machine, component string) string {
	return host.Path(m, "sources", component+".json")
}

// stamp identifies what a plan wants of a host.
func stamp(p Plan, f Fetched) string {
	version := f.Locked.Version
	if version == "" {
		version = p.Version
	}
	parts := []string{p.Component, string(p.Kind), version, p.Path, f.Locked.Image}
	if p.Kind == KindApt || p.Kind == KindYum { // what a file carries is told by its checksum
		parts = append(parts, p.Package)
	}
	if p.Kind != KindImage {
		parts = append(parts, f.Locked.SHA256)
	}
	return strings.Join(parts, "|")
}

// Probe looks whether a host has what the plan wants. Where it has not, why says so.
func (i *Installer) Probe(ctx context.Context, m host.Machine, p Plan, f Fetched) (programs Programs, why string, err error) {
	was, state, err := i.had(ctx, m, p, f)
	switch {
	case err != nil:
		return was, "", err
	case state == hadNone:
		return was, "is not installed", nil
	case state == hadDamaged:
		return was, "its record on the host is damaged", nil
	case state == hadOther:
		return was, "something else is installed", nil
	}
	why, err = i.drift(ctx, m, p, was)
	return was, why, err
}

// stamp is stamp with the checksum of the stand-in, which no lock knows.
func (i *Installer) stamp(p Plan, f Fetched) (string, error) {
	if p.Kind == KindStandin {
		sum, _, err := sumFile(i.Standin)
		if err != nil {
			return "", fmt.Errorf("read the stand-in: %w", err)
		}
		f.Locked.SHA256 = sum
	}
	return stamp(p, f), nil
}

// drift compares the host with what was once installed there.
func (i *Installer) drift(ctx context.Context, m host.Machine, p Plan, programs Programs) (string, error) {
	switch p.Kind {
	case KindApt, KindDeb:
		have, err := dpkgVersion(ctx, m, programs.Package)
		// Without a wanted version the system's own upgrades are welcome.
		if free := p.Kind == KindApt && p.Repository == nil && p.Version == ""; err == nil && free && have != "" {
			programs.Version = have
		}
		if err != nil || have != programs.Version {
			return fmt.Sprintf("package %s is %q, not %q", programs.Package, have, programs.Version), err
		}
	case KindRPM, KindYum:
		have, err := rpmInstalled(ctx, m, programs.Package)
		if free := p.Kind == KindYum && p.Yum == nil && p.Version == ""; err == nil && free && have != "" {
			programs.Version = have
		}
		if err != nil || have != programs.Version {
			return fmt.Sprintf("package %s is %q, not %q", programs.Package, have, programs.Version), err
		}
	case KindImage:
		if _, err := m.Run(ctx, "docker", "image", "inspect", "--format", "{{.Id}}", programs.Image); err != nil {
			return "image " + programs.Image + " is not there", nil
		}
		return "", nil
	}
	for _, file := range []string{programs.Master, programs.Agent, programs.Marathon, programs.Library, programs.Jar} {
		if file == "" {
			continue
		}
		if _, err := m.Stat(ctx, file); errors.Is(err, fs.ErrNotExist) {
			return file + " is gone", nil
		} else if err != nil {
			return "", err
		}
	}
	for _, unit := range programs.Units {
		if !masked(ctx, m, unit) {
			return unit + " is not masked", nil
		}
	}
	return "", nil
}

// Install brings a host to what the plan wants and says where the programs are. It does nothing on a host that has it already, and can be
// run again after an interruption at any point.
func (i *Installer) Install(ctx context.Context, m host.Machine, p Plan, f Fetched) (Programs, bool, error) {
	programs, why, err := i.Probe(ctx, m, p, f)
	if err != nil {
		return programs, false, err
	}
	if why == "" {
		return programs, false, nil
	}
	if programs, err = i.install(ctx, m, p, f); err != nil {
		return programs, true, fmt.Errorf("%s: install %s: %w", m.Name(), p.subject(), err)
	}
	return programs, true, i.record(ctx, m, p, f, programs)
}

// record keeps on the host what was installed for a component, if that is all that the component needs.
func (i *Installer) record(ctx context.Context, m host.Machine, p Plan, f Fetched, programs Programs) error {
	if err := complete(p, programs); err != nil {
		return fmt.Errorf("%s: %s: %w", m.Name(), p.subject(), err)
	}
	want, err := i.stamp(p, f)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(receipt{want, programs}, "", "  ")
	if err != nil {
		return err
	}
	if _, err := m.WriteFile(ctx, receiptPath(m, p.Component), append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("%s: record what was installed: %w", m.Name(), err)
	}
	return nil
}

func (i *Installer) install(ctx context.Context, m host.Machine, p Plan, f Fetched) (Programs, error) {
	switch p.Kind {
	case KindApt, KindDeb:
		return alone(i.debian(ctx, m, []string{"--allow-downgrades", "--allow-change-held-packages"}, nil, []Need{{p, f, true}}))
	case KindRPM, KindYum:
		return alone(i.redHat(ctx, m, nil, []Need{{p, f, true}}))
	case KindArchive:
		return i.archive(ctx, m, p, f)
	case KindImage:
		return i.image(ctx, m, p, f)
	case KindPath:
		return listed(ctx, m, p.Path)
	case KindStandin:
		return i.standin(ctx, m, p)
	}
	return Programs{}, fmt.Errorf("kind %q is not known", p.Kind)
}

// alone are the programs of one component, where there are any.
func alone(programs []Programs, err error) (Programs, error) {
	if err != nil || len(programs) == 0 {
		return Programs{}, err
	}
	return programs[0], nil
}

// mask keeps the package's own units from ever being started: jomctl runs the programs by its own.
func mask(ctx context.Context, m host.Machine, units []string) error {
	for _, unit := range units {
		if masked(ctx, m, unit) {
			continue
		}
		if _, err := m.Run(ctx, "systemctl", "disable", "--now", unit); err != nil {
			return fmt.Errorf("stop and disable the package's own %s: %w", unit, err)
		}
		if _, err := m.Run(ctx, "systemctl", "mask", unit); err != nil {
			return fmt.Errorf("mask the package's own %s: %w", unit, err)
		}
	}
	return nil
}

func masked(ctx context.Context, m host.Machine, unit string) bool {
	out, _ := m.Run(ctx, "systemctl", "is-enabled", unit) // fails for masked units, which is what is asked
	return strings.TrimSpace(out.Stdout) == "masked"
}

func (i *Installer) say(m host.Machine, format string, args ...any) {
	if i.Say != nil {
		i.Say(m.Name() + ": " + fmt.Sprintf(format, args...))
	}
}

func (i *Installer) pause(ctx context.Context) error {
	if i.Pause != nil {
		return i.Pause(ctx)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(5 * time.Second):
		return nil
	}
}

// upload puts a fetched file on the host, where the caller removes it.
func upload(ctx context.Context, m host.Machine, f Fetched, suffix string) (string, error) {
	if f.File == "" {
		return "", errors.New("nothing was fetched for it")
	}
	sum, _, err := sumFile(f.File)
	if err != nil {
		return "", err
	}
	if sum != f.Locked.SHA256 {
		return "", &MismatchError{f.File, "sha256", f.Locked.SHA256, sum}
	}
	data, err := os.ReadFile(f.File)
	if err != nil {
		return "", err
	}
	at := path.Join(installRoot, "incoming", f.Locked.SHA256+suffix)
	if _, err := m.WriteFile(ctx, at, data, 0o644); err != nil {
		return "", fmt.Errorf("upload %s: %w", f.Locked.URL, err)
	}
	return at, nil
}
