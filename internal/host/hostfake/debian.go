package hostfake

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jomctl/jomctl/internal/host"
)

// Debian are the packages of a machine.
type Debian struct {
	machine *Machine
	// Available are the versions that can be installed, Installed those that are.
	Available, Installed map[string]string
	// Busy is how often an installation finds another package manager at work.
	Busy int
}

// Debian makes the machine a Debian on which the packages can be installed, all as version 1.0.
func (m *Machine) Debian(packages ...string) *Debian {
	d := &Debian{machine: m, Available: map[string]string{}, Installed: map[string]string{}}
	for _, name := range packages {
		d.Available[name] = "1.0"
	}
	m.On("dpkg-query", d.query)
	m.On("env", d.install)
	m.On("dpkg", func([]string) (host.Output, error) { return Said("") }) // nothing is half installed
	return d
}

// query knows `dpkg-query -W -f FORMAT NAME...` with status, name and version in the format.
func (d *Debian) query(argv []string) (host.Output, error) {
	d.machine.mu.Lock()
	defer d.machine.mu.Unlock()
	var out, unknown strings.Builder
	for _, name := range argv[4:] {
		if version, ok := d.Installed[name]; ok {
			fmt.Fprintf(&out, "ii \t%s\t%s\n", name, version)
		} else {
			fmt.Fprintf(&unknown, "dpkg-query: no packages found matching %s\n", name)
		}
	}
	if unknown.Len() > 0 {
		return Failed(1, out.String(), unknown.String())
	}
	return Said(out.String())
}

// install knows `env NAME=VALUE... apt-get -q install OPTION... NAME...`, and update.
func (d *Debian) install(argv []string) (host.Output, error) {
	d.machine.mu.Lock()
	defer d.machine.mu.Unlock()
	at := slices.Index(argv, "apt-get")
	if at < 0 || at+2 >= len(argv) {
		return Failed(127, "", strings.Join(argv, " ")+": not known here\n")
	}
	if d.Busy > 0 {
		d.Busy--
		return Failed(100, "", "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 42 (unattended-upgr)\n")
	}
	if argv[at+2] == "update" {
		return Said("")
	}
	for i, name := range argv[at+3:] {
		if strings.HasPrefix(name, "-") || argv[at+2+i] == "-o" {
			continue
		}
		version, ok := d.Available[name]
		if !ok {
			return Failed(1, "", "E: Unable to locate package "+name+"\n")
		}
		d.Installed[name] = version
		if name == "docker.io" {
			d.machine.units.Foreign["docker"] = "inactive"
		}
	}
	return Said("")
}
