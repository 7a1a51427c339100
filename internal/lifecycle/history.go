package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/home/git"
	"github.com/jomctl/jomctl/internal/home/history"
	"github.com/jomctl/jomctl/internal/home/look"
	"github.com/jomctl/jomctl/internal/home/owner"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
)

// scmDir is where the controller's hosts have what reaches the repository of the history.
func (c controller) scmDir() string { return filepath.Join(filepath.Dir(c.dir), "scm") }

// history is how jomhome locks the home and keeps it in git; nil where it does neither: without jenkins.scm, on a home that only one
// host has.
func (c controller) history() *history.Config {
	scm, shared := c.env.Cluster.Jenkins.SCM, c.shared()
	if scm == nil && !shared {
		return nil
	}
	kept := &history.Config{State: filepath.Join(filepath.Dir(c.dir), "history"), ZooKeeper: c.env.ZooKeeper.Servers, Lock: owner.Path(c.env.Cluster.Name)}
	if shared {
		kept.Beside = filepath.Join(c.home, ".jomctl", "history")
	}
	if scm == nil {
		return kept
	}
	remote := c.historyRemote()
	if c.env.own != nil {
		remote = c.historyThere()
	}
	kept.Repository, kept.Branch, kept.Key, kept.KnownHosts = remote.URL, remote.Branch, remote.Key, remote.KnownHosts
	kept.QuietMillis, kept.MaxMillis = int(scm.Debounce.Duration().Milliseconds()), int(scm.MaxDelay.Duration().Milliseconds())
	return kept
}

// shared says that more than one host has the home.
func (c controller) shared() bool {
	return c.env.own != nil && c.env.Cluster.Jenkins.Home.Type == config.HomeShared
}

// historyRemote is the repository of jenkins.scm as this machine reaches it. Host keys for SSH are those that the user has accepted.
func (c controller) historyRemote() git.Remote {
	scm := c.env.Cluster.Jenkins.SCM
	remote := git.Remote{URL: scm.Repository, Branch: scm.Branch}
	if strings.HasPrefix(remote.URL, ".") || strings.HasPrefix(remote.URL, "~") {
		remote.URL = c.env.Cluster.Resolve(remote.URL)
	}
	if path, ok := scm.Key.Path(c.env.Cluster); ok {
		remote.Key = path
	}
	if home, err := os.UserHomeDir(); err == nil {
		remote.KnownHosts = filepath.Join(home, ".ssh", "known_hosts")
	}
	return remote
}

// historyThere is the repository as the hosts of the controller reach it: by copies of the key and of the host keys.
func (c controller) historyThere() git.Remote {
	scm := c.env.Cluster.Jenkins.SCM
	remote := git.Remote{URL: scm.Repository, Branch: scm.Branch}
	if scm.Key != "" {
		remote.Key = filepath.Join(c.scmDir(), "key")
	}
	if _, _, ok := sshServer(scm.Repository); ok {
		remote.KnownHosts = filepath.Join(c.scmDir(), "known_hosts")
	}
	return remote
}

// scmFiles are those copies.
func (c controller) scmFiles() ([]provision.File, error) {
	scm := c.env.Cluster.Jenkins.SCM
	if scm == nil || c.env.own == nil {
		return nil, nil
	}
	var files []provision.File
	there := c.historyThere()
	if there.Key != "" {
		key, err := scm.Key.Resolve(c.env.Cluster)
		if err != nil {
			return nil, fmt.Errorf("reading jenkins.scm.key: %w", err)
		}
		files = append(files, provision.File{Path: there.Key, Data: []byte(key + "\n"), Mode: 0o600})
	}
	if there.KnownHosts != "" {
		lines, err := c.env.knownKeys(scm.Repository)
		if err != nil {
			return nil, err
		}
		files = append(files, provision.File{Path: there.KnownHosts, Data: lines, Mode: 0o644})
	}
	return files, nil
}

// RestoreHome is the plan that gives the home, or some files of it, an earlier state: the controller is stopped, pushes what it has,
// and its next start lays the files down. changes are the lines of the preview.
func RestoreHome(h *Home, commit string, only, changes []string) op.Plan {
	done, e := false, h.env
	step := op.Step{ID: "home-restore", Title: "Controller started again on the files of " + commit[:12], Budget: e.controllerBudget(0),
		Probe:   func(context.Context) (op.State, error) { return op.NeededUnless(done), nil },
		Changes: func(context.Context) []string { return changes },
		Do: func(ctx context.Context, say op.Say) error {
			if _, err := h.Ask(ctx, look.Question{Verb: look.Order, Commits: []string{commit}, Paths: only}); err != nil {
				return err
			}
			if err := e.settle(ctx, say); err != nil {
				return err
			}
			deployed, err := e.Marathon.Restart(ctx, e.AppID(), false)
			if err != nil {
				return err
			}
			if err := e.awaitDeployed(ctx, deployed.Version, stuckAfter, say); err != nil {
				return err
			}
			if left, err := h.Ask(ctx, look.Question{Verb: look.Ordered}); err != nil || left.Waits {
				return errors.Join(err, fmt.Errorf("the controller has not carried out %s: its log says why", h.Config.OrderFile()))
			}
			done = true
			return nil
		}}
	ready := e.readyStep(0)
	return op.Plan{Verb: "home restore", Stages: []op.Stage{{Name: "Home", Steps: []op.Step{step, ready}}}}
}
