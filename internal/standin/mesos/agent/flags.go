package agent

import (
	_ "embed"
	"fmt"
	"sort"
	"strings"
)

// flagTable has one line for each flag of the real mesos-agent 1.11: names, bool or text, default.
//
//go:embed flags.txt
var flagTable string

// flag is one flag of the real program and its value.
type flag struct {
	name   string
	isBool bool
	value  string
	set    bool // has a value, given or default
	given  bool
}

// flags are the values of all flags by name.
type flags struct {
	list   []*flag
	byName map[string]*flag
}

func newFlags() *flags {
	f := &flags{byName: map[string]*flag{}}
	for _, line := range strings.Split(strings.TrimRight(flagTable, "\n"), "\n") {
		part := strings.SplitN(line, " ", 3)
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

// load takes MESOS_* variables, then the command line, which wins. Unknown variables are ignored, unknown flags are not.
func (f *flags) load(args, environ []string) error {
	for _, pair := range environ {
		key, value, _ := strings.Cut(pair, "=")
		name, isOurs := strings.CutPrefix(key, "MESOS_")
		if one := f.byName[strings.ToLower(name)]; isOurs && one != nil {
			if err := one.assign(strings.ToLower(name), value); err != nil {
				return err
			}
		}
	}
	onLine := map[*flag]bool{}
	for _, arg := range args {
		rest, ok := strings.CutPrefix(arg, "--")
		if !ok {
			return words("Failed to parse command line: unexpected argument '%s'", arg)
		}
		if rest == "" {
			break
		}
		one, name, value, err := f.parse(rest)
		if err != nil {
			return err
		}
		if onLine[one] {
			return words("Flag '%s' is already loaded via command line", name)
		}
		onLine[one] = true
		if err := one.assign(name, value); err != nil {
			return err
		}
	}
	return nil
}

// parse takes name=value, name or no-name apart; the last two are for booleans only.
func (f *flags) parse(text string) (one *flag, name, value string, err error) {
	name, value, hasValue := strings.Cut(text, "=")
	one = f.byName[name]
	if bare, isNo := strings.CutPrefix(name, "no-"); one == nil && isNo {
		one = f.byName[bare]
		switch {
		case one == nil:
		case !one.isBool:
			return nil, "", "", words("Failed to load non-boolean flag '%s' via '%s'", bare, name)
		case hasValue:
			return nil, "", "", words("Failed to load boolean flag '%s' via '%s' with value '%s'", bare, name, value)
		default:
			name, value, hasValue = bare, "false", true
		}
	}
	switch {
	case one == nil:
		return nil, "", "", words("Failed to load unknown flag '%s'", name)
	case !hasValue && !one.isBool:
		return nil, "", "", words("Failed to load non-boolean flag '%s': Missing value", name)
	case !hasValue:
		value = "true"
	}
	return one, name, value, nil
}

func (one *flag) assign(name, value string) error {
	if one.isBool {
		switch value {
		case "true", "1":
			value = "true"
		case "false", "0":
			value = "false"
		default:
			return words("Failed to load flag '%s': Failed to load value '%s': Expecting a boolean (e.g., true or false)", name, value)
		}
	}
	one.value, one.set, one.given = value, true, true
	return nil
}

func (f *flags) get(name string) string { return f.byName[name].value }
func (f *flags) has(name string) bool   { return f.byName[name].set && f.byName[name].value != "" }
func (f *flags) is(name string) bool    { return f.byName[name].value == "true" }

// shown are the flags that have a value, as /flags shows them.
func (f *flags) shown() map[string]string {
	all := map[string]string{}
	for _, one := range f.list {
		if one.set {
			all[one.name] = one.value
		}
	}
	return all
}

// startLine is the text after "Flags at startup:".
func (f *flags) startLine() string {
	var parts []string
	for name, value := range f.shown() {
		parts = append(parts, fmt.Sprintf("--%s=%q", name, value))
	}
	sort.Strings(parts)
	return strings.Join(parts, " ")
}

func (f *flags) usage() string {
	var b strings.Builder
	b.WriteString("Usage: mesos-agent [options]\n\n")
	for _, one := range f.list {
		name := "--" + one.name + "=VALUE"
		if one.isBool {
			name = "--[no-]" + one.name
		}
		if one.set {
			fmt.Fprintf(&b, "  %-55s (default: %s)\n", name, one.value)
		} else {
			fmt.Fprintf(&b, "  %s\n", name)
		}
	}
	return b.String()
}
