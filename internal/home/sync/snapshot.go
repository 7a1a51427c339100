package sync

import (
	"context"
	"time"

	"github.com/jomctl/jomctl/internal/home/claim"
	"github.com/jomctl/jomctl/internal/home/git"
)

// Snapshot commits the kept files of a home as they are now on top of a commit, under a ref of its own. It returns the parent
// itself when nothing differs.
func Snapshot(ctx context.Context, repo *git.Repo, home, ref string, parent git.Hash, title string, by claim.Owner) (git.Hash, error) {
	t := newTree(home)
	if err := t.load(ctx, repo, parent); err != nil {
		return git.Hash{}, err
	}
	c, err := t.look(dirty{all: true}, func(string) {}, func([]string) {})
	if err != nil || len(c.list) == 0 {
		return parent, err
	}
	e := &Engine{o: Options{Home: home, Repo: repo}, tree: t}
	e.mailbox.table, e.mailbox.signal = t.table, make(chan struct{}, 1)
	return repo.Commit(ctx, git.Commit{Ref: ref, Force: true, Parent: parent, Message: title + "\n\n" + claim.Trailers(by), When: time.Now()}, func(out *git.Changes) error {
		_ = e.write(out, c.list)
		return nil
	})
}
