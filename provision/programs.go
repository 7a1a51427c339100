package provision

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/config"
)

// Programs are all programs of a cluster on this machine, with absolute paths. What was not found is empty.
type Programs struct {
	// Jomctl, Standin and Jomhome are the program itself and its two helpers, which lie beside it.
	Jomctl, Standin, Jomhome string

	ZooKeeper ZooKeeperProgram
	HAProxy   HAProxyProgram
	// Registry is docker-registry, which only hosts of their own have.
	Registry string
	Mesos    MesosPrograms
	Marathon MarathonProgram
	Jenkins  JenkinsProgram
}

// ZooKeeperProgram is a ZooKeeper installation. Version is empty where no file name tells it.
type ZooKeeperProgram struct {
	Version, Classpath string
	Java               Java
}

// HAProxyProgram is the edge's program.
type HAProxyProgram struct{ Path, Version string }

// MesosPrograms are the stand-ins, or the programs of one real Mesos.
type MesosPrograms struct {
	Standin       bool
	Version       string
	Master, Agent string
	// LauncherDir has mesos-containerizer and mesos-executor, where the tree has been moved or was only built.
	LauncherDir string
	// Library is the tree's libmesos.so. LibraryPath is its folder where the system would not find it.
	Library, LibraryPath string
	WebUI                string
}

// MarathonProgram is the stand-in, or a real Marathon's start script.
type MarathonProgram struct {
	Standin        bool
	Version, Start string
	Java           Java
	// Image, where set, is the image that has it, Start is its path in there, and Docker is the program that runs it.
	Image, Docker string
	// Library is the libmesos.so that it loads.
	Library string
}

// JenkinsProgram is the stand-in, or a real war with the Java that it runs on. A war that has to be fetched has no File
// and no Version yet.
type JenkinsProgram struct {
	Standin       bool
	Version, File string
	Java          Java
}

// Finding is one thing that keeps a machine from being used.
type Finding struct {
	Subject string // what it is about: a program, a port, a folder
	Problem string
	Fix     string // what the user can do, a command where possible
}

// String is the finding in one line.
func (f Finding) String() string {
	if f.Fix == "" {
		return f.Subject + ": " + f.Problem
	}
	return f.Subject + ": " + f.Problem + ": " + f.Fix
}

// FindPrograms finds the programs that cluster.yaml asks for on this machine, and says all that is missing or wrong.
// dir is the folder of jomctl and its helpers; empty means that of the running program.
func FindPrograms(ctx context.Context, c *config.Cluster, dir string) (Programs, []Finding) {
	f := finder{ctx: ctx, config: c}
	f.helpers(dir)
	var extra []string
	if c.Jenkins.Java != "" {
		extra = append(extra, c.Resolve(c.Jenkins.Java))
	}
	f.javas = FindJava(ctx, extra...)
	f.zookeeper()
	f.haproxy()
	f.mesos()
	f.marathon()
	f.jenkins()
	f.git()
	f.packages()
	return f.found, f.findings
}

type finder struct {
	ctx      context.Context
	config   *config.Cluster
	javas    []Java
	found    Programs
	findings []Finding
	missing  []string // Debian packages
	reasons  []string
}

func (f *finder) add(subject, problem, fix string) {
	f.findings = append(f.findings, Finding{Subject: subject, Problem: problem, Fix: fix})
}

// needPackage collects packages, so that one command installs them all.
func (f *finder) needPackage(name, reason string) {
	f.missing = append(f.missing, name)
	f.reasons = append(f.reasons, reason)
}

func (f *finder) packages() {
	if len(f.missing) > 0 {
		f.add("packages", strings.Join(f.reasons, ", "), "sudo apt-get install -y "+strings.Join(f.missing, " "))
	}
}

func (f *finder) helpers(dir string) {
	self, err := os.Executable()
	if err != nil {
		f.add("jomctl", fmt.Sprintf("cannot find itself: %v", err), "")
	}
	if dir == "" {
		dir = filepath.Dir(self)
	}
	f.found.Jomctl = self
	if path := filepath.Join(dir, "jomctl"); executable(path) {
		f.found.Jomctl = path
	}
	for name, to := range map[string]*string{"standin": &f.found.Standin, "jomhome": &f.found.Jomhome} {
		path := filepath.Join(dir, name)
		if !executable(path) {
			f.add(name, "there is no program "+path, "unpack the whole release, or run `make build`")
			continue
		}
		*to = path
	}
}

// zooKeeperJar is Debian's; its manifest names the jars it needs, but no logging library.
const (
	zooKeeperJar = "/usr/share/java/zookeeper.jar"
	slf4jSimple  = "/usr/share/java/slf4j-simple.jar"
)

func (f *finder) zookeeper() {
	f.zooKeeperJava()
	z := &f.found.ZooKeeper
	if path := f.config.Components.ZooKeeper.Source.Path; path != "" {
		dir := f.config.Resolve(path)
		jars, _ := filepath.Glob(filepath.Join(dir, "zookeeper*.jar"))
		inLib, _ := filepath.Glob(filepath.Join(dir, "lib", "zookeeper*.jar"))
		z.Version = jarVersion(append(jars, inLib...))
		if len(jars)+len(inLib) == 0 {
			f.add("zookeeper", "there is no zookeeper*.jar in "+dir+" or its lib", "set components.zookeeper.source.path to an unpacked ZooKeeper")
		}
		z.Classpath = dir + "/*:" + dir + "/lib/*"
		return
	}
	if !readable(zooKeeperJar) {
		f.needPackage("libzookeeper-java", "there is no ZooKeeper ("+zooKeeperJar+")")
		return
	}
	links, _ := filepath.Glob(filepath.Join(filepath.Dir(zooKeeperJar), "zookeeper-*.jar"))
	z.Classpath, z.Version = zooKeeperJar, jarVersion(links)
	if readable(slf4jSimple) {
		z.Classpath += ":" + slf4jSimple
	}
}

// oldestJava is the first Java that ZooKeeper 3.5 and newer run on; an older one ends at their first class.
const oldestJava = 8

// zooKeeperJava prefers a Java that ZooKeeper was made for, and takes a newer one where there is no other.
func (f *finder) zooKeeperJava() {
	java, ok := NewestJava(f.javas, []int{8, 11, 17, 21})
	if !ok {
		java, ok = NewestJava(f.javas, nil)
	}
	switch {
	case !ok:
		f.needPackage("default-jre-headless", "there is no Java")
	case java.Major < oldestJava:
		f.add("java", fmt.Sprintf("ZooKeeper runs on Java %d or newer, and the machine has %s", oldestJava, javaList(f.javas)),
			"sudo apt-get install -y default-jre-headless, or set JAVA_HOME to the folder of a newer Java")
	}
	f.found.ZooKeeper.Java = java
}

var zooKeeperVersion = regexp.MustCompile(`/zookeeper-(\d+\.\d+\.\d+[^/]*)\.jar$`)

func jarVersion(jars []string) string {
	for _, jar := range jars {
		if match := zooKeeperVersion.FindStringSubmatch(jar); match != nil {
			return match[1]
		}
	}
	return ""
}

func (f *finder) git() {
	if f.config.Jenkins.SCM == nil {
		return
	}
	if lookPath("git") == "" {
		f.needPackage("git", "there is no git, which jenkins.scm needs")
	}
	if f.config.Jenkins.SCM.Key != "" && lookPath("ssh") == "" {
		f.needPackage("openssh-client", "there is no ssh, which jenkins.scm needs")
	}
}

var haproxyVersion = regexp.MustCompile(`version (\d+)\.(\d+)\S*`)

func (f *finder) haproxy() {
	path := lookPath("haproxy")
	if path == "" {
		f.needPackage("haproxy", "there is no HAProxy")
		return
	}
	out, err := f.run(nil, path, "-v")
	match := haproxyVersion.FindStringSubmatch(out)
	if err != nil || match == nil {
		f.add("haproxy", fmt.Sprintf("%s -v does not tell its version: %v", path, err), "sudo apt-get install -y --reinstall haproxy")
		return
	}
	f.found.HAProxy = HAProxyProgram{Path: path, Version: strings.TrimPrefix(match[0], "version ")}
	if older(match[1]+"."+match[2], "2.2") {
		f.add("haproxy", path+" is "+match[0]+", but its checks are understood from 2.2 on", "install a newer HAProxy")
	}
}

// run runs a program that answers at once, in a clean environment.
func (f *finder) run(env map[string]string, argv ...string) (string, error) {
	ctx, cancel := context.WithTimeout(f.ctx, 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append([]string{"PATH=" + systemPath, "LANG=C.UTF-8"}, pairs(env, "=")...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), &versionError{program: argv[0], output: string(out), err: err}
	}
	return string(out), nil
}

// versionError is a program that does not tell its version.
type versionError struct {
	program, output string
	err             error
}

func (e *versionError) Error() string {
	line, _, _ := strings.Cut(strings.TrimSpace(e.output), "\n")
	if e.err == nil {
		return fmt.Sprintf("%s does not tell its version: %q", e.program, line)
	}
	return fmt.Sprintf("%s: %v: %s", e.program, e.err, line)
}

func (e *versionError) Unwrap() error { return e.err }
