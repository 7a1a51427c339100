package master

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// flagTable has one line for each flag of the real mesos-master 1.11: names, bool or text, default.
//
//go:embed flags.txt
var flagTable string

type flag struct {
	name   string
	isBool bool
	value  string
	set    bool // has a value, given or default
	given  bool
}

// flags are the flags of the real program; where one has an old name too, both lead to it.
type flags struct {
	list   []*flag
	byName map[string]*flag
	// secrets are those of --credentials by their principals, nil without that flag.
	secrets map[string]string
}

func newFlags() *flags {
	f := &flags{byName: map[string]*flag{}}
	for line := range strings.Lines(flagTable) {
		part := strings.SplitN(strings.TrimSpace(line), " ", 3)
		names := strings.Split(part[0], ",")
		one := &flag{name: names[0], isBool: part[1] == "bool"}
		if len(part) == 3 {
			one.value, one.set = part[2], true
		}
		f.list = append(f.list, one)
		for _, name := range names {
			f.byName[name] = one
		}
	}
	return f
}

// load takes MESOS_* variables, then the command line, which wins. Unknown variables are ignored, unknown flags are fatal.
func (f *flags) load(args, environ []string) error {
	for _, pair := range environ {
		key, value, _ := strings.Cut(pair, "=")
		name, ours := strings.CutPrefix(key, "MESOS_")
		if one := f.byName[strings.ToLower(name)]; ours && one != nil {
			one.value, one.set, one.given = value, true, true
		}
	}
	loaded := map[*flag]bool{}
	for _, arg := range args {
		if err := f.loadArgument(arg, loaded); err != nil {
			return err
		}
	}
	return f.check()
}

func (f *flags) loadArgument(arg string, loaded map[*flag]bool) error {
	rest, ok := strings.CutPrefix(arg, "--")
	if !ok {
		return fmt.Errorf("Failed to parse command line: unexpected argument '%s'", arg)
	}
	name, value, hasValue := strings.Cut(rest, "=")
	one := f.byName[name]
	if bare, no := strings.CutPrefix(name, "no-"); one == nil && no && f.byName[bare] != nil && f.byName[bare].isBool && !hasValue {
		one, value, hasValue = f.byName[bare], "false", true
	}
	switch {
	case one == nil:
		return fmt.Errorf("Failed to load unknown flag '%s'", name)
	case !hasValue && !one.isBool:
		return fmt.Errorf("Failed to load non-boolean flag '%s': Missing value", name)
	case !hasValue:
		value = "true"
	}
	if loaded[one] {
		return fmt.Errorf("Flag '%s' is already loaded via command line", name)
	}
	loaded[one] = true
	one.value, one.set, one.given = value, true, true
	return nil
}

// check refuses values that do not have the flag's type, as the real program does at start.
func (f *flags) check() error {
	for _, name := range []string{"quorum", "port", "max_agent_ping_timeouts", "max_completed_frameworks", "max_completed_tasks_per_framework", "max_unreachable_tasks_per_framework"} {
		if one := f.byName[name]; one.set {
			if _, err := strconv.ParseUint(one.value, 10, 32); err != nil {
				return fmt.Errorf("Failed to load flag '%s': Failed to load value '%s': Failed to convert into required type", name, one.value)
			}
		}
	}
	for _, one := range f.list {
		_, err := parseDuration(one.value)
		isDuration := strings.HasSuffix(one.name, "_timeout") || strings.HasSuffix(one.name, "_interval")
		if one.set && isDuration && err != nil {
			return fmt.Errorf("Failed to load flag '%s': Failed to load value '%s': %w", one.name, one.value, err)
		}
		if one.set && one.isBool && !slices.Contains([]string{"true", "false", "1", "0"}, one.value) {
			return fmt.Errorf("Failed to load flag '%s': Failed to load value '%s': Expecting a boolean (e.g., true or false)", one.name, one.value)
		}
	}
	return nil
}

// heeded are the flags that change what the stand-in does, or that have nothing to change in it.
func heeded() []string {
	return []string{
		"advertise_ip", "advertise_port", "agent_ping_timeout", "agent_reregister_timeout", "allocation_interval", "authenticate_agents",
		"authenticate_frameworks", "authenticate_http_frameworks", "authenticate_http_readonly", "authenticate_http_readwrite",
		"authenticators", "cluster", "credentials", "http_authenticators", "http_framework_authenticators",
		"filter_gpu_resources", "help", "hostname", "hostname_lookup", "ip", "log_dir", "logging_level", "max_agent_ping_timeouts",
		"max_completed_frameworks", "max_completed_tasks_per_framework", "max_unreachable_tasks_per_framework", "min_allocatable_resources",
		"offer_timeout", "port", "quiet", "quorum", "registry", "registry_fetch_timeout", "roles", "version", "webui_dir", "work_dir", "zk", "zk_session_timeout",
	}
}

// ignored are the given flags that the stand-in takes and does nothing with.
func (f *flags) ignored() []string {
	var names []string
	for _, one := range f.list {
		if one.given && !slices.Contains(heeded(), one.name) {
			names = append(names, "--"+one.name)
		}
	}
	return names
}

func (f *flags) get(name string) string { return f.byName[name].value }

func (f *flags) given(name string) bool { return f.byName[name].set }

func (f *flags) yes(name string) bool { return f.get(name) == "true" || f.get(name) == "1" }

// number is the value of a flag that check has found to be one; 0 when it is not set.
func (f *flags) number(name string) int {
	n, _ := strconv.Atoi(f.get(name))
	return n
}

// duration is the value of a flag that check has found to be one.
func (f *flags) duration(name string) time.Duration {
	d, _ := parseDuration(f.get(name))
	return d
}

// parseDuration reads durations as the real programs write them: 10secs, 1.5mins, 500ms.
func parseDuration(text string) (time.Duration, error) {
	units := map[string]time.Duration{
		"ns": time.Nanosecond, "us": time.Microsecond, "ms": time.Millisecond, "secs": time.Second,
		"mins": time.Minute, "hrs": time.Hour, "days": 24 * time.Hour, "weeks": 7 * 24 * time.Hour,
	}
	end := strings.IndexFunc(text, func(r rune) bool { return (r < '0' || r > '9') && r != '.' && r != '-' })
	if end < 0 {
		return 0, fmt.Errorf("Invalid duration '%s'", text)
	}
	count, err := strconv.ParseFloat(text[:end], 64)
	if err != nil {
		return 0, fmt.Errorf("Invalid duration '%s'", text)
	}
	unit, ok := units[text[end:]]
	if !ok {
		return 0, fmt.Errorf("Unknown duration unit '%s'", text[end:])
	}
	return time.Duration(count * float64(unit)), nil
}
