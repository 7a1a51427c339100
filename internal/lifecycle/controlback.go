package lifecycle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/inventory"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/wholefile"
	"github.com/jomctl/jomctl/provision/hosts"
)

// harmless are the steps of a change of the control hosts after which the cluster is still the old one, but for what hosts have got that
// were to join; base- and programs- of all hosts are such, too.
func harmless(step string) bool {
	return slices.Contains([]string{"control-change", "cluster-file", "war", "admin-password", "sources"}, step) ||
		strings.HasPrefix(step, "base-") || strings.HasPrefix(step, "programs-")
}

// ControlWayBack is the plan by which op.Rollback takes back a change of the control hosts that has begun these steps and not ended: what the
// hosts that were to join have got goes, and the cluster file is as it was. It is a *Refusal as soon as a program of the control hosts may
// have been touched, because ZooKeeper and the masters may then count with the new ones.
func ControlWayBack(c *config.Cluster, begun []string, access inventory.Access) (op.Plan, error) {
	r, err := record.ReadControlChange(c.File)
	if err != nil {
		return op.Plan{}, err
	}
	if at := slices.IndexFunc(begun, func(step string) bool { return !harmless(step) }); at >= 0 {
		return op.Plan{}, &Refusal{Problem: "the change of the control hosts is not taken back, as it has come to " + begun[at] + ", and what runs may count with the new ones",
			Fix: "go on with `jomctl resume`; then `jomctl control` is also the way back (`remove` for `add`, `add` for `remove`)"}
	}
	steps := map[string]func(context.Context, op.Say) error{}
	if r != nil { // otherwise a rollback that was cut off has come to its end
		if r.Before == "" && slices.Contains(begun, "cluster-file") {
			return op.Plan{}, &Refusal{Problem: "the cluster file of before the change was not kept", Fix: "go on with `jomctl resume`"}
		}
		if slices.Contains(begun, "cluster-file") {
			if err := onlyOurs(r, c); err != nil {
				return op.Plan{}, err
			}
		}
		if err := undoControl(r, c, access, steps); err != nil {
			return op.Plan{}, err
		}
	}
	stage := op.Stage{Name: "Taken back"}
	for _, id := range begun {
		stage.Steps = append(stage.Steps, op.Step{ID: id, Title: id, Undo: steps[id],
			Probe: func(context.Context) (op.State, error) { return op.Done, nil }, Do: func(context.Context, op.Say) error { return nil }})
	}
	return op.Plan{Verb: "control", Stages: []op.Stage{stage}}, nil
}

// onlyOurs is a *Refusal where the cluster file says something that neither was there before the change nor came with it: the way back would take
// that with it.
func onlyOurs(r *record.ControlChange, c *config.Cluster) error {
	text, err := os.ReadFile(c.File)
	if errors.Is(err, fs.ErrNotExist) || err == nil && string(text) == r.Before {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the cluster file: %w", err)
	}
	now, err := config.Parse(text, c.File)
	if err == nil && bytes.Equal(record.InstalledText(now), record.InstalledText(r.To)) {
		return nil
	}
	return &Refusal{Problem: c.File + " was changed after the change of the control hosts had begun, and its text of before would take the place of that",
		Fix: "keep a copy of it, set it back to what it said when the change began, with " + record.ControlNames(r.To) + " as control hosts, and run `jomctl rollback` again; or go on with `jomctl resume`"}
}

// undoControl is what takes the steps back that leave something.
func undoControl(r *record.ControlChange, c *config.Cluster, access inventory.Access, steps map[string]func(context.Context, op.Say) error) error {
	steps["control-change"] = func(context.Context, op.Say) error {
		if err := os.Remove(record.ControlChangeFile(c.StateDir())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("ending the change of the control hosts: %w", err)
		}
		return nil
	}
	steps["cluster-file"] = func(context.Context, op.Say) error { return wholefile.Replace(c.File, []byte(r.Before)) }
	if c.Target == config.TargetLocal {
		return nil
	}
	before, err := record.InstalledOr(c)
	if err != nil {
		return err
	}
	env, err := lookHosts(r.To, access)
	if err != nil {
		return err
	}
	for _, h := range r.To.HostsWith(config.RoleControl) {
		if _, was := before.Host(h.Name); was {
			continue
		}
		steps["base-"+h.Name] = func(ctx context.Context, say op.Say) error {
			m := env.own.remotes[h.Name]
			if err := m.Connect(ctx); err != nil {
				say("%s cannot be reached, and what it has got stays there: %v", h.Name, err)
				return nil
			}
			_, err := hosts.NewRemoval(env.Cluster, h, m, env.own.keeper, false).Apply(ctx)
			return err
		}
	}
	return nil
}
