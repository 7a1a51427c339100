package history

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/jomctl/jomctl/internal/home/git"
)

// open opens the local repository, and makes it anew when a power failure has left it unreadable: it is a copy.
func (r *Run) open(ctx context.Context) (*git.Repo, error) {
	dir, remote := r.Config.RepoDir(), r.Config.Remote()
	remote.Say = r.Say
	for range 2 {
		repo, err := git.Open(ctx, dir, remote)
		if err == nil {
			err = repo.Recover()
		}
		if err == nil {
			if err = readable(ctx, repo); err == nil || ctx.Err() != nil {
				return repo, err
			}
		}
		// A host without room, or without git, says nothing about the repository, in which there may be commits that nobody else has.
		var exit *exec.ExitError
		if !errors.As(err, &exit) || !exit.Exited() {
			return nil, err
		}
		r.Say("the local repository %s cannot be read (%v): it is made anew", dir, err)
		if err := os.RemoveAll(dir); err != nil {
			return nil, fmt.Errorf("removing the unreadable repository %s: %w", dir, err)
		}
	}
	return nil, fmt.Errorf("the local repository %s cannot be made", dir)
}

func readable(ctx context.Context, repo *git.Repo) error {
	refs, err := repo.Refs(ctx)
	if err != nil || refs[repo.Main()].IsZero() {
		return err
	}
	return repo.Tree(ctx, refs[repo.Main()], func(git.Entry) error { return nil })
}
