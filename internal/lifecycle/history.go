package lifecycle

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/home/git"
	"github.com/jomctl/jomctl/internal/home/history"
	"github.com/jomctl/jomctl/internal/home/owner"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
)

// historyCheck is how long preflight waits for the repository of the home's history.
const historyCheck = 30 * time.Second

// history is how jomhome keeps the home in git, nil where it does not: without jenkins.scm, and on hosts of their own.
func (c controller) history() *history.Config {
	scm := c.env.Cluster.Jenkins.SCM
	if scm == nil || c.env.own != nil {
		return nil
	}
	remote := c.historyRemote()
	return &history.Config{State: filepath.Join(filepath.Dir(c.dir), "history"), ZooKeeper: c.env.ZooKeeper.Servers, Lock: owner.Path(c.env.Cluster.Name),
		Repository: remote.URL, Branch: remote.Branch, Key: remote.Key, KnownHosts: remote.KnownHosts,
		QuietMillis: int(scm.Debounce.Duration().Milliseconds()), MaxMillis: int(scm.MaxDelay.Duration().Milliseconds())}
}

// historyRemote is the repository of jenkins.scm. Host keys for SSH are those that the user has accepted.
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

// HomeHistory is the home of the controller, and how its history is kept. The error is a *Refusal where none is.
func (e *Env) HomeHistory() (home string, config history.Config, err error) {
	c := e.controller()
	switch kept := c.history(); {
	case kept != nil:
		return c.home, *kept, nil
	case e.Cluster.Jenkins.SCM == nil:
		return "", history.Config{}, &Refusal{Problem: "the home has no history", Fix: "name a git repository in jenkins.scm, and run `jomctl install`"}
	}
	return "", history.Config{}, &Refusal{Problem: "this version of jomctl keeps the history of a home on target local only", Fix: "use jenkins.scm on target local"}
}

// RestoreHome is the plan that gives the home, or some files of it, an earlier state: the controller is stopped, pushes what it has,
// and its next start lays the files down. changes are the lines of the preview.
func RestoreHome(e *Env, order history.Order, changes []string) op.Plan {
	done := false
	step := op.Step{ID: "home-restore", Title: "Controller started again on the files of " + order.Commit[:12], Budget: e.controllerBudget(0),
		Probe:   func(context.Context) (op.State, error) { return needed(done), nil },
		Changes: func(context.Context) []string { return changes },
		Do: func(ctx context.Context, say op.Say) error {
			_, config, err := e.HomeHistory()
			if err != nil {
				return err
			}
			if err := config.Give(order); err != nil {
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
			if _, err := os.Stat(config.OrderFile()); err == nil {
				return fmt.Errorf("the controller has not carried out %s: its log says why", config.OrderFile())
			}
			done = true
			return nil
		}}
	ready := e.readyStep(0)
	return op.Plan{Verb: "home restore", Stages: []op.Stage{{Name: "Home", Steps: []op.Step{step, ready}}}}
}

// historyFindings asks the repository of the home's history whether it can be reached.
func (c controller) historyFindings() []provision.Finding {
	scm := c.env.Cluster.Jenkins.SCM
	if c.history() == nil {
		return nil
	}
	if strings.HasPrefix(string(scm.Key), "env:") {
		return []provision.Finding{{Subject: "jenkins.scm.key", Problem: "the controller reads the key again at every start, and a variable of this shell is not there then",
			Fix: "put the key into a file of mode 0600 and say key: file:PATH"}}
	}
	dir, err := os.MkdirTemp("", "jomctl-git-*")
	if err != nil {
		return []provision.Finding{{Subject: "jenkins.scm", Problem: err.Error()}}
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(context.Background(), historyCheck)
	defer cancel()
	remote := c.historyRemote()
	repo, err := git.Open(ctx, dir, remote)
	if err == nil {
		_, err = repo.Remotes(ctx)
	}
	if err == nil {
		return nil
	}
	fix := "see that `git ls-remote " + remote.URL + "` works for this user"
	switch {
	case strings.Contains(err.Error(), "Host key verification failed"):
		fix = "compare the host's key with what its owner says, and accept it once: ssh -T " + sshHost(remote.URL)
	case filepath.IsAbs(remote.URL):
		fix = "git init --bare " + remote.URL
	}
	return []provision.Finding{{Subject: "jenkins.scm.repository", Problem: fmt.Sprintf("%s cannot be read: %v", remote.URL, err), Fix: fix}}
}

// sshHost is what stands for the host in git@HOST:PATH and ssh://HOST/PATH.
func sshHost(url string) string {
	if rest, ok := strings.CutPrefix(url, "ssh://"); ok {
		host, _, _ := strings.Cut(rest, "/")
		return "ssh://" + host
	}
	host, _, _ := strings.Cut(url, ":")
	return host
}
