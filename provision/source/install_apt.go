package source

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/jomctl/jomctl/internal/host"
)

const (
	keyringsFolder = "/etc/apt/keyrings"
	listsFolder    = "/etc/apt/sources.list.d"
)

// debian installs packages by apt-get in one transaction: the system's own by their names, and those of components from a repository or
// from an uploaded file. The answer has the programs of the components, in their order.
func (i *Installer) debian(ctx context.Context, m host.Machine, options, names []string, wanted []Need) (programs []Programs, err error) {
	done, err := i.forbidStarts(ctx, m)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, done()) }()
	if err := i.repair(ctx, m); err != nil {
		return nil, err
	}
	if err := i.repositories(ctx, m, wanted); err != nil {
		return nil, err
	}
	targets := slices.Clone(names)
	own := make([]string, len(wanted))
	for n, w := range wanted {
		name, target, err := i.target(ctx, m, w)
		if err != nil {
			return nil, w.about(err)
		}
		if path.IsAbs(target) {
			defer func() { err = errors.Join(err, m.Remove(context.WithoutCancel(ctx), target)) }()
		}
		own[n], targets = name, append(append(targets, target), w.Plan.ExtraPackages...)
	}
	if len(targets) == 0 {
		return nil, nil
	}
	if err := i.aptInstall(ctx, m, append(slices.Clone(options), distinct(targets)...)); err != nil {
		return nil, err
	}
	for n, w := range wanted {
		one, err := settle(ctx, m, w, own[n])
		if err != nil {
			return nil, w.about(err)
		}
		programs = append(programs, one)
	}
	return programs, nil
}

// distinct are the words in their order, each once.
func distinct(words []string) []string {
	var all []string
	for _, word := range words {
		if !slices.Contains(all, word) {
			all = append(all, word)
		}
	}
	return all
}

// settle looks at what a package has brought, and keeps it as it is: at its version, and its own services from being started.
func settle(ctx context.Context, m host.Machine, w Need, name string) (Programs, error) {
	programs, err := dpkgPrograms(ctx, m, name)
	if err != nil {
		return programs, err
	}
	if want := w.Fetched.Locked.Version; want != "" && programs.Version != want {
		return programs, fmt.Errorf("package %s is %s after the installation, not %s", name, programs.Version, want)
	}
	if w.Plan.Repository != nil || w.Plan.Kind == KindDeb {
		// An upgrade that nobody asked for would replace programs that run.
		if _, err := m.Run(ctx, "apt-mark", "hold", name); err != nil {
			return programs, fmt.Errorf("hold package %s at its version: %w", name, err)
		}
	}
	return programs, mask(ctx, m, programs.Units)
}

// uploaded says whether a Debian package comes as a file of this machine.
func (i *Installer) uploaded(w Need) bool {
	return w.Plan.Kind == KindDeb || i.Upload && w.Fetched.File != ""
}

// target is what apt-get is to install, and the name of the package.
func (i *Installer) target(ctx context.Context, m host.Machine, w Need) (name, target string, err error) {
	p, f := w.Plan, w.Fetched
	switch {
	case i.uploaded(w):
		if name = f.Inside.Package; name == "" {
			return "", "", fmt.Errorf("%s is no Debian package", f.File)
		}
		target, err = upload(ctx, m, f, ".deb")
		return name, target, err
	case p.Repository != nil:
		return p.Package, p.Package + "=" + f.Locked.Version, nil
	case p.Version != "":
		return p.Package, p.Package + "=" + p.Version, nil
	}
	return p.Package, p.Package, nil
}

// agrees refuses a package that is another one for the host than was verified on this machine.
func agrees(ctx context.Context, m host.Machine, w Need) error {
	p, want := w.Plan, w.Fetched.Locked
	out, err := m.Run(ctx, "apt-cache", "show", p.Package+"="+want.Version)
	if err != nil {
		return fmt.Errorf("the host sees no %s %s: %w", p.Package, want.Version, err)
	}
	if got := stanza(out.Stdout)["SHA256"]; got != want.SHA256 {
		return &MismatchError{p.Package + " " + want.Version + " as the host sees it", "sha256", want.SHA256, got}
	}
	return nil
}

func (i *Installer) aptInstall(ctx context.Context, m host.Machine, targets []string) error {
	args := append([]string{"install", "-y", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"}, targets...)
	out, err := i.apt(ctx, m, args...)
	if err == nil || !stale(out) {
		return err
	}
	i.say(m, "reading the package lists, which are missing or old")
	if _, err := i.apt(ctx, m, "update"); err != nil {
		return err
	}
	_, err = i.apt(ctx, m, args...)
	return err
}

// stale says that a package was not found, perhaps because the lists on the host are missing or old.
func stale(out host.Output) bool {
	return has(out, "have unmet dependencies", "Unable to locate package", "has no installation candidate", "Unable to fetch some archives", "was not found")
}

func has(out host.Output, texts ...string) bool {
	return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(out.Stderr+out.Stdout, text) })
}

// apt runs apt-get: it waits for another apt that holds a lock, and repairs an interrupted dpkg once.
func (i *Installer) apt(ctx context.Context, m host.Machine, args ...string) (host.Output, error) {
	argv := append([]string{"env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "apt-get", "-q"}, args...)
	repaired, said := false, false
	for try := 0; ; try++ {
		out, err := m.Run(ctx, argv...)
		switch {
		case err == nil:
			return out, nil
		case ctx.Err() != nil:
			return out, ctx.Err()
		case has(out, "Could not get lock", "Unable to lock", "Unable to acquire the dpkg frontend lock") && try < lockTries:
			if !said {
				i.say(m, "waiting for another package manager to end: %s", holder(out))
				said = true
			}
			if err := i.pause(ctx); err != nil {
				return out, err
			}
		case has(out, "dpkg was interrupted") && !repaired:
			repaired = true
			if err := i.configure(ctx, m); err != nil {
				return out, err
			}
		default:
			return out, err
		}
	}
}

// holder is the line that says who holds the lock.
func holder(out host.Output) string {
	for line := range strings.Lines(out.Stderr + out.Stdout) {
		if strings.Contains(line, "lock") {
			return strings.TrimPrefix(strings.TrimSpace(line), "E: ")
		}
	}
	return "(it does not say which)"
}

// repair ends what an interrupted installation left half done.
func (i *Installer) repair(ctx context.Context, m host.Machine) error {
	out, err := m.Run(ctx, "dpkg", "--audit")
	if err != nil {
		return fmt.Errorf("look for packages that are half installed: %w", err)
	}
	if strings.TrimSpace(out.Stdout) == "" {
		return nil
	}
	return i.configure(ctx, m)
}

func (i *Installer) configure(ctx context.Context, m host.Machine) error {
	i.say(m, "an earlier installation was interrupted: ending it by `dpkg --configure -a`")
	if _, err := m.Run(ctx, "env", "DEBIAN_FRONTEND=noninteractive", "dpkg", "--force-confdef", "--force-confold", "--configure", "-a"); err != nil {
		return fmt.Errorf("an earlier installation was interrupted and cannot be ended; see `dpkg --audit` on the host: %w", err)
	}
	return nil
}

// dpkgVersion is the version of a package that is installed as a whole, and empty for any other.
func dpkgVersion(ctx context.Context, m host.Machine, name string) (string, error) {
	out, err := m.Run(ctx, "dpkg-query", "-W", "-f", "${db:Status-Abbrev}\t${Version}", name)
	if err != nil {
		if out.Code == 1 { // not known to dpkg
			return "", nil
		}
		return "", fmt.Errorf("%s: ask dpkg for %s: %w", m.Name(), name, err)
	}
	status, version, _ := strings.Cut(out.Stdout, "\t")
	if status = strings.TrimSpace(status); status != "ii" && status != "hi" {
		return "", nil
	}
	return strings.TrimSpace(version), nil
}

func dpkgPrograms(ctx context.Context, m host.Machine, name string) (Programs, error) {
	version, err := dpkgVersion(ctx, m, name)
	if err != nil {
		return Programs{}, err
	}
	out, err := m.Run(ctx, "dpkg", "-L", name)
	if err != nil {
		return Programs{}, fmt.Errorf("list the files of %s: %w", name, err)
	}
	programs := Programs{Package: name, Version: version}
	programs.learn(strings.Split(strings.TrimSpace(out.Stdout), "\n"))
	if programs.Jar == "" && name == ZooKeeper {
		// Debian has the library in a package of its own, libzookeeper-java, on which this one depends.
		if _, err := m.Stat(ctx, debianZooKeeperJar); err == nil {
			programs.Jar = debianZooKeeperJar
		}
	}
	return programs, nil
}

const debianZooKeeperJar = "/usr/share/java/zookeeper.jar"
