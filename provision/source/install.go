package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/host"
)

// installRoot is where archives and stand-ins go on a host; packages know their own places.
const installRoot = "/opt/jomctl"

// Programs are what was found on a host after the installation. Paths are absolute; what is not there is empty.
type Programs struct {
	// Package and Version are those of the package; Version may be known for other kinds, too.
	Package string `json:"package,omitempty"`
	Version string `json:"version,omitempty"`
	Master  string `json:"master,omitempty"`
	Agent   string `json:"agent,omitempty"`
	// Marathon is its start script.
	Marathon string `json:"marathon,omitempty"`
	// Library is libmesos.so, LauncherDir the folder of mesos-containerizer, WebUI that of the master's pages.
	Library     string `json:"library,omitempty"`
	LauncherDir string `json:"launcherDir,omitempty"`
	WebUI       string `json:"webUI,omitempty"`
	// Jar is ZooKeeper's zookeeper.jar.
	Jar string `json:"jar,omitempty"`
	// Image is what the engine of the host runs: repository@digest, or the id of a loaded image. The paths above are inside it.
	Image string `json:"image,omitempty"`
	// Units are the package's own systemd units, which were masked.
	Units []string `json:"units,omitempty"`
}

// Installer brings programs to a host. Nothing that it installs is started.
type Installer struct {
	// Upload brings the fetched packages and images to the host, for hosts without internet; otherwise a host with a repository or a
	// registry fetches for itself. Files by URL are always uploaded.
	Upload bool
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
	text, err := m.ReadFile(ctx, receiptPath(m, p.Component))
	if errors.Is(err, fs.ErrNotExist) {
		return programs, "is not installed", nil
	}
	if err != nil {
		return programs, "", fmt.Errorf("%s: read what is installed: %w", m.Name(), err)
	}
	var was receipt
	if err := json.Unmarshal(text, &was); err != nil {
		return programs, "its record on the host is damaged", nil
	}
	want, err := i.stamp(p, f)
	if err != nil {
		return programs, "", err
	}
	if was.Stamp != want {
		return was.Programs, "something else is installed", nil
	}
	why, err = i.drift(ctx, m, p, was.Programs)
	return was.Programs, why, err
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
	if err := complete(p, programs); err != nil {
		return programs, true, fmt.Errorf("%s: %s: %w", m.Name(), p.subject(), err)
	}
	want, err := i.stamp(p, f)
	if err != nil {
		return programs, true, err
	}
	text, err := json.MarshalIndent(receipt{want, programs}, "", "  ")
	if err != nil {
		return programs, true, err
	}
	if _, err := m.WriteFile(ctx, receiptPath(m, p.Component), append(text, '\n'), 0o644); err != nil {
		return programs, true, fmt.Errorf("%s: record what was installed: %w", m.Name(), err)
	}
	return programs, true, nil
}

func (i *Installer) install(ctx context.Context, m host.Machine, p Plan, f Fetched) (Programs, error) {
	switch p.Kind {
	case KindApt, KindDeb:
		return i.debian(ctx, m, p, f)
	case KindRPM, KindYum:
		return i.redHat(ctx, m, p, f)
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

// complete says which program a component lacks.
func complete(p Plan, programs Programs) error {
	missing := func(what string) error {
		return fmt.Errorf("there is no %s in it; name a source of %s", what, p.Component)
	}
	switch {
	case p.Kind == KindImage:
		return nil
	case p.Component == Mesos && programs.Master == "":
		return missing("mesos-master")
	case p.Component == Mesos && programs.Agent == "":
		return missing("mesos-agent")
	case p.Component == Marathon && programs.Marathon == "":
		return missing("marathon")
	case p.Component == ZooKeeper && programs.Jar == "":
		return missing("zookeeper.jar")
	}
	return nil
}

// projectsJar is ZooKeeper's in the project's own archive; what it needs lies beside it.
var projectsJar = regexp.MustCompile(`/lib/zookeeper-\d[^/]*\.jar$`)

// learn takes programs from a list of the files of a package or folder.
func (r *Programs) learn(files []string) {
	take := func(to *string, file string) {
		if *to == "" {
			*to = file
		}
	}
	for _, file := range files {
		switch name := path.Base(file); {
		case name == "mesos-master" && !settings(file):
			take(&r.Master, file)
		case name == "mesos-agent" && !settings(file):
			r.Agent = file
		case name == "mesos-slave" && !settings(file): // its name until Mesos 1.0, kept by the vendor's packages
			take(&r.Agent, file)
		case name == "mesos-containerizer":
			take(&r.LauncherDir, path.Dir(file))
		case name == "libmesos.so":
			r.Library = file
		case strings.HasPrefix(name, "libmesos-") && strings.HasSuffix(name, ".so"):
			take(&r.Library, file)
		case name == "marathon" && strings.HasSuffix(path.Dir(file), "/bin"):
			take(&r.Marathon, file)
		case name == "index.html" && strings.HasSuffix(path.Dir(file), "mesos/webui"):
			take(&r.WebUI, path.Dir(file))
		case name == "zookeeper.jar" || projectsJar.MatchString(file):
			take(&r.Jar, file)
		case strings.HasSuffix(name, ".service") && strings.HasSuffix(path.Dir(file), "systemd/system"):
			r.Units = append(r.Units, name)
		}
	}
}

// settings says that a file is none of a package's programs, though it may be called like one: the vendor's packages have
// /etc/default/mesos-master and a folder /etc/mesos-master.
func settings(file string) bool {
	return slices.ContainsFunc([]string{"/etc/", "/var/", "/usr/share/"}, func(folder string) bool { return strings.HasPrefix(file, folder) })
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
