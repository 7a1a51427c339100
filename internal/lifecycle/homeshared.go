package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/jomctl/jomctl/internal/home/shared"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
	"github.com/jomctl/jomctl/provision/hosts"
)

// sharedStep tries a shared home from every host of the controller, before the first controller may run on it.
func (e *Env) sharedStep() op.Step {
	c := e.controller()
	file := filepath.Join(c.home, ".jomctl", "probed")
	names := strings.Split(c.names(), ", ")
	slices.Sort(names)
	want := strings.Join(names, "\n") + "\n"
	return op.Step{ID: "home-shared", Title: "Home " + c.home + " is one folder on " + c.names() + ", and locks hold there", Budget: time.Duration(len(c.on)+1) * 2 * shared.Patience,
		Probe: func(ctx context.Context) (op.State, error) {
			for _, m := range c.on {
				have, err := m.ReadFile(ctx, file)
				if errors.Is(err, fs.ErrNotExist) || err == nil && string(have) != want {
					return op.Needed, nil
				}
				if err != nil {
					return op.Needed, err
				}
			}
			return op.Done, nil
		},
		Changes: func(context.Context) []string {
			return []string{"write, rename and lock files in " + c.home + " from every one of them"}
		},
		Do: func(ctx context.Context, _ op.Say) error {
			for i, m := range c.on {
				if err := c.tryShared(ctx, i, (i+1)%len(c.on)); err != nil {
					return &Refusal{Problem: fmt.Sprintf("jenkins.home %s cannot be shared by %s and %s: %v", c.home, m.Name(), c.on[(i+1)%len(c.on)].Name(), err),
						Fix: "mount one folder there on every Mesos agent host, with locks that hold across hosts (NFS 4) and without squashing root"}
				}
			}
			_, err := c.on[0].WriteFile(ctx, file, []byte(want), 0o644)
			return err
		},
	}
}

// tryShared has one host hold what another tries. A single host only holds, which needs no other.
func (c controller) tryShared(ctx context.Context, holds, tries int) error {
	if holds == tries {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*shared.Patience)
	defer cancel()
	token := uuid.NewString()
	held := make(chan error, 1)
	go func() {
		_, err := c.on[holds].Run(ctx, hosts.BinPath("jomhome"), "share", "hold", c.home, token)
		held <- err
	}()
	_, err := c.on[tries].Run(ctx, hosts.BinPath("jomhome"), "share", "try", c.home, token)
	if err != nil {
		select {
		case first := <-held: // which then says more
			return errors.Join(first, err)
		default:
			cancel()
			<-held
			return err
		}
	}
	return <-held
}

// sharedFindings are the hosts on which a shared home is not mounted.
func (c controller) sharedFindings() []provision.Finding {
	if !c.shared() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), historyCheck)
	defer cancel()
	var findings []provision.Finding
	for _, m := range c.reached() {
		if _, err := m.Stat(ctx, c.home); errors.Is(err, fs.ErrNotExist) {
			findings = append(findings, provision.Finding{Subject: "jenkins.home.path", Problem: fmt.Sprintf("%s is not there on %s, although the home is shared", c.home, m.Name()), Fix: "mount it on every Mesos agent host"})
		}
	}
	return findings
}
