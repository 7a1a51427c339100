package provision

import (
	"archive/zip"
	"bufio"
	"bytes"
	"debug/elf"
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

// minimumMesos is what Mesos plugin 2.0 needs at the least.
const minimumMesos = "1.9"

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
	tree := mesosTree(f.config.Resolve(source.Path))
	m.Master, m.Agent = tree.program("mesos-master"), tree.program("mesos-agent")
	if m.Master == "" || m.Agent == "" {
		f.add("mesos", fmt.Sprintf("mesos-master and mesos-agent were not found in %s or in its bin, sbin, usr/bin, usr/sbin, src, build/src", tree),
			"set components.mesos.source.path to an unpacked package, an installation prefix or a built tree")
		return
	}
	m.LauncherDir = tree.first("mesos-containerizer", "libexec/mesos", "usr/libexec/mesos", "src", "build/src")
	if dir := tree.first("index.html", "share/mesos/webui", "usr/share/mesos/webui"); dir != "" {
		m.WebUI = dir
	}
	m.Library = tree.library()
	if dir := filepath.Dir(m.Library); m.Library != "" && !slices.Contains([]string{"/usr/lib", "/usr/local/lib", "/lib"}, dir) {
		m.LibraryPath = dir
	}
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
}

// onlyPath says whether the source is a folder of this machine, which is the only real kind on target local.
func (f *finder) onlyPath(component string, source config.Source) bool {
	if source.Path != "" {
		return true
	}
	f.add(component, "source "+source.Title()+" cannot be installed on target local", "use `standin`, or {path: DIR} with the programs")
	return false
}

// mesosTree is a folder in which a Mesos lies: a prefix, an unpacked package, or a built source tree.
type mesosTree string

func (t mesosTree) program(name string) string {
	// In a built tree the wrapper scripts come first, as only they know where the rest of the tree is.
	for _, rel := range []string{"sbin/" + name, "bin/" + name, "usr/sbin/" + name, "usr/bin/" + name, name,
		"bin/" + name + ".sh", "build/bin/" + name + ".sh", "src/" + name, "build/src/" + name} {
		if path := filepath.Join(string(t), rel); executable(path) {
			return path
		}
	}
	return ""
}

// first is the first of the folders that has the file.
func (t mesosTree) first(file string, folders ...string) string {
	for _, folder := range folders {
		if dir := filepath.Join(string(t), folder); readable(filepath.Join(dir, file)) {
			return dir
		}
	}
	return ""
}

func (t mesosTree) library() string {
	for _, folder := range []string{"lib", "lib64", "usr/lib", "usr/lib64", "usr/local/lib", "src/.libs", "build/src/.libs", "."} {
		dir := filepath.Join(string(t), folder)
		if path := filepath.Join(dir, "libmesos.so"); readable(path) {
			return path
		}
		// Without the link of a development package there is only libmesos-1.11.0.so or libmesos.so.1.11.0.
		for _, pattern := range []string{"libmesos-*.so", "libmesos.so.*"} {
			if found, _ := filepath.Glob(filepath.Join(dir, pattern)); len(found) > 0 {
				return found[0]
			}
		}
	}
	return ""
}

var marathonJar = regexp.MustCompile(`(?i)marathon[-_.](\d+\.\d+\.\d+)[^/]*\.jar$`)

func (f *finder) marathon() {
	source := f.config.Components.Marathon.Source
	m := &f.found.Marathon
	if m.Standin = source.Standin; m.Standin {
		return
	}
	if !f.onlyPath("marathon", source) {
		return
	}
	dir := f.config.Resolve(source.Path)
	for _, rel := range []string{"bin/marathon", "usr/share/marathon/bin/marathon", "marathon", "start"} {
		if path := filepath.Join(dir, rel); executable(path) && m.Start == "" {
			m.Start = path
		}
	}
	if m.Start == "" {
		f.add("marathon", "there is no program bin/marathon in "+dir, "set components.marathon.source.path to an unpacked Marathon")
		return
	}
	jars, _ := filepath.Glob(filepath.Join(filepath.Dir(m.Start), "..", "lib", "*.jar"))
	for _, jar := range jars {
		if match := marathonJar.FindStringSubmatch(jar); match != nil {
			m.Version = match[1]
		}
	}
	f.marathonJava()
	f.marathonLibrary()
}

// marathonJava picks the Java: Marathon 1.11 was made for 8 and has been seen to run on 17; of newer ones nothing is known.
func (f *finder) marathonJava() {
	java, ok := NewestJava(f.javas, []int{8, 11, 17})
	if !ok {
		f.add("marathon", "needs Java 8, 11 or 17, and the machine has "+javaList(f.javas), "sudo apt-get install -y openjdk-17-jre-headless")
	}
	f.found.Marathon.Java = java
}

func (f *finder) marathonLibrary() {
	mesos := f.found.Mesos
	switch {
	case mesos.Standin:
		f.add("marathon", "a real Marathon speaks to real masters only, through libmesos", "give components.mesos a source path too, or use `standin` for Marathon")
	case mesos.Library == "":
		f.add("marathon", "there is no libmesos.so in "+f.config.Resolve(f.config.Components.Mesos.Source.Path), "use a Mesos with its library")
	case !hasJNI(mesos.Library):
		f.add("marathon", mesos.Library+" was built without Java, so Marathon cannot load it", "use a Mesos built with Java (the Apache release, or AVENTER's packages before 0.4.0)")
	}
}

// hasJNI says whether the library has Java's native methods. One that cannot be parsed gets the benefit of the doubt.
func hasJNI(library string) bool {
	file, err := elf.Open(library)
	if err != nil {
		return true
	}
	defer file.Close()
	symbols, err := file.DynamicSymbols()
	if err != nil {
		return true
	}
	return slices.ContainsFunc(symbols, func(s elf.Symbol) bool { return strings.HasPrefix(s.Name, "Java_org_apache_mesos") })
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
	for scan := bufio.NewScanner(bytes.NewReader(data)); scan.Scan(); {
		if version, ok := strings.CutPrefix(scan.Text(), "Jenkins-Version: "); ok {
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
