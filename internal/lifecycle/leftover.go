package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
)

// leftover is what runs or lies on a host of this machine and is not in the file any more: a Mesos agent that was taken out.
type leftover struct {
	machine host.Machine
	// units are those to end.
	units []string
	// dirs go with them.
	dirs []string
	what string
}

// leftoverStages end what the file no longer has. There is no stage when there is nothing.
func (e *Env) leftoverStages() []op.Stage {
	var steps []op.Step
	for _, left := range e.leftovers() {
		steps = append(steps, e.leftoverStep(left))
	}
	if len(steps) == 0 {
		return nil
	}
	return []op.Stage{{Name: "No longer in the file", Parallel: true, Steps: steps}}
}

// leftovers looks at the disks of the hosts, which know of every unit that was ever started there.
func (e *Env) leftovers() []leftover {
	if e.own != nil {
		return nil // a host is taken out by a command of its own, which drains it
	}
	hosts := e.hostsDir()
	entries, err := os.ReadDir(hosts)
	if err != nil {
		return nil // nothing is installed, or nothing could be started either
	}
	var all []leftover
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		dir := filepath.Join(hosts, entry.Name())
		add := func(units, dirs []string, what string) {
			if machine, err := host.NewLocal(entry.Name(), "", dir, e.Programs.Jomctl); err == nil {
				all = append(all, leftover{machine: machine, units: units, dirs: dirs, what: what})
			}
		}
		known := e.knownUnits(dir)
		h, stays := e.Cluster.Host(entry.Name())
		if !stays {
			add(known, []string{dir}, "host "+entry.Name())
			continue
		}
		for _, unit := range known {
			if !e.Fleet.Serves(h, unit) {
				add([]string{unit}, []string{filepath.Join(dir, unit)}, unit+" on "+entry.Name())
			}
		}
	}
	return all
}

// knownUnits are the units of a host by their folders, also those whose files cannot be read any more.
func (e *Env) knownUnits(dir string) []string {
	units := filepath.Join(dir, "units")
	names, _ := e.folders.Of(units, func() ([]string, error) {
		entries, err := os.ReadDir(units)
		var names []string
		for _, entry := range entries {
			if entry.IsDir() {
				names = append(names, entry.Name())
			}
		}
		return names, err
	})
	return names
}

func (e *Env) leftoverStep(left leftover) op.Step {
	home := e.controller().home
	return op.Step{ID: "gone-" + left.machine.Name() + "-" + filepath.Base(left.dirs[0]), Title: left.what + " stopped and removed", Budget: startBudget,
		Probe: func(context.Context) (op.State, error) {
			for _, dir := range left.dirs {
				if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
					return op.Needed, err
				}
			}
			return op.Done, nil
		},
		Changes: func(context.Context) []string {
			return []string{"end the tasks that run there, stop " + left.what + ", which the file no longer has, and remove its data"}
		},
		Do: func(ctx context.Context, _ op.Say) error {
			for _, dir := range left.dirs {
				if under(dir, home) {
					return fmt.Errorf("removing %s: the home %s is there", left.what, home)
				}
			}
			for _, unit := range left.units {
				if unit == provision.RoleMesosAgent {
					if err := provision.SignOff(ctx, left.machine, unit); err != nil {
						return err
					}
				}
				if err := left.machine.Units().Remove(ctx, unit); err != nil {
					return err
				}
			}
			for _, dir := range left.dirs {
				if _, err := host.ReapUnder(ctx, dir); err != nil {
					return err
				}
				if err := left.machine.Remove(ctx, dir); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// under says whether path is dir or lies in it.
func under(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}
