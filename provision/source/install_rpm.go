package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/jomctl/jomctl/internal/host"
)

const (
	yumFolder     = "/etc/yum.repos.d"
	rpmKeysFolder = "/etc/pki/rpm-gpg"
)

// id is the repository's name on a host, and that of its files.
func (r *YumRepository) id() string {
	at := "repository"
	if u, err := url.Parse(r.URL); err == nil && u.Hostname() != "" {
		at = strings.ReplaceAll(u.Hostname(), ":", "-")
	}
	sum := sha256.Sum256([]byte(r.URL))
	return RepositoryPrefix + at + "-" + hex.EncodeToString(sum[:4])
}

// file is the text of the repository's file on a host. The repository is switched off, so that no upgrade of the system takes anything
// from it: jomctl switches it on for its own installations. What it verifies there is what was seen to be signed.
func (r *YumRepository) file(signed string) string {
	check := func(what string) string {
		if strings.Contains(signed, what) {
			return "1"
		}
		return "0"
	}
	return "# Written by jomctl.\n[" + r.id() + "]\nname=" + r.id() + "\nbaseurl=" + r.URL + "/\nenabled=0\nskip_if_unavailable=1\ngpgcheck=" + check(signedPackage) +
		"\nrepo_gpgcheck=" + check(signedIndex) + "\ngpgkey=file://" + r.key() + "\n"
}

func (r *YumRepository) key() string { return path.Join(rpmKeysFolder, r.id()+".asc") }

// redHat installs a package by dnf, or yum where that is not there: the verified file itself where one was fetched, with what else it needs from
// its repository and the system's own.
func (i *Installer) redHat(ctx context.Context, m host.Machine, p Plan, f Fetched) (programs Programs, err error) {
	manager := manager(ctx, m)
	name, target := p.Package, p.Package
	if p.Version != "" {
		target += "-" + p.Version
	}
	var options []string
	if p.Kind == KindRPM || p.Yum != nil {
		if target, err = upload(ctx, m, f, ".rpm"); err != nil {
			return programs, err
		}
		defer func() { err = errors.Join(err, m.Remove(context.WithoutCancel(ctx), target)) }()
		if name = f.Inside.Package; name == "" {
			return programs, fmt.Errorf("%s is no RPM package", f.File)
		}
	}
	if p.Yum != nil && !i.Upload {
		if err := p.Yum.write(ctx, m, f); err != nil {
			return programs, err
		}
		options = []string{"--enablerepo=" + p.Yum.id()}
	}
	if err := i.dnf(ctx, m, manager, "install", append(append(options, target), p.ExtraPackages...)...); err != nil {
		return programs, err
	}
	version, err := rpmInstalled(ctx, m, name)
	if err != nil {
		return programs, err
	}
	if want := f.Locked.Version; want != "" && version != want {
		// A newer one was there, which an installation leaves alone.
		if err := i.dnf(ctx, m, manager, "downgrade", append(options, target)...); err != nil {
			return programs, err
		}
		if version, err = rpmInstalled(ctx, m, name); err != nil || version != want {
			return programs, errors.Join(err, fmt.Errorf("package %s is %s after the installation, not %s", name, version, want))
		}
	}
	programs, err = rpmPrograms(ctx, m, name, version)
	if err != nil {
		return programs, err
	}
	return programs, mask(ctx, m, programs.Units)
}

// manager is dnf, or yum on systems that have no dnf.
func manager(ctx context.Context, m host.Machine) string {
	if _, err := host.Ask(ctx, m, "dnf", "--version"); err != nil {
		return "yum"
	}
	return "dnf"
}

// write puts key and file of the repository on a host.
func (r *YumRepository) write(ctx context.Context, m host.Machine, f Fetched) error {
	if f.Key == nil || f.Locked.Signed == "" {
		return errors.New("its repository was not verified before")
	}
	if _, err := m.WriteFile(ctx, r.key(), f.Key, 0o644); err != nil {
		return fmt.Errorf("write the repository's key: %w", err)
	}
	if _, err := m.WriteFile(ctx, path.Join(yumFolder, r.id()+".repo"), []byte(r.file(f.Locked.Signed)), 0o644); err != nil {
		return fmt.Errorf("write the repository's file: %w", err)
	}
	return nil
}

// dnf runs dnf or yum, which wait for each other by themselves; a bare rpm that is at work is waited for here.
func (i *Installer) dnf(ctx context.Context, m host.Machine, manager, verb string, args ...string) error {
	argv := slices.Concat([]string{"env", "LC_ALL=C", manager, "-y", "--setopt=install_weak_deps=0", verb}, args)
	for try := 0; ; try++ {
		out, err := m.Run(ctx, argv...)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case has(out, "can't create transaction lock") && try < lockTries:
			if try == 0 {
				i.say(m, "waiting for another package manager to end: %s", holder(out))
			}
			if err := i.pause(ctx); err != nil {
				return err
			}
		default:
			return err
		}
	}
}

// rpmInstalled is the version of an installed package, and empty where it is not.
func rpmInstalled(ctx context.Context, m host.Machine, name string) (string, error) {
	out, err := m.Run(ctx, "rpm", "-q", "--qf", "%{EPOCH}\t%{VERSION}\t%{RELEASE}\n", name)
	if err != nil {
		if out.Code == 1 { // not known to rpm
			return "", nil
		}
		return "", fmt.Errorf("%s: ask rpm for %s: %w", m.Name(), name, err)
	}
	line, _, _ := strings.Cut(out.Stdout, "\n")
	fields := strings.Split(line, "\t")
	if len(fields) != 3 {
		return "", fmt.Errorf("%s: ask rpm for %s: the answer is %.200q", m.Name(), name, out.Stdout)
	}
	return rpmVersion(fields[0], fields[1], fields[2]), nil
}

func rpmPrograms(ctx context.Context, m host.Machine, name, version string) (Programs, error) {
	out, err := m.Run(ctx, "rpm", "-ql", name)
	if err != nil {
		return Programs{}, fmt.Errorf("list the files of %s: %w", name, err)
	}
	programs := Programs{Package: name, Version: version}
	programs.learn(strings.Split(strings.TrimSpace(out.Stdout), "\n"))
	return programs, nil
}
