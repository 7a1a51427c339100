package platform

import (
	"cmp"
	_ "embed" // the rules are data
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
)

//go:embed rules.yaml
var rulesText string

// Back is how far an old version can be put back.
type Back string

// The ways back.
const (
	// BackPatch is within one minor version, BackMajor within one major version.
	BackPatch Back = "patch"
	BackMajor Back = "major"
	// BackBackup is with the state of then, from a backup.
	BackBackup Back = "backup"
)

// Rule is what is known of the versions of one component.
type Rule struct {
	Name string `yaml:"name"`
	// Oldest is the oldest version, MAJOR.MINOR, that jomctl works with.
	Oldest string `yaml:"oldest"`
	// Step is how many minor versions an upgrade may go on at a time, 0 for any number.
	Step int `yaml:"step"`
	// Least is the version that must run before a minor version is gone to.
	Least map[string]string `yaml:"least"`
	Back  Back              `yaml:"back"`
	Why   string            `yaml:"why"`
	// Sources are the projects' own pages.
	Sources []string `yaml:"sources"`
}

// Rules are those of all components, by their names in cluster.yaml.
func Rules() (map[string]Rule, error) {
	rules := map[string]Rule{}
	if err := yaml.UnmarshalWithOptions([]byte(rulesText), &rules, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("reading the rules of versions: %w", err)
	}
	return rules, nil
}

// number is a version as the projects count: what packagers add to it does not count.
type number struct{ major, minor, patch int }

var versionForm = regexp.MustCompile(`^(?:\d+:)?v?(\d+)\.(\d+)(?:\.(\d+))?`)

// parse reads 1.11.0, 1.11.0-2.0.1.debian12 or 1:3.8.0-11+deb12u2.
func parse(version string) (number, bool) {
	match := versionForm.FindStringSubmatch(version)
	if match == nil {
		return number{}, false
	}
	var n number
	n.major, _ = strconv.Atoi(match[1])
	n.minor, _ = strconv.Atoi(match[2])
	n.patch, _ = strconv.Atoi(match[3])
	return n, true
}

// String is MAJOR.MINOR.PATCH.
func (n number) String() string { return fmt.Sprintf("%d.%d.%d", n.major, n.minor, n.patch) }

func (n number) series() string { return fmt.Sprintf("%d.%d", n.major, n.minor) }

func (n number) compare(other number) int {
	return cmp.Or(cmp.Compare(n.major, other.major), cmp.Compare(n.minor, other.minor), cmp.Compare(n.patch, other.patch))
}

// Same says that two versions are the same to the project, whatever packagers have added. What tells no version is the same as nothing.
func Same(a, b string) bool {
	left, okA := parse(a)
	right, okB := parse(b)
	return okA && okB && left == right
}

// Judge returns why a component cannot go from one version to another, or nil.
func Judge(component, from, to string) (*upgrade.Reason, error) {
	rules, err := Rules()
	if err != nil {
		return nil, err
	}
	rule, known := rules[component]
	if !known {
		return nil, fmt.Errorf("there are no rules for the versions of %s", component)
	}
	was, okWas := parse(from)
	is, okIs := parse(to)
	key := "components." + component + ".source"
	reason := func(problem, fix string) *upgrade.Reason {
		return &upgrade.Reason{Subject: key, Problem: problem, Fix: fix}
	}
	because := fmt.Sprintf("%s (%s)", rule.Why, strings.Join(rule.Sources, ", "))
	oldest, _ := parse(rule.Oldest)
	switch {
	case !okWas:
		return reason(fmt.Sprintf("the running %s does not tell its version (%q)", rule.Name, from), "see `jomctl status`"), nil
	case !okIs:
		return reason(fmt.Sprintf("the new %s does not tell its version (%q)", rule.Name, to), "name a source that does: a package, or an archive with its version in its name"), nil
	case is.compare(was) == 0:
		return nil, nil
	case is.compare(was) < 0:
		return reason(fmt.Sprintf("%s %s runs, and %s is older: going back to an older version is not supported", rule.Name, was, is),
			fmt.Sprintf("name %s %s or a newer one", rule.Name, was)), nil
	case is.major != was.major:
		return reason(fmt.Sprintf("%s %s cannot become %s: %s", rule.Name, was, is, because), fmt.Sprintf("name a version %d.x", was.major)), nil
	case is.compare(oldest) < 0:
		return reason(fmt.Sprintf("%s %s is too old: jomctl works with %s and newer", rule.Name, is, rule.Oldest), "name a newer one"), nil
	case rule.Step > 0 && is.minor-was.minor > rule.Step:
		next := number{was.major, was.minor + rule.Step, 0}
		return reason(fmt.Sprintf("%s cannot go from %s to %s at once: %s", rule.Name, was, is, because),
			fmt.Sprintf("name the newest %s.x first, run `jomctl %s`, and then go on to the next", next.series(), Verb)), nil
	}
	if least, ok := parse(rule.Least[is.series()]); ok && was.minor != is.minor && was.compare(least) < 0 {
		return reason(fmt.Sprintf("%s %s cannot become %s: it must be %s before (%s)", rule.Name, was, is, least, strings.Join(rule.Sources, ", ")), fmt.Sprintf("name %s first", least)), nil
	}
	return nil, nil
}

// backable says whether the old version can be put back after some instances were changed, and if not, why.
func (r Rule) backable(from, to string) (bool, string) {
	was, okWas := parse(from)
	is, okIs := parse(to)
	switch {
	case !okWas || !okIs || was == is, r.Back == BackBackup,
		r.Back == BackMajor && was.major == is.major,
		r.Back == BackPatch && was.series() == is.series():
		return true, ""
	}
	return false, fmt.Sprintf("%s %s may have written what %s cannot read, and the project describes no way back", r.Name, is, was)
}
