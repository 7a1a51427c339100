package machines

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/lifecycle/inventory"
	"github.com/jomctl/jomctl/internal/op"
)

// Discard removes the plan file of Terraform where it was not carried out.
func (m *Machines) Discard() error {
	if m == nil || m.plan == nil {
		return nil
	}
	if err := m.plan.Discard(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Plan makes the machines. What comes after it on the hosts can be planned only when it is done.
func (m *Machines) Plan() op.Plan {
	return op.Plan{Verb: "install", Stages: []op.Stage{{Name: "Machines", Steps: []op.Step{{
		ID: "machines", Title: "Machines made by Terraform on target " + string(m.cluster.Target),
		Probe: func(context.Context) (op.State, error) {
			if m.applied {
				return op.NeededUnless(len(m.kept.Making) == 0), nil
			}
			return op.NeededUnless(m.plan.Empty() && len(m.kept.Making) == 0 && reflect.DeepEqual(m.kept.Hosts, m.now)), nil
		},
		Changes: func(context.Context) []string { return m.changes() },
		Do:      m.make,
	}}}}}
}

// changes are the lines of Terraform's plan by kind.
func (m *Machines) changes() []string {
	var lines []string
	add := func(format string, names []string) {
		if len(names) > 0 {
			lines = append(lines, fmt.Sprintf(format, len(names), strings.Join(names, ", ")))
		}
	}
	add("create %d: %s", m.plan.Create)
	add("change %d: %s", m.plan.Change)
	add("replace %d: %s", m.plan.Replace)
	add("destroy %d: %s", m.plan.Destroy)
	if lost := m.lost(); len(lost) > 0 {
		lines = append(lines, fmt.Sprintf("%s belonged to the cluster and is gone with all that was on it: it is made again, empty, and then installed anew", strings.Join(lost, ", ")))
	}
	if len(lines) == 0 {
		lines = append(lines, "read the inventory and log in to new machines")
	}
	return lines
}

// make applies the plan that was shown, keeps the inventory and meets the new machines.
func (m *Machines) make(ctx context.Context, say op.Say) error {
	m.saying(say)
	defer m.saying(nil)
	if !m.plan.Empty() {
		for _, name := range machinesIn(m.plan.Create, m.plan.Replace) {
			if !slices.Contains(m.kept.Making, name) {
				m.kept.Making = append(m.kept.Making, name)
			}
		}
		if err := m.kept.Write(m.cluster); err != nil {
			return err
		}
		if err := m.driver.Apply(ctx, m.plan); err != nil {
			return withCode(err)
		}
	}
	hosts, err := m.driver.Inventory(ctx)
	if err != nil {
		return withCode(err)
	}
	m.kept.Hosts, m.now = hosts, hosts
	m.kept.Making = slices.DeleteFunc(m.kept.Making, func(name string) bool { // given up after it failed
		_, there := m.kept.Host(name)
		return !there
	})
	if err := errors.Join(m.kept.Write(m.cluster), m.kept.Fill(m.cluster)); err != nil {
		return err
	}
	if err := m.meetAll(ctx, say); err != nil {
		return err
	}
	m.applied = true
	return nil
}

// meetAll logs in to all new machines, and forgets each that is met.
func (m *Machines) meetAll(ctx context.Context, say op.Say) error {
	c := m.cluster
	var through *host.Remote
	if c.SSH.Jump != "" {
		var err error
		if through, err = inventory.Jump(c, m.access); err != nil {
			return err
		}
		defer through.Close()
	}
	var all []host.Options
	for _, name := range m.kept.Making {
		h, _ := c.Host(name)
		all = append(all, m.kept.Options(c, h, m.access, through))
	}
	errs := make([]error, len(all))
	var group sync.WaitGroup
	for i, o := range all {
		group.Go(func() {
			if errs[i] = m.meet(ctx, o, say); errs[i] == nil {
				errs[i] = m.met(o.Name)
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

func (m *Machines) met(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kept.Making = slices.DeleteFunc(m.kept.Making, func(other string) bool { return other == name })
	return m.kept.Write(m.cluster)
}
