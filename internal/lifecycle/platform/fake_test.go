package platform_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/lifecycle/platform"
	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
)

var errInjected = errors.New("injected")

// fake is a cluster in memory: what is installed and what runs, by ROLE-HOST.
type fake struct {
	parts   []platform.Part
	runs    map[string]platform.Side
	leader  map[string]string
	drained map[string]bool
	// storage is the version of Marathon's state, with what it holds.
	storage  platform.Side
	recorded []string
	reasons  []upgrade.Reason
	// broken never serves with the new programs.
	broken string

	// calls counts; at fail of them the call fails, after its effect where late is set. From dead on every call fails.
	calls, fail, dead int
	late              bool
	order             []string
	violations        []string
}

var _ platform.Cluster = (*fake)(nil)

func newFake(parts []platform.Part) *fake {
	f := &fake{parts: parts, runs: map[string]platform.Side{}, leader: map[string]string{}, drained: map[string]bool{}, storage: platform.Old}
	for _, part := range parts {
		for _, host := range part.Hosts {
			f.runs[part.Role+"-"+host] = platform.Old
		}
		f.leader[part.Role] = part.Hosts[len(part.Hosts)-1]
	}
	return f
}

func (f *fake) part(role string) platform.Part {
	i := slices.IndexFunc(f.parts, func(p platform.Part) bool { return p.Role == role })
	return f.parts[i]
}

// call is one call with an effect.
func (f *fake) call(effect func() error) error {
	f.calls++
	if f.dead > 0 && f.calls > f.dead {
		return errInjected
	}
	if f.calls == f.fail && !f.late {
		return errInjected
	}
	err := effect()
	if f.calls == f.fail || f.calls == f.dead {
		return errInjected
	}
	return err
}

func (f *fake) wrong(format string, args ...any) {
	f.violations = append(f.violations, fmt.Sprintf(format, args...))
}

func (f *fake) Check(context.Context) []upgrade.Reason { return f.reasons }

func (f *fake) BringNear(context.Context, op.Say) error { return f.call(func() error { return nil }) }

// all says whether every instance of a role is one of the sides; empty is one that is down.
func (f *fake) all(role string, sides ...platform.Side) bool {
	for id, side := range f.runs {
		if strings.HasPrefix(id, role+"-") && !slices.Contains(sides, side) {
			return false
		}
	}
	return true
}

func (f *fake) Exchange(_ context.Context, role, host string, side platform.Side, _ op.Say) error {
	return f.call(func() error {
		id := role + "-" + host
		f.order = append(f.order, fmt.Sprintf("%s=%s", id, side))
		for other, runs := range f.runs {
			if role != provision.RoleMarathon && strings.HasPrefix(other, role+"-") && other != id && (runs == "" || runs == platform.New && other == f.broken) {
				f.wrong("%s is exchanged while %s is down", id, other)
			}
		}
		switch {
		case role == provision.RoleMesosAgent && !f.drained[host]:
			f.wrong("%s is exchanged with builds", id)
		case role == provision.RoleMesosAgent && side == platform.New && !f.all(provision.RoleMesosMaster, platform.New):
			f.wrong("%s is newer than the masters", id)
		case role == provision.RoleMarathon && side == platform.New && f.storage == platform.Old && !f.all(role, ""):
			if f.runs[id] != platform.New {
				f.wrong("%s migrates while others run: %v", id, f.runs)
			}
		case role == provision.RoleMarathon && side == platform.Old && f.storage == platform.New:
			f.wrong("%s is started on a state that it cannot read", id)
		}
		f.runs[id] = side
		if role == provision.RoleMarathon && side == platform.New {
			f.storage = platform.New
		}
		return nil
	})
}

func (f *fake) Stop(_ context.Context, role, host string) error {
	return f.call(func() error { f.runs[role+"-"+host] = ""; return nil })
}

func (f *fake) Runs(_ context.Context, role, host string, side platform.Side) error {
	if id := role + "-" + host; f.runs[id] != side || id == f.broken && side == platform.New {
		return fmt.Errorf("%s is %q", id, f.runs[id])
	}
	return nil
}

func (f *fake) Healthy(_ context.Context, role, but string) error {
	for id, side := range f.runs {
		if strings.HasPrefix(id, role+"-") && id != role+"-"+but && (side == "" || side == platform.New && id == f.broken) {
			return errors.New(id + " is down")
		}
	}
	return nil
}

func (f *fake) Drain(_ context.Context, host string, _ time.Duration, _ op.Say) error {
	return f.call(func() error { f.drained[host] = true; return nil })
}

func (f *fake) Undrain(_ context.Context, host string) error {
	return f.call(func() error { delete(f.drained, host); return nil })
}

func (f *fake) BackUp(_ context.Context, file string) error {
	return f.call(func() error {
		if !f.all(provision.RoleMarathon, "") || f.storage != platform.Old {
			f.wrong("backup of a state that changes: %v %s", f.runs, f.storage)
		}
		return os.WriteFile(file, []byte(f.storage), 0o600)
	})
}

func (f *fake) Restore(_ context.Context, file string) error {
	return f.call(func() error {
		if !f.all(provision.RoleMarathon, "") {
			f.wrong("restored under a Marathon that runs: %v", f.runs)
		}
		data, err := os.ReadFile(file)
		f.storage = platform.Side(data)
		return err
	})
}

func (f *fake) Migrated(_ context.Context, host string) error {
	if id := provision.RoleMarathon + "-" + host; f.runs[id] != platform.New || f.storage != platform.New || id == f.broken {
		return errors.New("not migrated")
	}
	return nil
}

func (f *fake) Record(_ context.Context, components []string) error {
	return f.call(func() error { f.recorded = slices.Clone(components); return nil })
}
