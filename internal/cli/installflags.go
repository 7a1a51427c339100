package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/jomctl/jomctl/internal/config"
)

// InstallFlags are the answers of the wizard as flags: with them `jomctl install` needs neither a file nor a terminal. The
// zero value has none.
type InstallFlags struct {
	given []givenFlag
}

// givenFlag is one flag of the command line, in its order.
type givenFlag struct {
	flag  installFlag
	value string
}

// installFlag is one flag and the value of cluster.yaml that it stands for.
type installFlag struct {
	name, kind, usage string
	// get gives the values as Set takes them; none when the flag says nothing.
	get func(c *config.Cluster) []string
	set func(c *config.Cluster, value string) error
}

// Bind adds the flags to a command.
func (f *InstallFlags) Bind(flags *pflag.FlagSet) {
	for _, flag := range installFlags() {
		flags.Var(&flagValue{to: f, flag: flag}, flag.name, flag.usage)
	}
}

// flagValue makes a pflag.Value of an installFlag.
type flagValue struct {
	to   *InstallFlags
	flag installFlag
}

var _ pflag.Value = (*flagValue)(nil)

// String is empty: the defaults depend on the target.
func (v *flagValue) String() string { return "" }

// Type is what the help shows.
func (v *flagValue) Type() string { return v.flag.kind }

// Set checks the form at once; whether it is right together with the others is for the configuration's own check.
func (v *flagValue) Set(value string) error {
	if err := v.flag.set(&config.Cluster{}, value); err != nil {
		return err
	}
	v.to.given = append(v.to.given, givenFlag{v.flag, value})
	return nil
}

var _ pflag.SliceValue = (*flagValue)(nil)

// GetSlice is what was given for the flag, so that a resumed run gets the same.
func (v *flagValue) GetSlice() []string {
	values := []string{}
	for _, g := range v.to.given {
		if g.flag.name == v.flag.name {
			values = append(values, g.value)
		}
	}
	return values
}

// Append is Set.
func (v *flagValue) Append(value string) error { return v.Set(value) }

// Replace sets the flag to these values alone.
func (v *flagValue) Replace(values []string) error {
	*v.to = *v.to.without(v.flag.name)
	for _, value := range values {
		if err := v.Set(value); err != nil {
			return err
		}
	}
	return nil
}

// Given says that there is at least one of the flags.
func (f *InstallFlags) Given() bool { return len(f.given) > 0 }

// Apply puts the values of the flags into a cluster. It neither completes nor checks it.
func (f *InstallFlags) Apply(c *config.Cluster) error {
	hosts := false
	for _, g := range f.given {
		if g.flag.name == "target" { // tells where others go, so it is first whatever the order
			_ = g.flag.set(c, g.value)
		}
	}
	for _, g := range f.given {
		if g.flag.name == "host" && !hosts {
			c.Hosts, hosts = nil, true // those of the file are replaced, not added to
		}
		if err := g.flag.set(c, g.value); err != nil {
			return fmt.Errorf("--%s %s: %w", g.flag.name, g.value, err)
		}
	}
	return nil
}

// Cluster makes a complete, checked cluster of the flags alone; the name is ci and the target local where they do not say.
// The error is config.Problems.
func (f *InstallFlags) Cluster(file string) (*config.Cluster, error) {
	c := &config.Cluster{APIVersion: config.APIVersion, Name: "ci", Target: config.TargetLocal, File: file}
	if err := f.Apply(c); err != nil {
		return nil, err
	}
	config.Default(c)
	if err := config.Validate(c); err != nil {
		return nil, err
	}
	return c, nil
}

// Ensure gives the cluster to install. Without flags it loads the file. With flags it writes the file if there is none, so that
// the same command line can be given again; where there is one that says otherwise, it is kept and the error is a usage error.
func (f *InstallFlags) Ensure(file string) (c *config.Cluster, written bool, err error) {
	loaded, err := config.Load(file)
	if errors.Is(err, fs.ErrNotExist) && f.Given() {
		if c, err = f.Cluster(file); err != nil {
			return nil, false, err
		}
		return c, true, config.Write(file, c, false)
	}
	if err != nil || !f.Given() {
		return loaded, false, err
	}
	wanted := loaded.Clone()
	if err := f.Apply(wanted); err != nil {
		return nil, false, err
	}
	config.Default(wanted)
	if !bytes.Equal(config.Show(wanted), config.Show(loaded)) {
		return nil, false, &usageError{fmt.Errorf("%s exists and differs from the flags: %s; change the file, or leave the flags out",
			file, strings.Join(differing(loaded, f), ", "))}
	}
	return loaded, false, nil
}

// differing lists the flags that say something else than the cluster.
func differing(c *config.Cluster, f *InstallFlags) []string {
	var names []string
	seen := map[string]bool{}
	for _, g := range f.given {
		one := &InstallFlags{}
		for _, same := range f.given {
			if same.flag.name == g.flag.name {
				one.given = append(one.given, same)
			}
		}
		wanted := c.Clone()
		if seen[g.flag.name] || one.Apply(wanted) != nil {
			continue
		}
		seen[g.flag.name] = true
		if !bytes.Equal(config.Show(wanted), config.Show(c)) {
			names = append(names, "--"+g.flag.name)
		}
	}
	return names
}

// OneLine is the command line that installs the cluster without a file and without questions. Where flags cannot say all of
// it, the command line names the file.
func OneLine(c *config.Cluster) string {
	want := c.Clone()
	config.Default(want)
	all := &InstallFlags{}
	for _, flag := range installFlags() {
		for _, value := range flag.get(want) {
			all.given = append(all.given, givenFlag{flag, value})
		}
	}
	if !all.makes(want) {
		file := c.File
		if file == "" {
			file = defaultFile
		}
		return "jomctl install --file " + shellQuote(file) + " --yes"
	}
	if fewer := all.without("host"); fewer.makes(want) { // the numbers say it shorter
		all = fewer
	}
	for i := len(all.given) - 1; i >= 0; i-- { // what follows from the rest is left out
		g := all.given[i]
		if g.flag.name == "name" || g.flag.name == "target" || g.flag.name == "host" {
			continue
		}
		fewer := &InstallFlags{given: append(append([]givenFlag(nil), all.given[:i]...), all.given[i+1:]...)}
		if fewer.makes(want) {
			all = fewer
		}
	}
	line := "jomctl install"
	for _, g := range all.given {
		line += " --" + g.flag.name + " " + shellQuote(g.value)
	}
	return line + " --yes"
}

func (f *InstallFlags) without(name string) *InstallFlags {
	fewer := &InstallFlags{}
	for _, g := range f.given {
		if g.flag.name != name {
			fewer.given = append(fewer.given, g)
		}
	}
	return fewer
}

// makes says that the flags alone make the given cluster.
func (f *InstallFlags) makes(want *config.Cluster) bool {
	c := &config.Cluster{APIVersion: config.APIVersion, Name: "ci", Target: config.TargetLocal}
	if err := f.Apply(c); err != nil {
		return false
	}
	config.Default(c)
	return bytes.Equal(config.Show(c), config.Show(want))
}

var shellSafe = regexp.MustCompile(`^[A-Za-z0-9_./:=,@%+-]+$`)

// shellQuote writes one argument for a POSIX shell.
func shellQuote(s string) string {
	if shellSafe.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// parseHost reads NAME=ADDRESS:role,role.
func parseHost(value string) (config.Host, error) {
	name, rest, ok := strings.Cut(value, "=")
	colon := strings.LastIndexByte(rest, ':')
	if !ok || name == "" || colon < 1 || colon == len(rest)-1 {
		return config.Host{}, errors.New("must be NAME=ADDRESS:ROLE or NAME=ADDRESS:ROLE,ROLE, for example m1=10.0.0.1:control")
	}
	address := rest[:colon]
	if strings.HasPrefix(address, "[") && strings.HasSuffix(address, "]") {
		address = address[1 : len(address)-1]
	}
	h := config.Host{Name: name, Address: address}
	for _, role := range strings.Split(rest[colon+1:], ",") {
		h.Roles = append(h.Roles, config.Role(role))
	}
	return h, nil
}

// formatHost writes what parseHost reads; a host with more than that gives nothing that is equal to it.
func formatHost(h config.Host) string {
	address := h.Address
	if ip := net.ParseIP(address); ip != nil && strings.Contains(address, ":") {
		address = "[" + address + "]"
	}
	roles := make([]string, len(h.Roles))
	for i, r := range h.Roles {
		roles[i] = string(r)
	}
	return h.Name + "=" + address + ":" + strings.Join(roles, ",")
}

func positive(value string) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 {
		return 0, errors.New("must be a whole number from 1")
	}
	return n, nil
}

func cpus(value string) (float64, error) {
	n, err := strconv.ParseFloat(value, 64)
	if err != nil || !(n > 0) || n > 10000 {
		return 0, errors.New("must be a number of CPUs, for example 0.5 or 2")
	}
	return n, nil
}
