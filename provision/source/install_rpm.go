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

// redHat installs packages by dnf, or yum where that is not there, in one transaction: the system's own by their names, and those of components
// as the verified file itself where one was fetched, with what else it needs from its repository and the system's own. The answer has the
// programs of the components, in their order.
func (i *Installer) redHat(ctx context.Context, m host.Machine, names []string, wanted []Need) (programs []Programs, err error) {
	manager := manager(ctx, m)
	var options, targets, own []string
	for _, w := range wanted {
		name, target, option, err := i.rpmTarget(ctx, m, w)
		if path.IsAbs(target) {
			defer func() { err = errors.Join(err, m.Remove(context.WithoutCancel(ctx), target)) }()
		}
		if err != nil {
			return nil, w.about(err)
		}
		own, options, targets = append(own, name), append(options, option...), append(targets, target)
	}
	all := slices.Concat(targets, names)
	for _, w := range wanted {
		all = append(all, w.Plan.ExtraPackages...)
	}
	options = distinct(options)
	if err := i.dnf(ctx, m, manager, "install", slices.Concat(options, distinct(all))...); err != nil {
		return nil, err
	}
	for n, w := range wanted {
		version, err := rpmInstalled(ctx, m, own[n])
		// A newer one may have been there, which an installation leaves alone.
		if want := w.Fetched.Locked.Version; err == nil && want != "" && version != want {
			version, err = i.downgrade(ctx, m, manager, own[n], want, append(slices.Clone(options), targets[n]))
		}
		var one Programs
		if err == nil {
			one, err = rpmPrograms(ctx, m, own[n], version)
		}
		if err == nil {
			err = mask(ctx, m, one.Units)
		}
		if err != nil {
			return nil, w.about(err)
		}
		programs = append(programs, one)
	}
	return programs, nil
}

// downgrade takes a package back to the version that is wanted.
func (i *Installer) downgrade(ctx context.Context, m host.Machine, manager, name, want string, args []string) (string, error) {
	if err := i.dnf(ctx, m, manager, "downgrade", args...); err != nil {
		return "", err
	}
	version, err := rpmInstalled(ctx, m, name)
	if err != nil || version != want {
		return version, errors.Join(err, fmt.Errorf("package %s is %s after the installation, not %s", name, version, want))
	}
	return version, nil
}

// rpmTarget is what dnf is to install, with its options, and the name of the package. The target is an absolute path where it was
// uploaded, also beside an error.
func (i *Installer) rpmTarget(ctx context.Context, m host.Machine, w Need) (name, target string, options []string, err error) {
	p, f := w.Plan, w.Fetched
	name, target = p.Package, p.Package
	if p.Version != "" {
		target += "-" + p.Version
	}
	if p.Kind == KindRPM || p.Yum != nil {
		if name = f.Inside.Package; name == "" {
			return "", "", nil, fmt.Errorf("%s is no RPM package", f.File)
		}
		if target, err = upload(ctx, m, f, ".rpm"); err != nil {
			return "", "", nil, err
		}
	}
	if p.Yum != nil && !i.Upload {
		if err := p.Yum.write(ctx, m, f); err != nil {
			return "", target, nil, err
		}
		options = []string{"--enablerepo=" + p.Yum.id()}
	}
	return name, target, options, nil
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
			return unmatched(out, err)
		}
	}
}

// noPackageError says that no repository of the host has a package.
type noPackageError struct {
	error
	names []string
}

// Unwrap returns what dnf said.
func (e *noPackageError) Unwrap() error { return e.error }

// Hint is the way to one.
func (e *noPackageError) Hint() string {
	hint := "no repository of the host has " + strings.Join(e.names, ", ") + ": switch one on that has it (`dnf repolist --all`)"
	if slices.Contains(e.names, "docker-distribution") {
		hint += ", or name a registry of your own in registry.address"
	}
	return hint
}

// unmatched finds the packages that dnf did not find.
func unmatched(out host.Output, err error) error {
	var names []string
	for line := range strings.Lines(out.Stdout + "\n" + out.Stderr) {
		if _, name, found := strings.Cut(line, "No match for argument: "); found {
			names = append(names, strings.TrimSpace(name))
		}
	}
	if len(names) == 0 {
		return err
	}
	return &noPackageError{err, distinct(names)}
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
