package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/jomctl/jomctl/internal/config"
)

// ControlChange is a change of the control hosts that has begun and has not ended. While it is there the hosts of two clusters
// may have something on them: those of installed.yaml and those of the record.
type ControlChange struct {
	// Cluster is what the change leads to, as a cluster file.
	Cluster string `json:"cluster"`
	// Before is the text of the cluster file as it was.
	Before string `json:"before,omitempty"`
	// Drained are the Mesos agents that were out of service before the change began, and stay so.
	Drained []string `json:"drained,omitempty"`
	// GivenUp are the hosts that go and could not be reached.
	GivenUp []string `json:"givenUp,omitempty"`
	// To is Cluster as it was read.
	To *config.Cluster `json:"-"`
}

// ControlChangeFile, in the state folder, is where it is kept.
func ControlChangeFile(stateDir string) string { return filepath.Join(stateDir, "control-change.json") }

// ReadControlChange is the change that was begun beside the cluster file, nil where none is under way.
func ReadControlChange(file string) (*ControlChange, error) {
	path := ControlChangeFile((&config.Cluster{File: file}).StateDir())
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // none is an answer
	}
	if err != nil {
		return nil, fmt.Errorf("reading the change of the control hosts: %w", err)
	}
	r := &ControlChange{}
	if err = json.Unmarshal(data, r); err == nil {
		r.To, err = config.Parse([]byte(r.Cluster), file)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the change of the control hosts: %s cannot be used (mend it, or remove it and look yourself at the hosts that were to join): %w", path, err)
	}
	return r, nil
}

// SameControl says whether two clusters have the same control hosts in the same order.
func SameControl(a, b *config.Cluster) bool {
	return slices.EqualFunc(a.HostsWith(config.RoleControl), b.HostsWith(config.RoleControl), func(a, b config.Host) bool {
		return a.Name == b.Name && a.Address == b.Address
	})
}

// WithJoining is an installed cluster together with the hosts that a change of the control hosts was bringing in when it was cut
// off, and without those that it has given up, for those who end everything.
func WithJoining(c *config.Cluster) (*config.Cluster, error) {
	r, err := ReadControlChange(c.File)
	if err != nil || r == nil {
		return c, err
	}
	all := c.Clone()
	all.Hosts = slices.DeleteFunc(all.Hosts, func(h config.Host) bool { return slices.Contains(r.GivenUp, h.Name) })
	for _, h := range r.To.Hosts {
		if _, there := all.Host(h.Name); !there {
			all.Hosts = append(all.Hosts, h)
		}
	}
	return all, nil
}
