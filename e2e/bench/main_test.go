// Package bench holds benchmarks of the whole program that have limits: each prints what was measured beside its limit, and fails where
// one is missed. They run with `make bench` alone, never as tests.
package bench

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// bin is the folder of the programs, built once.
var bin string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	if flag.Lookup("test.bench").Value.String() == "" {
		return m.Run() // tests need no programs
	}
	dir, err := os.MkdirTemp("", "jomctl-bench-bin-*")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if bin = os.Getenv("JOMCTL_BENCH_BIN"); bin == "" {
		bin = dir
		build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", dir+"/", "../../cmd/jomctl", "../../cmd/jomhome", "../../cmd/standin")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building the programs: %v\n%s", err, out)
			return 1
		}
	}
	return m.Run()
}

// table prints figures beside their limits and remembers what was missed.
type table struct{ missed []string }

// figure is a number that must not be above its limit.
func (t *table) figure(name string, value, limit float64, unit string) {
	word := "PASS"
	if value > limit {
		word = "MISS"
		t.missed = append(t.missed, name)
	}
	fmt.Printf("%-72s %9.2f %-2s limit %6.2f  %s\n", name, value, unit, limit, word)
}

// note is a number that explains others and has no limit.
func (t *table) note(name string, value float64, unit string) {
	fmt.Printf("%-72s %9.2f %s\n", name, value, unit)
}

// judge fails the benchmark where a limit was missed.
func (t *table) judge(b *testing.B) {
	b.Helper()
	for _, name := range t.missed {
		b.Errorf("missed: %s", name)
	}
}

func median(all []time.Duration) float64 {
	sorted := slices.Clone(all)
	slices.Sort(sorted)
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle].Seconds()
	}
	return (sorted[middle-1] + sorted[middle]).Seconds() / 2
}

// numbers are those of an environment variable, or what is given.
func numbers(b *testing.B, variable string, otherwise ...int) []int {
	b.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	var all []int
	for word := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 {
			b.Fatalf("%s=%s: %q is no number of 1 or more", variable, text, word)
		}
		all = append(all, n)
	}
	return all
}

// load is how busy the machine is.
func load() string {
	text, _ := os.ReadFile("/proc/loadavg")
	words := strings.Fields(string(text))
	return strings.Join(words[:min(len(words), 3)], " ")
}

// write makes a file.
func write(b *testing.B, path, text string) {
	b.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
}
