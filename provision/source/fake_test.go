package source

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/jomctl/jomctl/internal/host"
)

// fakeHost is a host in memory: files, and commands that act on them as dpkg, apt-get, rpm, dnf, tar, docker and systemctl do.
type fakeHost struct {
	files map[string]string
	modes map[string]fs.FileMode
	// packages are what the repositories have: name=version to the paths of its files.
	packages map[string][]string
	sums     map[string]string
	// installed is name to version, status to the dpkg status where it is not ii.
	installed, status map[string]string
	masked, held      map[string]bool
	images            map[string]bool
	loads             string
	listsRead         bool
	interrupted       bool
	lockedFor         int
	// keepsNewer is what dnf install does: it leaves a newer package alone.
	keepsNewer bool
	ran        []string
	// policies are what was seen in policy-rc.d by apt-get install.
	policies []string
	// fail makes a command with this prefix fail.
	fail string
}

func newFakeHost() *fakeHost {
	return &fakeHost{files: map[string]string{}, modes: map[string]fs.FileMode{}, packages: map[string][]string{}, sums: map[string]string{},
		installed: map[string]string{}, status: map[string]string{}, masked: map[string]bool{}, held: map[string]bool{}, images: map[string]bool{}, listsRead: true}
}

func (h *fakeHost) Name() string      { return "m1" }
func (h *fakeHost) Address() string   { return "192.0.2.1" }
func (h *fakeHost) Dir() string       { return "/var/lib/jomctl" }
func (h *fakeHost) Units() host.Units { return nil }

func (h *fakeHost) ReadFile(_ context.Context, p string) ([]byte, error) {
	text, ok := h.files[p]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return []byte(text), nil
}

func (h *fakeHost) WriteFile(_ context.Context, p string, data []byte, mode fs.FileMode) (bool, error) {
	if h.fail == "write "+p {
		return false, errors.New("no space left on device")
	}
	changed := h.files[p] != string(data) || h.modes[p] != mode
	h.files[p], h.modes[p] = string(data), mode
	return changed, nil
}

func (h *fakeHost) MkdirAll(context.Context, string, fs.FileMode) error { return nil }

func (h *fakeHost) Remove(_ context.Context, p string) error {
	for name := range h.files {
		if name == p || strings.HasPrefix(name, p+"/") {
			delete(h.files, name)
		}
	}
	return nil
}

func (h *fakeHost) Stat(_ context.Context, p string) (host.Info, error) {
	text, ok := h.files[p]
	if !ok {
		return host.Info{}, fs.ErrNotExist
	}
	return host.Info{Mode: h.modes[p], Size: int64(len(text))}, nil
}

func (h *fakeHost) Run(_ context.Context, argv ...string) (host.Output, error) {
	for argv[0] == "env" || strings.Contains(argv[0], "=") {
		argv = argv[1:]
	}
	line := strings.Join(argv, " ")
	h.ran = append(h.ran, line)
	if h.fail != "" && strings.HasPrefix(line, h.fail) {
		return failed(1, "it fell over")
	}
	switch argv[0] {
	case "apt-get":
		return h.aptGet(argv[2:])
	case "apt-cache":
		name, version, _ := strings.Cut(argv[2], "=")
		return host.Output{Stdout: "Package: " + name + "\nVersion: " + version + "\nSHA256: " + h.sums[argv[2]] + "\n"}, nil
	case "apt-mark":
		h.held[argv[2]] = true
	case "dpkg":
		return h.dpkg(argv[1:])
	case "dpkg-query":
		name := argv[len(argv)-1]
		if h.installed[name] == "" {
			return failed(1, "no packages found matching "+name)
		}
		status := h.status[name]
		if status == "" {
			status = "ii "
		}
		return host.Output{Stdout: status + "\t" + h.installed[name]}, nil
	case "dnf", "yum":
		return h.dnf(argv[1:])
	case "rpm":
		return h.rpm(argv[1], argv[len(argv)-1])
	case "systemctl":
		return h.systemctl(argv[1], argv[len(argv)-1])
	case "docker":
		return h.docker(argv[1:])
	case "tar":
		return h.untar(argv[4], argv[6])
	case "mv":
		for name, text := range h.files {
			if rest, ok := strings.CutPrefix(name, argv[2]+"/"); ok {
				delete(h.files, name)
				h.files[argv[3]+"/"+rest] = text
			}
		}
	case "find":
		var found []string
		for name := range h.files {
			if strings.HasPrefix(name, argv[2]+"/") {
				found = append(found, name)
			}
		}
		return host.Output{Stdout: strings.Join(found, "\n")}, nil
	case "ln":
		h.files[argv[3]] = "-> " + argv[2]
	case "uname":
		return host.Output{Stdout: "x86_64\n"}, nil
	case "java":
		return host.Output{Stderr: "openjdk version \"17.0.12\" 2024-07-16\n"}, nil
	default:
		return failed(127, argv[0]+": not found")
	}
	return host.Output{}, nil
}

func failed(code int, text string) (host.Output, error) {
	return host.Output{Code: code, Stderr: text}, fmt.Errorf("exit status %d: %s", code, text)
}

func (h *fakeHost) aptGet(args []string) (host.Output, error) {
	if h.lockedFor > 0 {
		h.lockedFor--
		return failed(100, "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 812 (unattended-upgr)\nE: Unable to acquire the dpkg frontend lock")
	}
	if h.interrupted {
		return failed(100, "E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem.")
	}
	if args[0] == "update" {
		h.listsRead = true
		return host.Output{}, nil
	}
	h.policies = append(h.policies, h.files[policyPath])
	for skip, target := range args[1:] {
		if strings.HasPrefix(target, "-") || args[skip] == "-o" {
			continue
		}
		if err := h.installOne(target); err != nil {
			return failed(100, err.Error())
		}
	}
	return host.Output{}, nil
}

func (h *fakeHost) installOne(target string) error {
	if path.IsAbs(target) {
		if _, ok := h.files[target]; !ok {
			return errors.New("E: Unsupported file " + target)
		}
		target = "mesos=1.11.0-2"
	}
	for have, files := range h.packages {
		name, version, _ := strings.Cut(have, "=")
		if !h.listsRead || have != target && name != target {
			continue
		}
		h.installed[name] = version
		delete(h.status, name)
		for _, file := range files {
			h.files[file] = "program"
		}
		return nil
	}
	return errors.New("E: Unable to locate package " + target)
}

func (h *fakeHost) dpkg(args []string) (host.Output, error) {
	switch {
	case args[0] == "--audit" && h.interrupted:
		return host.Output{Stdout: "The following packages are only half configured\n mesos\n"}, nil
	case args[0] == "-L":
		return host.Output{Stdout: "/.\n" + strings.Join(h.packages[args[1]+"="+h.installed[args[1]]], "\n") + "\n"}, nil
	case args[len(args)-1] == "-a":
		h.interrupted = false
	}
	return host.Output{}, nil
}

func (h *fakeHost) dnf(args []string) (host.Output, error) {
	if args[0] == "--version" {
		return host.Output{Stdout: "4.14.0\n"}, nil
	}
	if h.lockedFor > 0 {
		h.lockedFor--
		return failed(1, "error: can't create transaction lock on /var/lib/rpm/.rpm.lock (Resource temporarily unavailable)")
	}
	if h.keepsNewer && args[2] == "install" {
		return host.Output{Stdout: "Nothing to do.\n"}, nil
	}
	for _, target := range args[3:] {
		if strings.HasPrefix(target, "-") {
			continue
		}
		if path.IsAbs(target) {
			if _, ok := h.files[target]; !ok {
				return failed(1, "Can not load RPM file: "+target)
			}
			target = "mesos=1.11.1-2.el8"
		}
		if err := h.installOne(target); err != nil {
			return failed(1, "No match for argument: "+target+"\nError: Unable to find a match: "+target)
		}
	}
	return host.Output{}, nil
}

func (h *fakeHost) rpm(verb, name string) (host.Output, error) {
	version, release, _ := strings.Cut(h.installed[name], "-")
	switch {
	case version == "":
		return failed(1, "package "+name+" is not installed")
	case verb == "-ql":
		return host.Output{Stdout: strings.Join(h.packages[name+"="+h.installed[name]], "\n") + "\n"}, nil
	}
	return host.Output{Stdout: "(none)\t" + version + "\t" + release + "\n"}, nil
}

func (h *fakeHost) systemctl(verb, unit string) (host.Output, error) {
	switch verb {
	case "mask":
		h.masked[unit] = true
	case "is-enabled":
		if h.masked[unit] {
			out, err := failed(1, "")
			out.Stdout = "masked\n"
			return out, err
		}
		return host.Output{Stdout: "enabled\n"}, nil
	}
	return host.Output{}, nil
}

func (h *fakeHost) docker(args []string) (host.Output, error) {
	image := args[len(args)-1]
	switch {
	case args[0] == "pull":
		h.images[image] = true
	case args[0] == "load":
		h.images[h.loads] = true
	case !h.images[image]:
		return failed(1, "No such image: "+image)
	}
	return host.Output{}, nil
}

func (h *fakeHost) untar(dir, file string) (host.Output, error) {
	r, err := decompress(strings.NewReader(h.files[file]))
	if err != nil {
		return failed(2, err.Error())
	}
	archive := tar.NewReader(r)
	for {
		header, err := archive.Next()
		if err != nil {
			return host.Output{}, nil
		}
		var text bytes.Buffer
		_, _ = text.ReadFrom(archive)
		h.files[path.Join(dir, header.Name)] = text.String()
	}
}

// count says how many commands with a prefix were run.
func (h *fakeHost) count(prefix string) int {
	n := 0
	for _, line := range h.ran {
		if strings.HasPrefix(line, prefix) {
			n++
		}
	}
	return n
}
