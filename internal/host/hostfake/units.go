package hostfake

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jomctl/jomctl/internal/host"
)

// Units are host.Units whose programs run as soon as they are applied, with the masks of host.Systemd.
type Units struct {
	machine *Machine
	units   map[string]*unit
	masked  []string
	pid     int
	// Foreign are the services of others: active or inactive.
	Foreign map[string]string
}

type unit struct {
	spec    host.Unit
	running bool
	pid     int
	starts  int
	drift   []string
	// disabled is a drift that leaves the program as it is.
	disabled bool
}

// Spec is the unit in force; false when there is none.
func (u *Units) Spec(name string) (host.Unit, bool) {
	u.machine.mu.Lock()
	defer u.machine.mu.Unlock()
	one, ok := u.units[name]
	if !ok {
		return host.Unit{}, false
	}
	return one.spec, true
}

// Starts says how often the unit was started.
func (u *Units) Starts(name string) int {
	u.machine.mu.Lock()
	defer u.machine.mu.Unlock()
	if one := u.units[name]; one != nil {
		return one.starts
	}
	return 0
}

// Disable is somebody who keeps the unit from being started with the host.
func (u *Units) Disable(name string) {
	u.machine.mu.Lock()
	defer u.machine.mu.Unlock()
	u.units[name].disabled = true
}

// Change makes the unit differ from what was applied, as somebody with an editor does.
func (u *Units) Change(name, drift string) {
	u.machine.mu.Lock()
	defer u.machine.mu.Unlock()
	u.units[name].drift = append(u.units[name].drift, drift)
}

// Masked are the masked services, in order.
func (u *Units) Masked() []string {
	u.machine.mu.Lock()
	defer u.machine.mu.Unlock()
	masked := slices.Clone(u.masked)
	slices.Sort(masked)
	return masked
}

// Apply implements host.Units.
func (u *Units) Apply(_ context.Context, spec host.Unit) (bool, error) {
	if err := u.machine.broken("apply", spec.Name); err != nil {
		return false, err
	}
	u.machine.mu.Lock()
	defer u.machine.mu.Unlock()
	one := u.units[spec.Name]
	if one != nil && one.running && one.spec.Digest() == spec.Digest() && len(one.drift) == 0 && !one.disabled {
		return false, nil
	}
	if one == nil {
		one = &unit{}
		u.units[spec.Name] = one
	}
	u.pid++
	one.spec, one.running, one.pid, one.starts, one.drift = spec, true, 1000+u.pid, one.starts+1, nil
	one.disabled = false
	return true, nil
}

func (u *Units) status(name string) host.Status {
	one := u.units[name]
	if one == nil {
		return host.Status{Name: name}
	}
	s := host.Status{Name: name, Digest: one.spec.Digest(), Active: one.running, Running: one.running, Drift: slices.Clone(one.drift)}
	if len(one.drift) > 0 {
		s.Digest = "altered"
	}
	if one.disabled {
		s.Drift = append(s.Drift, "is disabled")
	}
	if one.running {
		s.PID = one.pid
	}
	return s
}

// Status implements host.Units.
func (u *Units) Status(_ context.Context, name string) (host.Status, error) {
	u.machine.mu.Lock()
	defer u.machine.mu.Unlock()
	return u.status(name), nil
}

// Stop implements host.Units.
func (u *Units) Stop(_ context.Context, name string) error {
	u.machine.mu.Lock()
	defer u.machine.mu.Unlock()
	if one := u.units[name]; one != nil {
		one.running = false
	}
	return nil
}

// Remove implements host.Units.
func (u *Units) Remove(_ context.Context, name string) error {
	if err := u.machine.broken("remove", name); err != nil {
		return err
	}
	u.machine.mu.Lock()
	defer u.machine.mu.Unlock()
	delete(u.units, name)
	return nil
}

// List implements host.Units.
func (u *Units) List(context.Context) ([]host.Status, error) {
	u.machine.mu.Lock()
	defer u.machine.mu.Unlock()
	var all []host.Status
	for name := range u.units {
		all = append(all, u.status(name))
	}
	slices.SortFunc(all, func(a, b host.Status) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// Mask does as host.Systemd.
func (u *Units) Mask(_ context.Context, names ...string) (bool, error) {
	if err := u.machine.broken("mask", strings.Join(names, " ")); err != nil {
		return false, err
	}
	u.machine.mu.Lock()
	defer u.machine.mu.Unlock()
	changed := false
	for _, name := range names {
		if !slices.Contains(u.masked, name) {
			u.masked, changed = append(u.masked, name), true
		}
		if u.Foreign[name] == "active" {
			u.Foreign[name] = "inactive"
		}
	}
	return changed, nil
}

// Unmask does as host.Systemd.
func (u *Units) Unmask(_ context.Context, names ...string) (bool, error) {
	u.machine.mu.Lock()
	defer u.machine.mu.Unlock()
	before := len(u.masked)
	u.masked = slices.DeleteFunc(u.masked, func(name string) bool { return slices.Contains(names, name) })
	return len(u.masked) != before, nil
}

// systemctl knows `systemctl show -p ... -- NAME.service...`, and start, restart and enable of the services of others.
func (u *Units) systemctl(argv []string) (host.Output, error) {
	u.machine.mu.Lock()
	defer u.machine.mu.Unlock()
	switch argv[1] {
	case "show":
		var blocks []string
		for _, word := range argv[2:] {
			name, isService := strings.CutSuffix(word, ".service")
			if !isService {
				continue
			}
			load, active := "not-found", "inactive"
			if state, known := u.Foreign[name]; known {
				load, active = "loaded", state
			}
			if slices.Contains(u.masked, name) {
				load = "masked"
			}
			blocks = append(blocks, fmt.Sprintf("Id=%s\nLoadState=%s\nActiveState=%s\n", word, load, active))
		}
		return Said(strings.Join(blocks, "\n"))
	case "start", "restart", "enable":
		name := strings.TrimSuffix(argv[len(argv)-1], ".service")
		if _, known := u.Foreign[name]; !known {
			return Failed(5, "", "Unit "+name+".service not found.")
		}
		u.Foreign[name] = "active"
		return Said("")
	}
	return Failed(1, "", "unknown verb "+argv[1])
}

// kill knows `kill -SIGNAL PID`. Only USR1 ends a program, as it does a Mesos agent.
func (u *Units) kill(argv []string) (host.Output, error) {
	u.machine.mu.Lock()
	defer u.machine.mu.Unlock()
	for _, one := range u.units {
		if argv[1] == "-USR1" && fmt.Sprint(one.pid) == argv[2] {
			one.running = false
		}
	}
	return Said("")
}
