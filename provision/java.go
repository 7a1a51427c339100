package provision

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Java is one Java installation of this machine.
type Java struct {
	Home    string // the folder that has bin/java
	Version string // as `java -version` says it: 17.0.15
	Major   int    // 8, 11, 17, ...
}

// Program is the absolute path of its java.
func (j Java) Program() string { return filepath.Join(j.Home, "bin", "java") }

// JavaFor is the table of the Java versions (8, 11, ...) that a Jenkins core runs on, controller and build agents alike.
// It is nil for a core that is unknown or older than the table.
func JavaFor(core string) []int {
	// Each row holds from this weekly release on; an LTS release a.b.c branches from a.b.
	rows := []struct {
		minor int
		java  []int
	}{
		{545, []int{21, 25}},
		{534, []int{17, 21, 25}},
		{463, []int{17, 21}},
		{419, []int{11, 17, 21}},
		{357, []int{11, 17}},
		{340, []int{8, 11, 17}},
		{164, []int{8, 11}},
		{54, []int{8}},
	}
	parts := strings.Split(core, ".")
	if len(parts) < 2 || parts[0] != "2" {
		return nil
	}
	minor, err := strconv.Atoi(parts[1])
	if err != nil {
		return nil
	}
	for _, row := range rows {
		if minor >= row.minor {
			return slices.Clone(row.java)
		}
	}
	return nil
}

// NewestJava is the newest of the installed Javas whose major version is allowed; all are where allowed is empty.
func NewestJava(installed []Java, allowed []int) (Java, bool) {
	for _, j := range installed {
		if len(allowed) == 0 || slices.Contains(allowed, j.Major) {
			return j, true
		}
	}
	return Java{}, false
}

// FindJava finds the Java installations of this machine, newest first: JAVA_HOME, PATH, and the usual folders. Folders
// that are given are looked at besides.
func FindJava(ctx context.Context, folders ...string) []Java {
	candidates := append([]string{}, folders...)
	if home := os.Getenv("JAVA_HOME"); home != "" {
		candidates = append(candidates, home)
	}
	if path, err := exec.LookPath("java"); err == nil {
		candidates = append(candidates, filepath.Dir(filepath.Dir(path)))
	}
	user, _ := os.UserHomeDir()
	for _, pattern := range []string{"/usr/lib/jvm/*", user + "/.sdkman/candidates/java/*", user + "/.jdks/*",
		"/opt/*java*", "/opt/*jdk*", "/opt/*jre*", "/opt/java/*"} {
		found, _ := filepath.Glob(pattern)
		candidates = append(candidates, found...)
	}
	var all []Java
	for _, j := range readJavas(ctx, candidates) {
		if j.Major > 0 {
			all = append(all, j)
		}
	}
	slices.SortStableFunc(all, func(a, b Java) int {
		if a.Major != b.Major {
			return b.Major - a.Major
		}
		return strings.Compare(b.Version, a.Version)
	})
	return all
}

// readJavas asks all installations at the same time, as each takes a moment; what does not answer has no major version.
func readJavas(ctx context.Context, candidates []string) []Java {
	var homes []string
	for _, home := range candidates {
		real, err := filepath.EvalSymlinks(filepath.Join(home, "bin", "java"))
		if err != nil {
			continue
		}
		if home = filepath.Dir(filepath.Dir(real)); !slices.Contains(homes, home) {
			homes = append(homes, home)
		}
	}
	all := make([]Java, len(homes))
	var wait sync.WaitGroup
	for i, home := range homes {
		wait.Go(func() {
			if j, err := ReadJava(ctx, home); err == nil {
				all[i] = j
			}
		})
	}
	wait.Wait()
	return all
}

var javaVersion = regexp.MustCompile(`version "([^"]+)"`)

// ReadJava asks the java of one installation for its version.
func ReadJava(ctx context.Context, home string) (Java, error) {
	j := Java{Home: home}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, j.Program(), "-version").CombinedOutput()
	if err != nil {
		return j, &versionError{program: j.Program(), output: string(out), err: err}
	}
	match := javaVersion.FindSubmatch(out)
	if match == nil {
		return j, &versionError{program: j.Program(), output: string(out)}
	}
	j.Version = string(match[1])
	j.Major = majorOf(j.Version)
	return j, nil
}

// JavaMajor reads 8 from 1.8.0_292 and 17 from 17.0.15 or 17-ea; 0 where there is none.
func JavaMajor(version string) int { return majorOf(version) }

// majorOf reads 8 from 1.8.0_292 and 17 from 17.0.15 or 17-ea.
func majorOf(version string) int {
	numbers := strings.FieldsFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	if len(numbers) > 1 && numbers[0] == "1" {
		numbers = numbers[1:]
	}
	if len(numbers) == 0 {
		return 0
	}
	major, _ := strconv.Atoi(numbers[0])
	return major
}
