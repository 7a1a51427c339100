package look

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/jomctl/jomctl/internal/home/claim"
	"github.com/jomctl/jomctl/internal/home/git"
	"github.com/jomctl/jomctl/internal/home/history"
	"github.com/jomctl/jomctl/internal/home/restore"
)

// Verdict is what Verify found.
type Verdict struct {
	Same        bool                 `json:"same"`
	Pushed      bool                 `json:"pushed"`
	OneWriter   bool                 `json:"oneWriter"`
	Commits     int                  `json:"commits"`
	Differences []restore.Difference `json:"differences"`
	Refused     map[string]string    `json:"refused,omitempty"`
	Problems    []string             `json:"problems,omitempty"`
}

func (r *Repo) verify(ctx context.Context, home string) (Verdict, error) {
	v := Verdict{OneWriter: true, Differences: []restore.Difference{}}
	remote, err := r.Remotes(ctx)
	if err != nil {
		return v, err
	}
	pushed := remote[r.Main()]
	if v.Pushed = pushed == r.Head && !pushed.IsZero(); !v.Pushed {
		v.Problems = append(v.Problems, fmt.Sprintf("the last commit here is %s, and the repository has %s", r.Head, pushed))
	}
	differences, refused, err := restore.Compare(ctx, r.Repo, r.Head, home)
	if err != nil {
		return v, err
	}
	v.Differences, v.Refused, v.Same = append(v.Differences, differences...), refused, len(differences) == 0
	out, err := r.Run(ctx, "log", "-z", "--reverse", "--first-parent", "--format=%H%n%B", r.Head.String())
	if err != nil {
		return v, err
	}
	last := int64(0)
	for text := range strings.SplitSeq(strings.Trim(out, "\x00"), "\x00") {
		commit, message, _ := strings.Cut(text, "\n")
		v.Commits++
		epoch, ok := claim.EpochOf(message)
		if ok && (epoch < last || epoch > last && !strings.HasPrefix(message, fmt.Sprintf("Controller epoch %d starts", epoch))) {
			v.OneWriter = false
			v.Problems = append(v.Problems, fmt.Sprintf("commit %s is of epoch %d, after epoch %d", commit, epoch, last))
		}
		last = max(last, epoch)
	}
	return v, nil
}

// probe is where check writes in the repository.
const probe = "refs/jom/probe/"

// check makes a commit, pushes it under a name of this host's own, and takes it away again: reading alone says nothing about
// whether a history can be kept.
func check(ctx context.Context, c history.Config) (err error) {
	dir, err := os.MkdirTemp("", "jomctl-git-*")
	if err != nil {
		return fmt.Errorf("making a folder for a repository: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	repo, err := git.Open(ctx, filepath.Join(dir, "probe.git"), c.Remote())
	if err != nil {
		return err
	}
	if _, err := repo.Remotes(ctx); err != nil {
		return fmt.Errorf("it cannot be read: %w", err)
	}
	tree, err := repo.Run(ctx, "hash-object", "-t", "tree", "-w", "/dev/null")
	if err != nil {
		return err
	}
	out, err := repo.Run(ctx, "commit-tree", "-m", "Can this host write here?", strings.TrimSpace(tree))
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("asking for this host's name: %w", err)
	}
	ref := fmt.Sprintf("%s%s-%d", probe, strings.Trim(strings.ReplaceAll(host, "..", "-"), "."), os.Getpid())
	ctx, cancel := context.WithTimeout(ctx, git.Timeout)
	defer cancel()
	if _, err := repo.Run(ctx, "push", "--quiet", "--no-verify", "origin", strings.TrimSpace(out)+":"+ref); err != nil {
		return fmt.Errorf("it can be read, and not written to: %w", err)
	}
	if _, err := repo.Run(ctx, "push", "--quiet", "--no-verify", "origin", ":"+ref); err != nil {
		return fmt.Errorf("it can be written to, and %s cannot be removed again: %w", ref, err)
	}
	return nil
}
