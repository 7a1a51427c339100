package drill

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/probe"
)

// own is a file with a scenario of the user's.
type own struct {
	Name        string `yaml:"name"`
	Title       string `yaml:"title"`
	Hypothesis  string `yaml:"hypothesis"`
	BlastRadius string `yaml:"blastRadius"`
	Host        string `yaml:"host"`
	Inject      string `yaml:"inject"`
	Recovered   string `yaml:"recovered"`
	Undo        string `yaml:"undo"`
	// Hold and Recovery are read by check, whose errors name them.
	Hold     string `yaml:"hold"`
	Recovery string `yaml:"recovery"`
	// Bears are the targets that may fail.
	Bears []string `yaml:"bears"`
}

var scenarioName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// UsageError is a scenario file, or a name, that cannot be used; its exit code is that of a wrong usage.
type UsageError struct{ Problem string }

// Error says what is wrong.
func (e *UsageError) Error() string { return e.Problem }

// ExitCode is 2.
func (e *UsageError) ExitCode() int { return 2 }

// All are the scenarios that the program brings and those of the files that the cluster file names. The error is a *UsageError.
func All(c *config.Cluster) ([]Scenario, error) {
	all := Builtin()
	if c.Drill == nil {
		return all, nil
	}
	for _, path := range c.Drill.Scenarios {
		s, err := readOwn(c, c.Resolve(path))
		if err != nil {
			return nil, &UsageError{fmt.Sprintf("drill.scenarios: %s: %v", path, err)}
		}
		if slices.ContainsFunc(all, func(other Scenario) bool { return other.Name == s.Name }) {
			return nil, &UsageError{fmt.Sprintf("drill.scenarios: %s: there is a scenario %s already", path, s.Name)}
		}
		all = append(all, s)
	}
	for i, target := range c.Drill.Targets {
		if !slices.ContainsFunc(all, func(s Scenario) bool { return s.Name == target.Scenario }) {
			var names []string
			for _, s := range all {
				names = append(names, s.Name)
			}
			return nil, &UsageError{fmt.Sprintf("drill.targets[%d].scenario %q: there is no scenario of that name, so that the target would hold for none; there are %s", i, target.Scenario, strings.Join(names, ", "))}
		}
	}
	return all, nil
}

func readOwn(c *config.Cluster, path string) (Scenario, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Scenario{}, err
	}
	var o own
	if err := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict()).Decode(&o); errors.Is(err, io.EOF) {
		return Scenario{}, errors.New("the file is empty: write name, hypothesis, blastRadius and inject into it")
	} else if err != nil {
		return Scenario{}, err
	}
	if err := o.check(c); err != nil {
		return Scenario{}, err
	}
	hold, err := o.span("hold", o.Hold)
	if err != nil {
		return Scenario{}, err
	}
	if hold > 0 && o.Undo == "" {
		return Scenario{}, fmt.Errorf("hold %s: needs an undo, a command that ends the fault", o.Hold)
	}
	recovery, err := o.span("recovery", o.Recovery)
	if err != nil {
		return Scenario{}, err
	}
	return o.scenario(hold, recovery), nil
}

// span reads a time that may be left out.
func (o own) span(key, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := config.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%s %q: %w", key, text, err)
	}
	return d.Duration(), nil
}

func (o own) check(c *config.Cluster) error {
	_, host := c.Host(o.Host)
	switch {
	case !scenarioName.MatchString(o.Name):
		return fmt.Errorf("name %q: must be a DNS label: small letters, digits and -, as dns-away", o.Name)
	case strings.TrimSpace(o.Inject) == "":
		return fmt.Errorf("inject: is required: a command that makes the fault")
	case o.Hypothesis == "" || o.BlastRadius == "":
		return fmt.Errorf("hypothesis %q and blastRadius %q: are required, one sentence each: what should happen, and what users lose meanwhile", o.Hypothesis, o.BlastRadius)
	case o.Host != "" && !host:
		return fmt.Errorf("host %q: there is no host of that name in the cluster file; leave it out to run the commands on this machine", o.Host)
	case o.Undo != "" && strings.TrimSpace(o.Undo) == "":
		return fmt.Errorf("undo %q: is no command; leave it out where the fault ends by itself", o.Undo)
	}
	for _, target := range o.Bears {
		if !slices.Contains(probe.Targets(), target) {
			return fmt.Errorf("bears: %q is none of %s", target, strings.Join(probe.Targets(), ", "))
		}
	}
	return nil
}

func (o own) scenario(hold, recovery time.Duration) Scenario {
	s := Scenario{Name: o.Name, Title: o.Title, Hypothesis: o.Hypothesis, Own: true, Hold: hold, Recovery: recovery,
		Bears: o.Bears, LosesBuild: true, RecoveredCommand: o.Recovered, CommandHost: o.Host,
		Blast: func(Facts) string { return o.BlastRadius },
		Faults: func(Facts) []Injection {
			return []Injection{{Kind: Command, Host: o.Host, Command: o.Inject, Undo: o.Undo}}
		}}
	if s.Title == "" {
		s.Title = o.Name
	}
	if s.Recovery == 0 {
		s.Recovery = time.Minute
	}
	if len(s.Bears) == 0 {
		s.Bears = probe.Targets()
	}
	s.Until = UntilHeld
	if hold == 0 {
		s.Until = UntilRecovered
	}
	return s
}

// Choose finds the scenarios of names; without any, and with the suite "standard", those of the standard suite that this cluster can have. The
// error is a *UsageError.
func Choose(all []Scenario, names []string, suite string, f Facts) ([]Scenario, error) {
	byName := map[string]Scenario{}
	for _, s := range all {
		byName[s.Name] = s
	}
	switch {
	case suite != "" && len(names) > 0:
		return nil, &UsageError{"name scenarios, or a suite, not both"}
	case suite != "" && suite != "standard":
		return nil, &UsageError{fmt.Sprintf("there is no suite %q, only standard", suite)}
	case suite == "" && len(names) == 0:
		return nil, &UsageError{"say which scenarios: `jomctl drill list` shows them; or --suite standard"}
	}
	var chosen []Scenario
	if suite != "" {
		for _, name := range Standard() {
			if s := byName[name]; s.Unavailable == nil || s.Unavailable(f) == "" {
				chosen = append(chosen, s)
			}
		}
		return chosen, nil
	}
	for _, name := range names {
		s, there := byName[name]
		if !there {
			return nil, &UsageError{fmt.Sprintf("there is no scenario %q; `jomctl drill list` shows them", name)}
		}
		if slices.ContainsFunc(chosen, func(other Scenario) bool { return other.Name == name }) {
			return nil, &UsageError{fmt.Sprintf("the scenario %s is named twice; --repeat 2 runs everything twice", name)}
		}
		chosen = append(chosen, s)
	}
	return chosen, nil
}
