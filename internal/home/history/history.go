// Package history brings a home, its lock and its history together for one run of a controller: before the start it takes the
// lock, decides, restores and claims; while the controller runs it keeps the history; afterwards it says the last word.
package history

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/jomctl/jomctl/internal/home/claim"
	"github.com/jomctl/jomctl/internal/home/git"
	"github.com/jomctl/jomctl/internal/home/owner"
	"github.com/jomctl/jomctl/internal/home/restore"
	homesync "github.com/jomctl/jomctl/internal/home/sync"
)

// Config is what a run is told, as it lies in the controller file.
type Config struct {
	// State is a folder outside of the home, on the same host: the local repository and the status.
	State string `json:"state"`
	// Beside, where set, is a folder that all hosts of a shared home see: it holds the status and orders, which are in State otherwise.
	Beside string `json:"beside,omitempty"`
	// ZooKeeper are host:port of the servers that keep the lock, Lock its folder there. Without servers there is no lock.
	ZooKeeper []string `json:"zookeeper,omitempty"`
	Lock      string   `json:"lock,omitempty"`
	// SessionMillis is the session timeout of the lock; 0 is the usual one.
	SessionMillis int `json:"sessionMillis,omitempty"`
	// Repository, Branch, Key and KnownHosts are the remote's (git.Remote). Without a repository there is only the lock, with its epoch.
	Repository string `json:"repository"`
	Branch     string `json:"branch"`
	Key        string `json:"key,omitempty"`
	KnownHosts string `json:"knownHosts,omitempty"`
	// QuietMillis and MaxMillis put a commit off; 0 is the usual.
	QuietMillis int `json:"quietMillis,omitempty"`
	MaxMillis   int `json:"maxMillis,omitempty"`
}

// Names in Config.State.
const (
	repoName   = "home.git"
	statusName = "status.json"
)

// RepoDir is the local repository.
func (c Config) RepoDir() string { return filepath.Join(c.State, repoName) }

// StatusFile is where the status is.
func (c Config) StatusFile() string { return filepath.Join(c.beside(), statusName) }

func (c Config) beside() string {
	if c.Beside != "" {
		return c.Beside
	}
	return c.State
}

// Remote is the repository that is pushed to.
func (c Config) Remote() git.Remote {
	return git.Remote{URL: c.Repository, Branch: c.Branch, Key: c.Key, KnownHosts: c.KnownHosts}
}

// Check returns what is wrong with the configuration.
func (c Config) Check() error {
	var problems []error
	if !filepath.IsAbs(c.State) {
		problems = append(problems, fmt.Errorf("history.state: %q: want an absolute path", c.State))
	}
	switch {
	case c.Repository == "" && len(c.ZooKeeper) == 0:
		problems = append(problems, errors.New("history.repository and history.zookeeper: want at least one"))
	case (c.Repository == "") != (c.Branch == ""):
		problems = append(problems, errors.New("history.repository and history.branch: want both"))
	}
	if len(c.ZooKeeper) > 0 && c.Lock == "" {
		problems = append(problems, errors.New("history.lock: missing"))
	}
	return errors.Join(problems...)
}

// Run is one controller's time with a home.
type Run struct {
	Config Config
	// Home is JENKINS_HOME.
	Home string
	// Host, Task and Address (host:port of the controller) say who this is.
	Host, Task, Address string
	// Say is told what a person should know.
	Say func(format string, args ...any)

	held   *owner.Held
	repo   *git.Repo
	engine *homesync.Engine
	me     claim.Owner
	epoch  owner.Epoch // the last one before ours
	folder fs.FileInfo // of the home, as it was claimed

	cancel context.CancelFunc
	failed chan error
	once   sync.Once
	group  sync.WaitGroup
}

// RefusedError means that the controller must not start on this home.
type RefusedError struct{ Why, Fix, Kept string }

func (e *RefusedError) Error() string {
	text := "the controller is not started: " + e.Why
	if e.Kept != "" {
		text += "; what the home holds is kept in the repository as the branch " + e.Kept
	}
	return text + "; " + e.Fix
}

// Open does everything that must be done before Jenkins may start. It waits for the lock, and for git where the start needs
// it, until the context ends. A home that must not be used is a *RefusedError. After an error nothing is held.
func (r *Run) Open(ctx context.Context) (err error) {
	if r.Say == nil {
		r.Say = func(string, ...any) {}
	}
	defer func() {
		if err != nil {
			r.noteStart(err)
			if r.held != nil {
				r.held.Release()
			}
		}
	}()
	for _, dir := range []string{r.Config.State, r.Config.beside()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("making the folder of the home's history: %w", err)
		}
	}
	if err := r.lock(ctx); err != nil {
		return err
	}
	if r.Config.Repository == "" {
		return r.lockOnly(ctx)
	}
	if r.repo, err = r.open(ctx); err != nil {
		return err
	}
	marker, _, err := claim.ReadMarker(r.Home)
	if err != nil {
		return err
	}
	r.me = claim.Owner{Home: marker.Home, Host: r.Host, Task: r.Task, Started: time.Now().UTC().Truncate(time.Second)}
	options, err := r.own(ctx)
	if err != nil {
		return err
	}
	if r.folder, err = os.Stat(r.Home); err != nil {
		return fmt.Errorf("looking at the home: %w", err)
	}
	if err := r.carryOut(ctx); err != nil {
		return err
	}
	r.engine, err = homesync.New(ctx, options)
	return err
}

// lockOnly raises the epoch of a home without a history. A later epoch, or a lost lock, ends its controller all the same.
func (r *Run) lockOnly(ctx context.Context) error {
	marker, _, err := claim.ReadMarker(r.Home)
	if err != nil {
		return err
	}
	if marker.Home == "" {
		marker.Home = newHomeID()
	}
	r.me = claim.Owner{Home: marker.Home, Epoch: max(r.epoch.Number, marker.Epoch) + 1}
	marker.Epoch = r.me.Epoch
	if err := claim.WriteMarker(r.Home, marker); err != nil {
		return err
	}
	if err := r.announce(ctx, r.me.Epoch); err != nil {
		return err
	}
	return homesync.WriteStatus(r.Config.StatusFile(), homesync.Status{Epoch: r.me.Epoch, Written: time.Now()})
}

func (r *Run) lock(ctx context.Context) error {
	if len(r.Config.ZooKeeper) == 0 {
		return nil
	}
	lock := owner.Lock{Servers: r.Config.ZooKeeper, Path: r.Config.Lock, Session: time.Duration(r.Config.SessionMillis) * time.Millisecond, Say: r.Say}
	held, err := lock.Acquire(ctx, owner.Holder{Host: r.Host, Task: r.Task, PID: os.Getpid(), Address: r.Address, Boot: owner.Boot(), File: fileID(filepath.Join(r.Home, ".jomctl", "owner"))})
	if err != nil {
		return err
	}
	r.held = held
	r.epoch, err = held.Epoch(ctx)
	return err
}

// fileID names the file that this process has locked, if it has, so that it can tell an earlier holder for dead.
func fileID(name string) string {
	info, err := os.Stat(name)
	if err != nil {
		return ""
	}
	sys, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%d:%d", sys.Dev, sys.Ino)
}

// Start begins to keep the history. Failed tells when the controller has to stop.
func (r *Run) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel, r.failed = cancel, make(chan error, 1)
	if r.engine != nil {
		r.group.Go(func() {
			if err := r.engine.Run(ctx); err != nil {
				r.fail(err)
			}
		})
		r.group.Go(func() { r.writeMetrics(ctx) })
	}
	if r.held != nil {
		r.group.Go(func() {
			select {
			case <-r.held.Lost():
				r.fail(r.held.Reason())
			case <-ctx.Done():
			}
		})
	}
}

func (r *Run) fail(err error) { r.once.Do(func() { r.failed <- err }) }

// Failed yields the reason why the controller must be killed at once: the lock is lost, or the history is another's.
func (r *Run) Failed() <-chan error { return r.failed }

// Reason is why the lock is lost, nil while it is not. It is asked before Jenkins is started.
func (r *Run) Reason() error {
	if r.held == nil {
		return nil
	}
	return r.held.Reason()
}

// Sure returns the epoch, 0 without a lock in ZooKeeper, as long as the home is this controller's beyond doubt.
func (r *Run) Sure() (int64, error) {
	if r.held == nil {
		return 0, nil
	}
	return r.held.Sure()
}

// Left is how long the controller may live from now on if this process learns nothing more of its lock; ok is false without a lock.
func (r *Run) Left() (left time.Duration, ok bool) {
	if r.held == nil {
		return 0, false
	}
	return r.held.Left(), true
}

// Close is called when Jenkins is gone, or was never started: it pushes what is left, or keeps it as a branch where the history is
// another's by now, and gives the lock back. Its error says what is not pushed.
func (r *Run) Close(ctx context.Context) error {
	if r.held != nil {
		defer r.held.Release()
	}
	if r.cancel == nil {
		return nil
	}
	r.cancel()
	r.group.Wait()
	if r.engine == nil {
		return nil
	}
	// No command of ours runs any more: a lock of git's is what one that was cut off has left.
	if err := r.repo.Recover(); err != nil {
		r.Say("%v", err)
	}
	err := r.engine.Flush(ctx)
	if errors.Is(err, homesync.ErrFenced) {
		head, _ := r.engine.Head()
		kept, keepErr := r.keep(ctx, head)
		if keepErr == nil && kept != "" {
			r.Say("what this controller could not push is kept as the branch %s", kept)
		}
		return errors.Join(err, keepErr)
	}
	return err
}

// keep pushes the home as it is as a branch of lost work. The branch is named by what it holds, so that a controller that is
// started again and again makes one.
func (r *Run) keep(ctx context.Context, parent git.Hash) (string, error) {
	epoch := r.me.Epoch
	if marker, ok, err := claim.ReadMarker(r.Home); err == nil && ok {
		epoch = marker.Epoch
	}
	by := claim.Owner{Epoch: epoch, Host: r.Host, Task: r.Task}
	hash, err := homesync.Snapshot(ctx, r.repo, r.Home, "refs/lost/now", parent, "What "+r.Host+" held when it lost the history", by)
	if err != nil || hash.IsZero() {
		return "", err
	}
	refs, err := r.repo.Refs(ctx)
	if err != nil {
		return "", err
	}
	if main := refs[git.Tracking(r.repo.Main())]; !main.IsZero() {
		if part, err := r.repo.Ancestor(ctx, hash, main); err != nil || part {
			return "", err // nothing of it is lost
		}
	}
	tree, err := r.repo.Run(ctx, "rev-parse", hash.String()+"^{tree}")
	if err != nil {
		return "", err
	}
	branch := fmt.Sprintf("lost/%s/epoch-%d-%s", branchPart(r.Host), epoch, strings.TrimSpace(tree)[:12])
	err = r.repo.Push(ctx, git.Update{Ref: "refs/heads/" + branch, New: hash})
	if err != nil && !errors.Is(err, git.ErrMoved) { // it is there already
		return "", fmt.Errorf("keeping the home as the branch %s: %w", branch, err)
	}
	return branch, nil
}

// branchPart makes a host's name fit for a branch.
func branchPart(host string) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, host)
	if name == "" {
		return "host"
	}
	return name
}

func (r *Run) noteStart(err error) {
	status, _ := homesync.ReadStatus(r.Config.StatusFile()) // none: it is the first
	status.Start, status.Written = err.Error(), time.Now()
	_ = homesync.WriteStatus(r.Config.StatusFile(), status)
}

func newHomeID() string { return uuid.NewString() }

// situation reads what there is; seen is what the remote has.
func (r *Run) situation(ctx context.Context, seen map[string]git.Hash) (restore.Situation, error) {
	s := restore.Situation{Main: seen[r.repo.Main()], OwnerRef: seen[git.Owner]}
	var err error
	if s.Marker, s.Marked, err = claim.ReadMarker(r.Home); err != nil {
		return s, err
	}
	if s.Empty, err = restore.Empty(r.Home); err != nil {
		return s, err
	}
	if !s.OwnerRef.IsZero() {
		if s.Owner, err = claim.ReadOwner(ctx, r.repo, s.OwnerRef); err != nil {
			return s, err
		}
	}
	if !s.Main.IsZero() {
		message, err := r.repo.Run(ctx, "log", "-1", "--format=%B", s.Main.String())
		if err != nil {
			return s, err
		}
		_, s.ByController = claim.EpochOf(message)
	}
	return s, nil
}
