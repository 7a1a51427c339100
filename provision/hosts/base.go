// Package hosts is everything that jomctl has on a host of its own besides the services of the roles: packages, masked
// services of others, the helper programs, the Docker Engine's settings and the record of all that. It finds the programs
// there, looks whether a host can be used, says what has drifted, and takes everything away again.
package hosts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/provision"
	"github.com/jomctl/jomctl/provision/source"
)

// Helpers are the programs that hosts get.
type Helpers struct{ Standin, Jomhome *Program }

// Base are the items that a host needs before programs are installed from their sources, in order. Those sources that are packages of
// the host's system may come along, as one transaction is much faster than two.
func Base(c *config.Cluster, h config.Host, m host.Machine, f Facts, helpers Helpers, keeper *Keeper, with ...source.Need) []provision.Item {
	items := []provision.Item{
		Masks{Host: m, Services: Foreign(f.Source().RedHat())},
		Packages{Host: m, Names: packagesOf(c, h, f), DNF: f.Source().RedHat(), With: with},
	}
	if usesStandin(c) {
		items = append(items, Upload{Host: m, From: helpers.Standin, To: BinPath("standin")})
	}
	if h.Is(config.RoleMesosAgent) {
		items = append(items, Upload{Host: m, From: helpers.Jomhome, To: BinPath("jomhome")})
	}
	if needsDocker(c, h) {
		if c.Registry != nil && c.Registry.User != "" {
			items = append(items, Login{Host: m, Cluster: c}, Engine{Host: m}) // no password goes to a registry whose certificate nobody has looked at
		} else {
			items = append(items, Engine{Host: m, Registry: provision.RegistryAddress(c)})
		}
	}
	kept := make([]provision.Item, len(items))
	for i, item := range items {
		kept[i] = keeper.Keep(m, item)
	}
	return kept
}

// Apart says that an item of Base needs none of the others, so that it can be made while they are.
func Apart(item provision.Item) bool {
	if k, ok := item.(kept); ok {
		item = k.Item
	}
	_, ok := item.(Upload)
	return ok
}

// BinPath is where a helper program lies on every host.
func BinPath(name string) string { return host.RemoteDir + "/bin/" + name }

// needsDocker says whether a Docker Engine runs on the host: for tasks, and for programs that come as images.
func needsDocker(c *config.Cluster, h config.Host) bool {
	return h.Is(config.RoleMesosAgent) || isImage(c.Components.Marathon.Source) || isImage(c.Components.Mesos.Source)
}

// usesStandin says whether anything of the cluster is a stand-in.
func usesStandin(c *config.Cluster) bool {
	return c.Components.Mesos.Source.Standin || c.Components.Marathon.Source.Standin || c.Jenkins.War == "standin"
}

// isImage says whether a source is run by a Docker Engine. The name of the catalogue's entry tells.
func isImage(s config.Source) bool { return s.Image != "" || strings.HasSuffix(s.Catalog, "-image") }

// Foreign are the services that packages bring and that are masked, as jomctl runs their programs by units of its own.
func Foreign(redHat bool) []string {
	if redHat {
		return append(host.ForeignUnits(), "docker-distribution")
	}
	return append(host.ForeignUnits(), "docker-registry")
}

// Masks keeps the services of others from being started.
type Masks struct {
	Host     host.Machine
	Services []string // without .service
}

// masker is what host.Systemd can do besides host.Units.
type masker interface {
	Mask(ctx context.Context, names ...string) (changed bool, err error)
	Unmask(ctx context.Context, names ...string) (changed bool, err error)
}

// Title implements provision.Item.
func (i Masks) Title() string { return "services of packages masked on " + i.Host.Name() }

// Probe implements provision.Item.
func (i Masks) Probe(ctx context.Context) (bool, []string, error) {
	masked, err := maskedOf(ctx, i.Host, i.Services)
	if err != nil {
		return false, nil, err
	}
	var missing []string
	for _, name := range i.Services {
		if !masked[name] {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return true, nil, nil
	}
	return false, []string{i.Host.Name() + ": mask " + strings.Join(missing, ", ")}, nil
}

// maskedOf asks systemd, also for services that are not there.
func maskedOf(ctx context.Context, m host.Machine, names []string) (map[string]bool, error) {
	argv := []string{"systemctl", "show", "-p", "Id,LoadState,ActiveState"}
	for _, name := range names {
		argv = append(argv, name+".service")
	}
	out, err := host.Ask(ctx, m, argv...)
	if err != nil {
		return nil, fmt.Errorf("ask host %s for masked services: %w", m.Name(), err)
	}
	masked := map[string]bool{}
	for block := range strings.SplitSeq(out.Stdout, "\n\n") {
		id, isMasked := "", false
		for line := range strings.Lines(block) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			switch key {
			case "Id":
				id = strings.TrimSuffix(value, ".service")
			case "LoadState":
				isMasked = value == "masked"
			}
		}
		masked[id] = isMasked
	}
	return masked, nil
}

// Apply implements provision.Item.
func (i Masks) Apply(ctx context.Context) (bool, error) {
	units, ok := i.Host.Units().(masker)
	if !ok {
		return false, fmt.Errorf("host %s: %w", i.Host.Name(), errNoSystemd)
	}
	return units.Mask(ctx, i.Services...)
}

var errNoSystemd = errors.New("its services cannot be masked, as it has no systemd")

func (i Masks) contents(context.Context) (contents, error) {
	return contents{masked: slices.Clone(i.Services)}, nil
}
