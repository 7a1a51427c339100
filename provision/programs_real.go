package provision

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/jomctl/jomctl/internal/config"
)

// minimumMesos is what Mesos plugin 2.0 needs at the least. From minimumMarathon on an instance keeps its id over restarts.
const (
	minimumMesos    = "1.9"
	minimumMarathon = "1.8"
)

var mesosVersion = regexp.MustCompile(`mesos (\d+\.\d+\.\d+\S*)`)

func (f *finder) mesos() {
	source := f.config.Components.Mesos.Source
	m := &f.found.Mesos
	if m.Standin = source.Standin; m.Standin {
		return
	}
	if !f.onlyPath("mesos", source) {
		return
	}
	tree := newMesosTree(f.config.Resolve(source.Path))
	m.Master, m.Agent = tree.program("mesos-master"), tree.program("mesos-agent")
	if m.Master == "" || m.Agent == "" {
		f.add("mesos", fmt.Sprintf("mesos-master and mesos-agent were not found in %s or in its bin, sbin, usr/bin, usr/sbin, src, build/src", tree),
			"set components.mesos.source.path to an unpacked package, an installation prefix or a built tree")
		return
	}
	m.LauncherDir = tree.launcherDir()
	m.WebUI = tree.webUI()
	if libraries := tree.libraries(); len(libraries) > 0 {
		m.Library = libraries[0]
	}
	m.LibraryPath = searchPath(m.Library)
	env := map[string]string{}
	if m.LibraryPath != "" {
		env["LD_LIBRARY_PATH"] = m.LibraryPath
	}
	for _, program := range []string{m.Master, m.Agent} {
		out, err := f.run(env, program, "--version")
		match := mesosVersion.FindStringSubmatch(out)
		switch {
		case err != nil:
			f.add("mesos", err.Error(), "run it by hand; `ldd` shows libraries that are missing")
		case match == nil:
			f.add("mesos", program+" --version does not tell a version", "set components.mesos.source.path to a real Mesos, or use `standin`")
		case older(match[1], minimumMesos):
			f.add("mesos", program+" is "+match[1]+", but the Mesos plugin of Jenkins needs "+minimumMesos+" or newer", "install Mesos 1.11")
		default:
			m.Version = match[1]
		}
	}
	if m.Version != "" && m.LauncherDir == "" {
		f.launcherDir(tree, env)
	}
	if f.config.Components.Mesos.Authentication && !crammd5("/") {
		f.needPackage("libsasl2-modules", "there is no CRAM-MD5 for SASL, which Mesos authenticates with")
	}
}

// launcherDir looks whether an agent of a tree without mesos-containerizer has it in the folder that it was built for. An
// agent starts without it, registers, and then fails every task.
func (f *finder) launcherDir(tree mesosTree, env map[string]string) {
	help, err := f.run(env, f.found.Mesos.Agent, "--help")
	if match := launcherDefault.FindStringSubmatch(help); err == nil && match != nil && executable(filepath.Join(match[1], launcher)) {
		return
	}
	f.add("mesos", launcher+", without which no task can start, was not found in "+tree.String()+" or in its libexec/mesos, bin, src, build/src",
		"give the whole tree: mesos-containerizer, mesos-executor and mesos-fetcher belong to the agent")
}

// onlyPath says whether the source is a folder of this machine, which is the only real kind on target local.
func (f *finder) onlyPath(component string, source config.Source) bool {
	if source.Path != "" {
		return true
	}
	f.add(component, "source "+source.Title()+" cannot be installed on target local", "use `standin`, or {path: DIR} with the programs")
	return false
}

func (f *finder) jenkins() {
	war := f.config.Jenkins.War
	j := &f.found.Jenkins
	if j.Standin = war == "standin" || (war == "" && f.config.Target == config.TargetLocal); j.Standin {
		return
	}
	if u, err := url.Parse(war); war != "" && (err != nil || u.Scheme == "") {
		j.File = f.config.Resolve(war)
		version, err := WarVersion(j.File)
		if err != nil {
			f.add("jenkins.war", err.Error(), "set jenkins.war to a jenkins.war that you may read, or to `standin`")
			return
		}
		j.Version = version
	}
	f.jenkinsJava()
	if dir := f.config.Resolve(f.config.Jenkins.Plugins); dir != "" {
		if _, err := os.ReadDir(dir); err != nil {
			f.add("jenkins.plugins", err.Error(), "set jenkins.plugins to a folder of *.hpi or *.jpi files")
		}
	}
}

func (f *finder) jenkinsJava() {
	j := &f.found.Jenkins
	allowed := JavaFor(j.Version)
	if home := f.config.Resolve(f.config.Jenkins.Java); home != "" {
		java, err := ReadJava(f.ctx, home)
		if err != nil {
			f.add("jenkins.java", err.Error(), "set jenkins.java to the folder that has bin/java")
			return
		}
		if len(allowed) > 0 && !slices.Contains(allowed, java.Major) {
			f.add("jenkins.java", fmt.Sprintf("%s is Java %s, but Jenkins %s runs on %s", home, java.Version, j.Version, majors(allowed)), "give another one, or none")
		}
		j.Java = java
		return
	}
	java, ok := NewestJava(f.javas, allowed)
	if !ok {
		if len(allowed) == 0 {
			return // that there is no Java at all is a finding already
		}
		want := allowed[len(allowed)-1:]
		f.add("java", fmt.Sprintf("Jenkins %s runs on %s, and the machine has %s", j.Version, majors(allowed), javaList(f.javas)),
			fmt.Sprintf("sudo apt-get install -y openjdk-%d-jre-headless where Debian has it, else unpack a Temurin %s into /opt, or set jenkins.java", want[0], majors(want)))
	}
	j.Java = java
}

func majors(list []int) string {
	var words []string
	for _, major := range list {
		words = append(words, strconv.Itoa(major))
	}
	return "Java " + strings.Join(words, " or ")
}

func javaList(javas []Java) string {
	if len(javas) == 0 {
		return "none"
	}
	var words []string
	for _, j := range javas {
		words = append(words, j.Version+" ("+j.Home+")")
	}
	return strings.Join(words, ", ")
}

// WarVersion reads the version of a jenkins.war from its manifest.
func WarVersion(path string) (string, error) {
	war, err := zip.OpenReader(path)
	if err != nil {
		return "", fmt.Errorf("open %s: %w", path, withoutPath(err))
	}
	defer war.Close()
	manifest, err := war.Open("META-INF/MANIFEST.MF")
	if err != nil {
		return "", fmt.Errorf("open %s: no manifest: %w", path, err)
	}
	defer manifest.Close()
	data, err := io.ReadAll(io.LimitReader(manifest, 1<<20))
	if err != nil {
		return "", fmt.Errorf("read the manifest of %s: %w", path, err)
	}
	// A line goes on in the next one after one blank: the version of a war that somebody has built is longer than a line.
	text := strings.NewReplacer("\r\n ", "", "\n ", "", "\r\n", "\n").Replace(string(data))
	for line := range strings.Lines(text) {
		if version, ok := strings.CutPrefix(line, "Jenkins-Version: "); ok {
			return strings.TrimSpace(version), nil
		}
	}
	return "", fmt.Errorf("%s is not a jenkins.war: its manifest has no Jenkins-Version", path)
}

func withoutPath(err error) error {
	var pathError *os.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}

// older says whether version a (1.11.0-rc1) is older than b (1.9); only numbers count.
func older(a, b string) bool {
	numbers := func(s string) []int {
		var all []int
		for _, part := range strings.FieldsFunc(s, func(r rune) bool { return r < '0' || r > '9' }) {
			n, _ := strconv.Atoi(part)
			all = append(all, n)
		}
		return all
	}
	return slices.Compare(numbers(a), numbers(b)) < 0
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

func regular(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func readable(path string) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	_ = file.Close()
	return true
}

// lookPath also looks where a user's PATH often does not.
func lookPath(name string) string {
	if path, err := exec.LookPath(name); err == nil && filepath.IsAbs(path) {
		return path
	}
	for _, dir := range filepath.SplitList(systemPath) {
		if path := filepath.Join(dir, name); executable(path) {
			return path
		}
	}
	return ""
}
