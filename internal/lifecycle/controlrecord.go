package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
)

// controlRecord is a change of the control hosts that has begun and has not ended. While it is there the hosts of two clusters
// may have something on them: those of installed.yaml and those of the record.
type controlRecord struct {
	// Cluster is what the change leads to, as a cluster file.
	Cluster string `json:"cluster"`
	// Before is the text of the cluster file as it was.
	Before string `json:"before,omitempty"`
	// Drained are the Mesos agents that were out of service before the change began, and stay so.
	Drained []string `json:"drained,omitempty"`
	// GivenUp are the hosts that go and could not be reached.
	GivenUp []string `json:"givenUp,omitempty"`
	// to is Cluster as it was read.
	to *config.Cluster
}

func controlRecordFile(stateDir string) string { return filepath.Join(stateDir, "control-change.json") }

// readControlRecord is nil where no change is under way.
func readControlRecord(file string) (*controlRecord, error) {
	path := controlRecordFile((&config.Cluster{File: file}).StateDir())
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // none is an answer
	}
	if err != nil {
		return nil, fmt.Errorf("reading the change of the control hosts: %w", err)
	}
	r := &controlRecord{}
	if err = json.Unmarshal(data, r); err == nil {
		r.to, err = config.Parse([]byte(r.Cluster), file)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the change of the control hosts: %s cannot be used (mend it, or remove it and look yourself at the hosts that were to join): %w", path, err)
	}
	return r, nil
}

// sameControl says whether two clusters have the same control hosts in the same order.
func sameControl(a, b *config.Cluster) bool {
	return slices.EqualFunc(a.HostsWith(config.RoleControl), b.HostsWith(config.RoleControl), func(a, b config.Host) bool {
		return a.Name == b.Name && a.Address == b.Address
	})
}

// cutOff is the finding that a change of the control hosts waits to be finished. The change itself is none.
func (e *Env) cutOff() ([]provision.Finding, error) {
	r, err := readControlRecord(e.Cluster.File)
	same := err == nil && r != nil && sameControl(r.to, e.Cluster)
	if err != nil || r == nil || same && len(e.intended) > 0 {
		return nil, err
	}
	fix := "run `jomctl resume`, which finishes it, or, as long as no ZooKeeper server was touched, `jomctl rollback`, which takes it back"
	if !same {
		fix = "write " + hostNames(r.to) + " into the file again and run `jomctl resume`, which finishes it"
	}
	return []provision.Finding{{Subject: e.Cluster.File + ": the control hosts: " + hostNames(e.Cluster),
		Problem: "a change of them to " + hostNames(r.to) + " was begun and not finished, so that programs of both may run",
		Fix:     fix + " (a host that was lost meanwhile needs another machine at its address); `jomctl destroy` also removes what it has begun"}}, nil
}

// WithJoining is an installed cluster together with the hosts that a change of the control hosts was bringing in when it was cut
// off, and without those that it has given up, for those who end everything.
func WithJoining(c *config.Cluster) (*config.Cluster, error) {
	r, err := readControlRecord(c.File)
	if err != nil || r == nil {
		return c, err
	}
	all := c.Clone()
	all.Hosts = slices.DeleteFunc(all.Hosts, func(h config.Host) bool { return slices.Contains(r.GivenUp, h.Name) })
	for _, h := range r.to.Hosts {
		if _, there := all.Host(h.Name); !there {
			all.Hosts = append(all.Hosts, h)
		}
	}
	return all, nil
}

// beginStep writes down what begins, before a host is touched.
func (c *controlChange) beginStep() op.Step {
	e := c.env
	path, done := controlRecordFile(e.Cluster.StateDir()), e.recordStep().Probe
	return op.Step{ID: "control-change", Title: "Record of what is under way",
		Probe: func(ctx context.Context) (op.State, error) {
			if r, err := readControlRecord(e.Cluster.File); err != nil || r != nil {
				return needed(r != nil && sameControl(r.to, e.Cluster)), err
			}
			return done(ctx) // which has ended
		},
		Changes: func(context.Context) []string { return []string{"write " + path + ", until all is done"} },
		Do: func(context.Context, op.Say) error {
			before, err := os.ReadFile(e.Cluster.File)
			if err != nil {
				return fmt.Errorf("keeping the cluster file as it is: %w", err)
			}
			data, err := json.MarshalIndent(controlRecord{Cluster: string(config.Show(declared(e.Cluster))), Before: string(before), Drained: c.drained,
				GivenUp: slices.Sorted(maps.Keys(c.dead))}, "", "  ")
			if err != nil {
				return err
			}
			return writeHere(path, append(data, '\n'), 0o600)
		},
	}
}

// endStep makes the changed cluster the installed one.
func (c *controlChange) endStep() op.Step {
	path, record := controlRecordFile(c.env.Cluster.StateDir()), c.env.recordStep()
	step := record
	step.Probe = func(ctx context.Context) (op.State, error) {
		if len(there([]string{path})) > 0 {
			return op.Needed, nil
		}
		return record.Probe(ctx)
	}
	step.Changes = func(ctx context.Context) []string {
		return append(record.Changes(ctx), removals(there([]string{path}))...)
	}
	step.Do = func(ctx context.Context, say op.Say) error {
		if err := record.Do(ctx, say); err != nil {
			return err
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("ending the change of the control hosts: %w", err)
		}
		return nil
	}
	return step
}

// outOfService are the Mesos agents that somebody has drained. Where Mesos does not answer nobody knows, and there are none.
func (e *Env) outOfService(ctx context.Context) []string {
	agents, err := e.Agents(ctx)
	if err != nil {
		return nil
	}
	var names []string
	for _, agent := range agents {
		if agent.InFile && (agent.State == AgentDrained || agent.State == AgentDraining) {
			names = append(names, agent.Name)
		}
	}
	return names
}
