// Package clusterfile changes what a cluster file says: hosts that come and go, times, the release. Everything else in the file, comments included,
// stays as its author wrote it; what cannot be written so is refused, with the lines to write by hand.
package clusterfile

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/config/edit"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/wholefile"
)

// Change is a new text of a cluster file and the cluster that it describes.
type Change struct {
	Cluster *config.Cluster
	// Changed are the lines that come and go, for the preview; empty when the file says it already.
	Changed []string
	text    []byte
}

// change edits the text and proves that the new one means what is wanted and nothing else.
func change(c *config.Cluster, old []byte, wanted, show []config.Host, work func(*edit.File) error) (Change, error) {
	refuse := func(err error) (Change, error) {
		var lines []string
		for _, h := range show {
			lines = append(lines, "  - "+edit.HostLine(h))
		}
		return Change{}, &op.Refusal{Problem: fmt.Sprintf("%s cannot be changed without touching what you have written: %v", c.File, err),
			Fix: "write these lines yourself, then run the command again:\nhosts:\n" + strings.Join(lines, "\n")}
	}
	e, err := edit.Parse(old)
	if err == nil {
		err = work(e)
	}
	if err != nil {
		return refuse(err)
	}
	now, err := config.Parse(e.Text(), c.File)
	if err != nil {
		return Change{}, err
	}
	if !slices.EqualFunc(now.Hosts, wanted, sameHost) {
		return refuse(edit.ErrWritten)
	}
	return Change{Cluster: now, Changed: edit.Diff(old, e.Text()), text: e.Text()}, nil
}

func sameHost(a, b config.Host) bool {
	if len(a.Attributes) == 0 && len(b.Attributes) == 0 {
		a.Attributes, b.Attributes = nil, nil
	}
	return reflect.DeepEqual(a, b)
}

// changeHosts reads the file and edits it; lines are what its author has to write where that cannot be done.
func changeHosts(c *config.Cluster, lines []config.Host, work func(*edit.File) error, wanted []config.Host) (Change, error) {
	text, err := os.ReadFile(c.File)
	if err != nil {
		return Change{}, fmt.Errorf("read the cluster file: %w", err)
	}
	if lines == nil {
		lines = wanted
	}
	return change(c, text, wanted, lines, work)
}

// Step writes the changed cluster file.
func (f Change) Step() op.Step {
	path := f.Cluster.File
	return op.Step{ID: "cluster-file", Title: "Cluster file " + path,
		Probe: func(context.Context) (op.State, error) {
			old, err := os.ReadFile(path)
			return op.NeededUnless(bytes.Equal(old, f.text)), err
		},
		Changes: func(context.Context) []string { return f.Changed },
		Do:      func(context.Context, op.Say) error { return wholefile.Replace(path, f.text) },
	}
}

// Stage is the stage of that step.
func (f Change) Stage() op.Stage {
	return op.Stage{Name: "Cluster file", Steps: []op.Step{f.Step()}}
}
