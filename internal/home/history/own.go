package history

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/home/claim"
	"github.com/jomctl/jomctl/internal/home/git"
	"github.com/jomctl/jomctl/internal/home/owner"
	"github.com/jomctl/jomctl/internal/home/restore"
	homesync "github.com/jomctl/jomctl/internal/home/sync"
	"github.com/jomctl/jomctl/internal/pause"
)

// own makes the history this controller's and returns what the engine needs. While git is out of reach a home may start all the
// same, if it was the last owner by ZooKeeper's word: nobody else can have written meanwhile, and the claim is made up for
// before the first push.
func (r *Run) own(ctx context.Context) (homesync.Options, error) {
	options := homesync.Options{Home: r.Home, Repo: r.repo, Quiet: time.Duration(r.Config.QuietMillis) * time.Millisecond, Max: time.Duration(r.Config.MaxMillis) * time.Millisecond,
		Host: r.Host, Task: r.Task, Alive: r.alive, StatusFile: r.Config.StatusFile(), Say: r.Say}
	told := ""
	for wait := time.Second; ; wait = min(2*wait, 30*time.Second) {
		claimed, err := r.attempt(ctx)
		var outage *git.Error
		switch {
		case err == nil:
			options.Claimed = claimed
			return options, nil
		case ctx.Err() != nil:
			return options, context.Cause(ctx)
		case errors.Is(err, claim.ErrTaken): // somebody was faster: look again
		case errors.As(err, &outage):
			late, ok, lateErr := r.late(ctx)
			if lateErr != nil {
				return options, lateErr
			}
			if ok {
				r.Say("git is out of reach (%v): the controller starts all the same, as nobody else has owned this home since", err)
				options.Claimed, options.Claim = late, r.claimLate
				return options, nil
			}
		default:
			return options, err
		}
		if text := err.Error(); text != told {
			told = text
			r.Say("%v; the controller waits for it, and it is tried again", err)
		}
		if r.Reason() != nil {
			return options, r.Reason()
		}
		if err := pause.For(ctx, wait); err != nil {
			return options, err
		}
	}
}

// attempt looks, decides, acts and claims, once.
func (r *Run) attempt(ctx context.Context) (claim.Claimed, error) {
	seen, err := r.repo.Fetch(ctx)
	if err != nil {
		return claim.Claimed{}, err
	}
	s, err := r.situation(ctx, seen)
	if err != nil {
		return claim.Claimed{}, err
	}
	decision := restore.Decide(s)
	head, err := r.head(ctx, decision.Action, s)
	if err != nil {
		return claim.Claimed{}, err
	}
	switch decision.Action {
	case restore.Refuse:
		refused := &RefusedError{Why: decision.Why, Fix: decision.Fix}
		if refused.Kept, err = r.keep(ctx, head); err != nil {
			r.Say("%v", err)
		}
		return claim.Claimed{}, refused
	case restore.Restore:
		marker := s.Marker
		marker.Home = s.Owner.Home
		r.Say("%s: it is restored from %s", decision.Why, head)
		result, err := restore.Into(ctx, r.repo, head, seen[git.Numbers], r.Home, marker)
		if err != nil {
			return claim.Claimed{}, err
		}
		r.Say("restored %d files, and raised %d next build numbers", result.Files, result.Numbers)
	case restore.Adopt:
		r.Say("%s: it begins with this home", decision.Why)
	}
	if r.me.Home = s.Owner.Home; r.me.Home == "" {
		if r.me.Home = s.Marker.Home; r.me.Home == "" {
			r.me.Home = newHomeID()
		}
	}
	// What started here while git was away had epochs that a ZooKeeper which is set up anew does not know.
	last, err := r.lastEpoch(ctx, head)
	if err != nil {
		return claim.Claimed{}, err
	}
	return r.claim(ctx, seen, head, max(r.epoch.Number, s.Owner.Epoch, last)+1)
}

// head is what the branch is to hold before the claim: the remote's, with commits of this host on top that were not pushed.
func (r *Run) head(ctx context.Context, action restore.Action, s restore.Situation) (git.Hash, error) {
	main := s.Main
	refs, err := r.repo.Refs(ctx)
	if err != nil {
		return main, err
	}
	local := refs[r.repo.Main()]
	if local.IsZero() || action == restore.Refuse {
		return pick(local, main), nil
	}
	if ahead, err := r.repo.Ancestor(ctx, main, local); err != nil || ahead {
		return local, err
	}
	behind, err := r.repo.Ancestor(ctx, local, main)
	if err != nil || behind || action != restore.Continue {
		return main, err
	}
	// Both went on: somebody other than a controller pushed. Nobody's commits are lost, and the files stay the home's. The last epoch is still on.
	last, err := r.lastEpoch(ctx, local)
	if err != nil {
		return main, err
	}
	out, err := r.repo.Run(ctx, "commit-tree", "-m", "Keep the controller's files over commits made by others\n\n"+claim.Trailers(claim.Owner{Epoch: last, Host: r.Host}),
		"-p", local.String(), "-p", main.String(), local.String()+"^{tree}")
	if err != nil {
		return main, err
	}
	return git.ParseHash(strings.TrimSpace(out))
}

// lastEpoch is the epoch that a controller's last commit up to the given one belongs to; 0 for none.
func (r *Run) lastEpoch(ctx context.Context, commit git.Hash) (int64, error) {
	if commit.IsZero() {
		return 0, nil
	}
	message, err := r.repo.Run(ctx, "log", "-1", "--first-parent", "--grep=^"+claim.Trailer, "--format=%B", commit.String())
	epoch, _ := claim.EpochOf(message)
	return epoch, err
}

func pick(first, second git.Hash) git.Hash {
	if first.IsZero() {
		return second
	}
	return first
}

// claim takes the history and writes down, in the home and in ZooKeeper, that it did.
func (r *Run) claim(ctx context.Context, seen map[string]git.Hash, head git.Hash, epoch int64) (claim.Claimed, error) {
	if err := r.Reason(); err != nil {
		return claim.Claimed{}, err
	}
	r.me.Epoch = epoch
	claimed, err := claim.Take(ctx, r.repo, seen, head, r.me, func(ownerCommit git.Hash) error {
		marker, _, err := claim.ReadMarker(r.Home)
		if err != nil {
			return err
		}
		marker.Home = r.me.Home
		marker.Claims(ownerCommit)
		return claim.WriteMarker(r.Home, marker)
	})
	if err != nil {
		return claim.Claimed{}, err
	}
	if err := claim.WriteMarker(r.Home, claim.Marker{Home: r.me.Home, Epoch: epoch, Owner: claimed.Owner.String()}); err != nil {
		return claim.Claimed{}, err
	}
	return claimed, r.announce(ctx, epoch)
}

func (r *Run) announce(ctx context.Context, epoch int64) error {
	if r.held == nil {
		return nil
	}
	return r.held.SetEpoch(ctx, owner.Epoch{Number: epoch, Home: r.me.Home})
}

// late says whether the controller may start before its claim: the home is whole, and its last epoch is the last one of all. If so it begins an epoch, which
// ZooKeeper knows before the home does: a home whose number were ahead could meet another controller's epoch of the same number there.
func (r *Run) late(ctx context.Context) (claim.Claimed, bool, error) {
	marker, marked, err := claim.ReadMarker(r.Home)
	if err != nil || !marked || r.held == nil {
		return claim.Claimed{}, false, err
	}
	empty, err := restore.Empty(r.Home)
	if err != nil || empty || marker.Restoring != "" || marker.Home == "" || marker.Home != r.epoch.Home || marker.Epoch != r.epoch.Number {
		return claim.Claimed{}, false, err
	}
	refs, err := r.repo.Refs(ctx)
	if err != nil {
		return claim.Claimed{}, false, err
	}
	if refs[r.repo.Main()].IsZero() { // the local repository is gone as well: there is nothing to compare the home with
		return claim.Claimed{}, false, nil
	}
	epoch := r.epoch.Number + 1
	r.me.Home, r.me.Epoch = marker.Home, epoch
	if err := r.announce(ctx, epoch); err != nil {
		return claim.Claimed{}, false, err
	}
	head, err := claim.Begin(ctx, r.repo, refs[r.repo.Main()], r.me)
	if err != nil {
		return claim.Claimed{}, false, err
	}
	marker.Epoch = epoch
	return claim.Claimed{Epoch: epoch, Head: head}, true, claim.WriteMarker(r.Home, marker)
}

// claimLate makes up for the claim. A history that is not this home's by now is another's.
func (r *Run) claimLate(ctx context.Context, _ git.Hash) (claim.Claimed, error) {
	seen, err := r.repo.Fetch(ctx)
	if err != nil {
		return claim.Claimed{}, err
	}
	s, err := r.situation(ctx, seen)
	if err != nil {
		return claim.Claimed{}, err
	}
	if action := restore.Decide(s).Action; action != restore.Continue && action != restore.Adopt {
		return claim.Claimed{}, fmt.Errorf("%w: %s", claim.ErrTaken, restore.Decide(s).Why)
	}
	head, err := r.head(ctx, restore.Continue, s)
	if err != nil {
		return claim.Claimed{}, err
	}
	return r.claim(ctx, seen, head, max(r.me.Epoch, s.Owner.Epoch+1))
}

// alive says whether the home is still the one that was claimed: a disk that is gone, or a folder that somebody empties, is no
// empty configuration.
func (r *Run) alive() error {
	marker, ok, err := claim.ReadMarker(r.Home)
	switch {
	case err != nil:
		return err
	case !ok || marker.Home != r.me.Home:
		return fmt.Errorf("the home %s is not there any more (%s is gone): nothing is committed", r.Home, claim.MarkerFile)
	}
	if now, err := os.Stat(r.Home); err != nil || !os.SameFile(now, r.folder) {
		return errors.Join(err, fmt.Errorf("the home %s is another folder than the controller started on, as where its disk is not mounted any more: nothing is committed", r.Home))
	}
	return hasConfig(r.Home)
}

func hasConfig(home string) error {
	if _, err := os.Stat(filepath.Join(home, "config.xml")); err != nil {
		return fmt.Errorf("the home has no config.xml: nothing is committed: %w", err)
	}
	return nil
}
