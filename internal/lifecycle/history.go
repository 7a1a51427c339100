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
