package lifecycle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/home/git"
	"github.com/jomctl/jomctl/internal/home/look"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
)

// historyCheck is how long preflight waits for the repository of the home's history.
const historyCheck = 30 * time.Second

// historyFindings asks whether the repository of the home's history can be reached by those who need it.
func (c controller) historyFindings() []provision.Finding {
	if c.env.Cluster.Jenkins.SCM == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), historyCheck)
	defer cancel()
	if c.env.own != nil {
		return c.historyFindingsThere(ctx)
	}
	return c.historyFindingsHere(ctx)
}

func (c controller) historyFindingsHere(ctx context.Context) []provision.Finding {
	if strings.HasPrefix(string(c.env.Cluster.Jenkins.SCM.Key), "env:") {
		return []provision.Finding{{Subject: "jenkins.scm.key", Problem: "the controller reads the key again at every start, and a variable of this shell is not there then",
			Fix: "put the key into a file of mode 0600 and say key: file:PATH"}}
	}
	dir, err := os.MkdirTemp("", "jomctl-git-*")
	if err != nil {
		return []provision.Finding{{Subject: "jenkins.scm", Problem: err.Error()}}
	}
	defer os.RemoveAll(dir)
	remote := c.historyRemote()
	repo, err := git.Open(ctx, dir, remote)
	if err == nil {
		_, err = repo.Remotes(ctx)
	}
	if err == nil {
		return nil
	}
	return []provision.Finding{{Subject: "jenkins.scm.repository", Problem: fmt.Sprintf("%s cannot be read: %v", remote.URL, err), Fix: historyFix(remote.URL, "for this user", err)}}
}

// historyFix is what can be done about a repository that cannot be used; where says from where.
func historyFix(url, where string, err error) string {
	switch {
	case strings.Contains(err.Error(), "Host key verification failed"):
		return "compare the host's key with what its owner says, and accept it once on this machine: ssh -T " + sshHost(url)
	case strings.Contains(err.Error(), "not written to"):
		return "allow the key or token of jenkins.scm.key to push to " + url
	case filepath.IsAbs(url):
		return "git init --bare " + url
	}
	return "see that `git ls-remote " + url + "` works " + where
}

// historyFindingsThere says what can be known before anything is put on the hosts of the controller: that there is a key, that the
// server's key is known, and that its port answers from those hosts. Whether they can write is tried before the controller starts.
func (c controller) historyFindingsThere(ctx context.Context) []provision.Finding {
	url := c.env.Cluster.Jenkins.SCM.Repository
	var findings []provision.Finding
	add := func(subject, problem, fix string) {
		findings = append(findings, provision.Finding{Subject: subject, Problem: problem, Fix: fix})
	}
	if _, err := c.env.Cluster.Jenkins.SCM.Key.Resolve(c.env.Cluster); err != nil {
		add("jenkins.scm.key", err.Error(), "put the key or token there; the hosts of the controller get a copy that only root can read")
	}
	name, port, overSSH := sshServer(url)
	if overSSH {
		if _, err := c.env.knownKeys(url); err != nil {
			add("jenkins.scm.repository", err.Error(), "compare the host's key with what its owner says, and accept it once on this machine: ssh -T "+sshHost(url))
		}
	} else {
		name, port = webServer(url)
	}
	path := strings.TrimPrefix(url, "file://")
	isPath := filepath.IsAbs(path)
	if !isPath && name == "" {
		add("jenkins.scm.repository", url+" is a path of this machine, and the controller runs on "+c.names(), "name the whole path on those hosts, or a repository on a server")
	}
	for _, m := range c.reached() {
		switch {
		case isPath:
			if _, err := m.Stat(ctx, filepath.Join(path, "HEAD")); errors.Is(err, fs.ErrNotExist) {
				add("jenkins.scm.repository", fmt.Sprintf("there is no repository %s on %s, where the controller runs", url, m.Name()), "on "+m.Name()+": git init --bare "+path)
			}
		case name != "":
			if err := reaches(ctx, m, name, port); err != nil {
				add("jenkins.scm.repository", fmt.Sprintf("%s does not reach port %s of %s: %v", m.Name(), port, name, err), "see that the hosts of the controller can resolve and reach it")
			}
		}
	}
	return findings
}

// reached are the hosts of the controller that have been looked at.
func (c controller) reached() []host.Machine {
	o := c.env.own
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []host.Machine
	for _, m := range c.on {
		if _, known := o.facts[m.Name()]; known {
			all = append(all, m)
		}
	}
	return all
}

func (c controller) names() string {
	var names []string
	for _, m := range c.on {
		names = append(names, m.Name())
	}
	return strings.Join(names, ", ")
}

// scmStep tries from every host of the controller whether the history can be read and written, before the controller depends on it.
func (e *Env) scmStep() op.Step {
	c := e.controller()
	stampFile := filepath.Join(c.scmDir(), "checked")
	stamp := func() (string, error) {
		files, err := c.scmFiles()
		sum := sha256.New()
		fmt.Fprintf(sum, "%s %s\n", e.Cluster.Jenkins.SCM.Repository, e.Cluster.Jenkins.SCM.Branch)
		for _, file := range files {
			sum.Write(file.Data)
		}
		return hex.EncodeToString(sum.Sum(nil)) + "\n", err
	}
	untried := func(ctx context.Context) (all []host.Machine, want string, err error) {
		if want, err = stamp(); err != nil {
			return nil, "", err
		}
		for _, m := range c.on {
			if have, err := m.ReadFile(ctx, stampFile); err != nil || string(have) != want {
				all = append(all, m)
			}
		}
		return all, want, nil
	}
	return op.Step{ID: "history-reached", Title: "History of the home can be read and written from " + c.names(), Budget: 5 * time.Minute,
		Probe: func(ctx context.Context) (op.State, error) {
			all, _, err := untried(ctx)
			return op.NeededUnless(len(all) == 0), err
		},
		Changes: func(context.Context) []string {
			return []string{"push a commit to " + e.Cluster.Jenkins.SCM.Repository + " and take it away again"}
		},
		Do: func(ctx context.Context, _ op.Say) error {
			all, want, err := untried(ctx)
			if err != nil {
				return err
			}
			for _, m := range all {
				if _, err := e.askHome(ctx, m, look.Question{Verb: look.Check}); err != nil {
					url := e.Cluster.Jenkins.SCM.Repository
					return &Refusal{Problem: fmt.Sprintf("%s cannot be used from %s: %v", url, m.Name(), err), Fix: historyFix(url, "on "+m.Name()+" with that key", err)}
				}
				if _, err := m.WriteFile(ctx, stampFile, []byte(want), 0o600); err != nil {
					return err
				}
			}
			return nil
		},
	}
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

// sshServer is the server of a URL that git reaches over SSH.
func sshServer(url string) (name, port string, ok bool) {
	at, whole := strings.CutPrefix(url, "ssh://")
	switch {
	case whole:
		at, _, _ = strings.Cut(at, "/")
	case strings.Contains(url, "://") || strings.HasPrefix(url, "/") || strings.HasPrefix(url, "."):
		return "", "", false
	default:
		var found bool
		if at, _, found = strings.Cut(url, ":"); !found || strings.Contains(at, "/") {
			return "", "", false
		}
	}
	if i := strings.LastIndex(at, "@"); i >= 0 {
		at = at[i+1:]
	}
	if name, port, err := net.SplitHostPort(at); err == nil && whole {
		return name, port, true
	}
	return strings.Trim(at, "[]"), "22", true
}

// webServer is the server of a URL that git reaches over HTTP; empty where it does not.
func webServer(url string) (name, port string) {
	for scheme, usual := range map[string]string{"https://": "443", "http://": "80"} {
		if at, ok := strings.CutPrefix(url, scheme); ok {
			at, _, _ = strings.Cut(at, "/")
			if i := strings.LastIndex(at, "@"); i >= 0 {
				at = at[i+1:]
			}
			if name, port, err := net.SplitHostPort(at); err == nil {
				return name, port
			}
			return strings.Trim(at, "[]"), usual
		}
	}
	return "", ""
}
