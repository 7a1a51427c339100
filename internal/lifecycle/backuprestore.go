package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/jomctl/jomctl/internal/backup"
	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/home"
	"github.com/jomctl/jomctl/internal/home/claim"
	"github.com/jomctl/jomctl/internal/op"
)

// restoreBudget is how long a home may take to come out of a repository far away.
const restoreBudget = 12 * time.Hour

// InPlace is a restore of the home itself. Kept is where the home that was there is afterwards.
type InPlace struct {
	Kept string

	b      *Backups
	from   Backup
	beside string
	stop   bool
	marker *claim.Marker
}

// InPlace prepares to put a backup in the place of the home. Without stop it is a *Refusal while a controller runs, or Marathon would
// start one.
func (b *Backups) InPlace(ctx context.Context, from Backup, stop bool) (*InPlace, error) {
	r := &InPlace{b: b, from: from, stop: stop, beside: b.Home + ".restoring-" + from.Snapshot.ID[:8]}
	if !stop {
		if err := b.free(ctx); err != nil {
			return nil, err
		}
	}
	if b.env.Cluster.Jenkins.SCM == nil || b.env.own != nil { // where the host itself looks
		return r, nil
	}
	// The history goes on from the home that is there: the restored files become its next commit.
	marker, ok, err := claim.ReadMarker(b.Home)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, &Refusal{Problem: b.Home + " is not the home of the history in jenkins.scm, so that a controller would refuse the backup in its place",
			Fix: "let the controller make the home from its history; then restore with --to DIR, and bring secrets/ and credentials.xml from there while it is stopped"}
	}
	r.marker = &marker
	return r, nil
}

// free refuses while a controller runs on the home, or is meant to.
func (b *Backups) free(ctx context.Context) error {
	const fix = "add --stop: it stops the controller (running builds are lost), and starts it again afterwards"
	m := b.env.Marathon
	m.Patience = time.Second
	app, err := m.App(ctx, b.env.AppID())
	if err == nil && app.Instances > 0 {
		return &Refusal{Problem: "the controller runs, or Marathon will start it at any moment", Fix: fix}
	}
	if err := b.unowned(ctx); err != nil {
		return &Refusal{Problem: err.Error(), Fix: fix}
	}
	return nil
}

// unowned is nil when no controller has the home.
func (b *Backups) unowned(ctx context.Context) error {
	if b.env.own != nil {
		_, err := b.ask(ctx, backup.Request{Verb: backup.VerbFree})
		return err
	}
	release, err := b.own()
	if err == nil {
		release()
	}
	return err
}

// own takes the home, if there is one.
func (b *Backups) own() (release func(), err error) {
	if _, err := os.Stat(b.Home); errors.Is(err, fs.ErrNotExist) {
		return func() {}, nil
	}
	return home.Own(b.Home)
}

// Plan is the restore. Nothing of the home changes before the backup is restored beside it and found to be whole.
func (r *InPlace) Plan() op.Plan {
	steps := []op.Step{r.restoreStep()}
	if r.stop {
		steps = append(steps, r.scaleStep("controller-stopped", "Controller stopped", 0))
	}
	steps = append(steps, r.exchangeStep())
	if r.stop {
		steps = append(steps, r.scaleStep("controller-started", "Controller started", 1), r.b.env.readyStep(0))
	}
	return op.Plan{Verb: "restore", Stages: []op.Stage{{Name: "Home", Steps: steps}}}
}

func (r *InPlace) restoreStep() op.Step {
	done := false
	return op.Step{ID: "backup-restored", Title: "Backup " + r.from.Snapshot.ID[:8] + " of " + r.from.Time.UTC().Format("2006-01-02 15:04 MST") + " restored beside the home, and read", Budget: restoreBudget,
		Probe:   func(context.Context) (op.State, error) { return op.NeededUnless(done), nil },
		Changes: func(context.Context) []string { return []string{"write " + r.beside} },
		Do: func(ctx context.Context, say op.Say) error {
			if r.b.env.own != nil {
				reply, err := r.b.ask(ctx, backup.Request{Verb: backup.VerbBeside, ID: r.from.Snapshot.ID})
				for _, text := range reply.Said {
					say("%s", text)
				}
				done = err == nil
				return err
			}
			if err := os.RemoveAll(r.beside); err != nil { // of a run that was cut off
				return fmt.Errorf("removing what an earlier restore has left: %w", err)
			}
			verdict, err := r.b.Repository.Restore(ctx, r.from.Snapshot.ID, r.beside)
			if err == nil && !verdict.Counts() {
				err = &Refusal{Problem: "the backup is not whole: " + verdict.Problems[0], Fix: "choose another one (`jomctl backups`); the home is as it was"}
			}
			if err == nil {
				err = keepAdmin(r.beside, r.b.env.Cluster, say)
			}
			if err == nil && r.marker != nil {
				err = claim.WriteMarker(r.beside, *r.marker)
			}
			if err != nil {
				return errors.Join(err, os.RemoveAll(r.beside))
			}
			say("%d files, %d of them XML, %d jobs", verdict.Files, verdict.XML, verdict.Jobs)
			done = true
			return nil
		},
		Undo: func(ctx context.Context, _ op.Say) error {
			if r.b.env.own != nil {
				_, err := r.b.ask(ctx, backup.Request{Verb: backup.VerbDiscard, ID: r.from.Snapshot.ID})
				return err
			}
			return os.RemoveAll(r.beside)
		},
	}
}

// scaleStep stops or starts the controller. A stopped one is gone: nobody owns the home.
func (r *InPlace) scaleStep(id, title string, instances int) op.Step {
	done, e := false, r.b.env
	scale := func(ctx context.Context, instances int, say op.Say) error {
		if err := e.settle(ctx, say); err != nil {
			return err
		}
		deployed, err := e.Marathon.Scale(ctx, e.AppID(), instances, false)
		if errors.Is(err, cluster.ErrNotFound) && instances == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		return e.awaitDeployed(ctx, deployed.Version, stuckAfter, say)
	}
	step := op.Step{ID: id, Title: title, Budget: e.controllerBudget(0),
		Probe: func(context.Context) (op.State, error) { return op.NeededUnless(done), nil },
		Do: func(ctx context.Context, say op.Say) error {
			if err := scale(ctx, instances, say); err != nil {
				return err
			}
			done = true
			return nil
		}}
	if instances > 0 {
		return step
	}
	step.Changes = func(context.Context) []string {
		return []string{"suspend " + e.AppID() + "; running builds are lost"}
	}
	step.Verify = func(ctx context.Context, say op.Say) error {
		return wait(ctx, say, r.b.unowned)
	}
	step.Undo = func(ctx context.Context, say op.Say) error { return scale(ctx, 1, say) }
	return step
}

func (r *InPlace) exchangeStep() op.Step {
	done := false
	return op.Step{ID: "home-exchanged", Title: "Restored home in the place of " + r.b.Home,
		Probe: func(context.Context) (op.State, error) { return op.NeededUnless(done), nil },
		Changes: func(context.Context) []string {
			return []string{"keep the home that is there as " + filepath.Base(r.b.Home) + ".before-restore-TIME"}
		},
		Do: func(ctx context.Context, say op.Say) (err error) {
			if r.Kept, err = r.exchange(ctx); err != nil {
				return err
			}
			if r.Kept != "" {
				say("the home that was there is %s", r.Kept)
			}
			done = true
			return nil
		}}
}

func (r *InPlace) exchange(ctx context.Context) (kept string, err error) {
	if r.b.env.own != nil {
		reply, err := r.b.ask(ctx, backup.Request{Verb: backup.VerbExchange, ID: r.from.Snapshot.ID})
		return reply.Kept, err
	}
	release, err := r.b.own()
	if err != nil {
		return "", &Refusal{Problem: err.Error(), Fix: "stop that controller; the home is as it was"}
	}
	defer release()
	return backup.Exchange(r.b.Home, r.beside, time.Now())
}
