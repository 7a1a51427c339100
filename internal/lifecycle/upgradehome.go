package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/jomctl/jomctl/internal/backup"
	"github.com/jomctl/jomctl/internal/home/claim"
	"github.com/jomctl/jomctl/internal/home/look"
	homesync "github.com/jomctl/jomctl/internal/home/sync"
	"github.com/jomctl/jomctl/internal/op"
)

// What a home that was there is called beside the one that takes its place.
const (
	wordFailed  = "failed-upgrade"
	wordEarlier = "before-rollback"
)

// othersBackup is how long another backup that is just being made is waited for.
const othersBackup = 15 * time.Minute

func (u *Upgrade) home() string { return u.backups.Home }

func (u *Upgrade) file(name string) string { return filepath.Join(u.Store.Folder(), name) }

// here is the home on target local, as a run has left it.
func (u *Upgrade) here(run string) backup.Left {
	return backup.Left{Home: u.home(), Folder: filepath.Join(u.Store.Dir, run), Own: func(string) (func(), error) { return u.backups.own() }}
}

// there asks the host that has the home for one of the verbs of backup.Left.
func (u *Upgrade) there(ctx context.Context, verb string) (backup.Reply, error) {
	return u.backups.ask(ctx, backup.Request{Verb: verb, Run: u.Store.State.Run, Known: u.earlierRun()})
}

// left does something with the home of this run: here, or by its verb on the host that has it.
func (u *Upgrade) left(ctx context.Context, verb string, here func(backup.Left) error) error {
	if u.Old.own == nil {
		return here(u.here(u.Store.State.Run))
	}
	_, err := u.there(ctx, verb)
	return err
}

// space looks for room, and for what a way back to an earlier release needs.
func (u *Upgrade) space(l backup.Left) error {
	if err := l.Space(u.backups.Set); err != nil {
		return err
	}
	if earlier := u.earlierRun(); earlier != "" && !u.here(earlier).Known() {
		return &Refusal{Problem: u.here(earlier).Folder + " is gone, which has what changed after the last backup of the home of then", Fix: "`jomctl restore` brings back the backup alone"}
	}
	return nil
}

// earlierRun is the run that left the home that a way back to an earlier release goes to, empty where there is none.
func (u *Upgrade) earlierRun() string {
	if then := u.Store.State.HomeOf; then != nil {
		return then.Run
	}
	return ""
}

// BackUp makes a backup; a proven one was restored and read.
func (u *Upgrade) BackUp(ctx context.Context, proven bool, say op.Say) (string, error) {
	id, err := u.makeBackup(ctx, say)
	if err != nil || !proven {
		return id, err
	}
	say("backup %s is made; restoring it to a scratch folder", id[:8])
	record, err := u.backups.Prove(ctx, id)
	if err == nil && !record.Counts() {
		err = &Refusal{Problem: "the backup does not count: " + record.Proof.Problems[0], Fix: "mend the home, and see docs/backup.md"}
	}
	return id, err
}

// makeBackup removes no older one: it may be the one that a way back needs. On hosts the timer's own backup may be under way.
func (u *Upgrade) makeBackup(ctx context.Context, say op.Say) (string, error) {
	if u.Old.own == nil {
		taken, err := u.backups.Make(ctx, say)
		return taken.ID, err
	}
	ctx, cancel := context.WithTimeout(ctx, othersBackup)
	defer cancel()
	var reply backup.Reply
	var failed error
	err := wait(ctx, say, func(ctx context.Context) (err error) {
		reply, err = u.backups.ask(ctx, backup.Request{Verb: backup.VerbRun, KeepAll: true})
		if errors.Is(err, backup.ErrLocked) {
			return err
		}
		failed = err
		return nil
	})
	if err = errors.Join(err, failed); err != nil {
		return "", err
	}
	for _, text := range reply.Said {
		say("%s", text)
	}
	if reply.Taken == nil {
		return "", errors.New("the host of the home has made no backup")
	}
	return reply.Taken.ID, u.backups.Records.Write(backup.Record{ID: reply.Taken.ID, Unsettled: reply.Taken.Unsettled})
}

// Push waits until the history has everything.
func (u *Upgrade) Push(ctx context.Context, say op.Say) error {
	if u.Old.Cluster.Jenkins.SCM == nil {
		return nil
	}
	kept, err := u.Old.HomeHistory()
	if err != nil {
		return err
	}
	return wait(ctx, say, func(ctx context.Context) error {
		answer, err := kept.Ask(ctx, look.Question{Verb: look.Status})
		if err != nil {
			return err
		}
		return pushed(*answer.Status)
	})
}

func pushed(status homesync.Status) error {
	switch {
	case status.PushError != "":
		return fmt.Errorf("the home's history cannot be pushed: %s", status.PushError)
	case status.OldestUnpushed(time.Now()) > 0:
		return errors.New("changes of the home are still to be pushed")
	}
	return nil
}

// Listing notes the files that the last backup is made of.
func (u *Upgrade) Listing(ctx context.Context) error {
	return u.left(ctx, backup.VerbNote, backup.Left.Note)
}

// Keep copies what the old version has written since, and the two files that a bad boot destroys.
func (u *Upgrade) Keep(ctx context.Context, say op.Say) error {
	count := 0
	var err error
	if u.Old.own == nil {
		count, err = u.here(u.Store.State.Run).Keep()
	} else {
		var reply backup.Reply
		reply, err = u.there(ctx, backup.VerbKeep)
		count = reply.Count
	}
	if err == nil && count > 0 {
		say("%d files that changed after the backup are kept, too", count)
	}
	return err
}

// LetGo lets the host remove old backups again.
func (u *Upgrade) LetGo(ctx context.Context) error {
	if u.Old.own == nil {
		return nil
	}
	_, err := u.there(ctx, backup.VerbClose)
	return err
}

// Touched compares the home with what Keep saw.
func (u *Upgrade) Touched(ctx context.Context) (bool, error) {
	if u.Old.own == nil {
		return u.here(u.Store.State.Run).Touched()
	}
	reply, err := u.there(ctx, backup.VerbTouched)
	return reply.Touched, err
}

// Untouched puts the queue back.
func (u *Upgrade) Untouched(ctx context.Context) error {
	return u.left(ctx, backup.VerbUntouched, backup.Left.Untouched)
}

// shutQueue takes the queue out of the home. Keep has a copy.
func (u *Upgrade) shutQueue(ctx context.Context) error {
	return u.left(ctx, backup.VerbShut, backup.Left.Shut)
}

// Ahead restores, beside the home, the one that the old version left.
func (u *Upgrade) Ahead(ctx context.Context, id string, say op.Say) error {
	say("restoring backup %s beside the home", id[:8])
	if u.Old.own == nil {
		return u.here(u.Store.State.Run).Ahead(ctx, u.backups.Set, id)
	}
	_, err := u.backups.ask(ctx, backup.Request{Verb: backup.VerbAhead, Run: u.Store.State.Run, ID: id})
	return err
}

// Restore puts the home in place that the old version left: the backup, and what changed after it.
func (u *Upgrade) Restore(ctx context.Context, id string, say op.Say) (string, error) {
	return u.putBack(ctx, "", id, wordFailed, say)
}

// earlierHome puts the home of an earlier run in place, once.
func (u *Upgrade) earlierHome(ctx context.Context, say op.Say) error {
	then := u.Store.State.HomeOf
	if then == nil || u.Store.State.HomeBack {
		return nil
	}
	if _, err := u.putBack(ctx, then.Run, then.Backup, wordEarlier, say); err != nil {
		return err
	}
	u.Store.State.HomeBack = true
	return u.Store.Save()
}

// putBack restores a backup, and what a run, by default this one, has of changes after it, in the place of the home. The home that was
// there is kept under a name with the word.
func (u *Upgrade) putBack(ctx context.Context, earlier, id, word string, say op.Say) (kept string, err error) {
	say("putting backup %s in place", id[:8])
	if u.Old.own != nil {
		reply, askErr := u.backups.ask(ctx, backup.Request{Verb: backup.VerbBack, Run: u.Store.State.Run, Known: earlier, ID: id, Word: word})
		for _, text := range reply.Said {
			say("%s", text)
		}
		kept, err = reply.Kept, askErr
	} else {
		run := u.Store.State.Run
		if earlier != "" {
			run = earlier
		}
		kept, err = u.here(run).Back(ctx, u.backups.Set, id, word, func(beside string) error {
			return errors.Join(keepAdmin(beside, u.Old.Cluster, say), u.carryMarker(beside))
		})
	}
	switch {
	case err != nil:
	case kept == "":
		say("the home is restored; there was none")
	default:
		say("the home is restored; the one that was there is kept as %s", kept)
	}
	return kept, err
}

// carryMarker lets the home's history go on from the home that is there.
func (u *Upgrade) carryMarker(beside string) error {
	if u.Old.Cluster.Jenkins.SCM == nil {
		return nil
	}
	marker, ok, err := claim.ReadMarker(u.home())
	if err != nil || !ok {
		return err
	}
	return claim.WriteMarker(beside, marker)
}
