package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/pause"
	"github.com/jomctl/jomctl/internal/wholefile"
)

// The verbs of a Request about a home that is left for another version; they are the methods of Left.
const (
	VerbNote, VerbKeep, VerbShut          = "left-note", "left-keep", "left-shut"
	VerbTouched, VerbUntouched, VerbSpace = "left-touched", "left-untouched", "left-space"
	VerbAhead, VerbBack                   = "left-ahead", "left-back"
	// VerbClose ends what VerbNote has begun: until then no backup is removed.
	VerbClose = "left-close"
)

// left is the home of a request, and the folder of its run beside the home: where hosts share the home, they share that, too.
func (s Server) left(run string) (Left, error) {
	if run == "" || filepath.Base(run) != run || run == ".." {
		return Left{}, fmt.Errorf("%q is no name of a run", run)
	}
	return Left{Home: s.Config.Home, Folder: filepath.Join(config.UpgradesOf(s.Config.Home), run), Own: func(string) (func(), error) { return s.own() }}, nil
}

// doLeft does what a request about a home that is left asks; known is false for all others.
func (s Server) doLeft(ctx context.Context, set Set, q Request, reply *Reply) (known bool, err error) {
	do := map[string]func(Left) error{
		VerbNote: func(l Left) error {
			return errors.Join(wholefile.Write(s.openFile(), []byte(q.Run+"\n"), 0o600), l.Note())
		},
		VerbClose:     func(Left) error { return s.closeLeft() },
		VerbShut:      Left.Shut,
		VerbUntouched: Left.Untouched,
		VerbKeep:      func(l Left) (err error) { reply.Count, err = l.Keep(); return err },
		VerbTouched:   func(l Left) (err error) { reply.Touched, err = l.Touched(); return err },
		VerbSpace:     func(l Left) error { return s.space(set, l, q.Known) },
		VerbAhead:     func(l Left) error { return l.Ahead(ctx, set, q.ID) },
		VerbBack:      func(l Left) (err error) { reply.Kept, err = s.back(ctx, set, l, q); return err },
	}[q.Verb]
	if do == nil {
		return false, nil
	}
	l, err := s.left(q.Run)
	if err != nil {
		return true, err
	}
	if q.Verb == VerbSpace { // a look leaves nothing behind
		return true, do(l)
	}
	release, err := holdAgain(ctx, l.Folder)
	if err != nil {
		return true, err
	}
	defer release()
	return true, do(l)
}

// openFile is there while a way back may need the last backup.
func (s Server) openFile() string { return filepath.Join(config.UpgradesOf(s.Config.Home), "open") }

func (s Server) closeLeft() error {
	if err := os.Remove(s.openFile()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// leaving says that a home is being left for another version.
func (s Server) leaving() bool {
	_, err := os.Stat(s.openFile())
	return err == nil
}

// holdAgain waits for one that was told to do the same by a jomctl that is gone.
func holdAgain(ctx context.Context, folder string) (release func(), err error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of the run: %w", err)
	}
	for {
		release, err = hold(filepath.Join(folder, "lock"))
		if !errors.Is(err, ErrLocked) {
			return release, err
		}
		if err := pause.For(ctx, 200*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// space looks for room, and where an earlier run is named whether that has what a way back to it needs.
func (s Server) space(set Set, l Left, run string) error {
	if run != "" {
		earlier, err := s.left(run)
		if err != nil {
			return err
		}
		if !earlier.Known() {
			return &Error{Kind: ErrNoBackup, Place: earlier.Folder, Problem: "is not there, and has what changed after the last backup of the home of then", Fix: "`jomctl restore` brings back the backup alone"}
		}
	}
	return l.Space(set)
}

// back puts the home back. That of an earlier release gets the password that the cluster has now.
func (s Server) back(ctx context.Context, set Set, l Left, q Request) (string, error) {
	if q.Known != "" {
		earlier, err := s.left(q.Known)
		if err != nil {
			return "", err
		}
		l = earlier
	}
	return l.Back(ctx, set, q.ID, q.Word, func(beside string) error {
		var err error
		if q.Known != "" && s.Config.Account != "" {
			err = s.account(beside)
		}
		if marked, markErr := s.Hooks.HasMark(s.Config.Home); markErr != nil || marked && s.Config.History {
			err = errors.Join(err, markErr)
			if err == nil {
				err = s.Hooks.CopyMark(s.Config.Home, beside)
			}
		}
		return errors.Join(err, s.give(beside))
	})
}
