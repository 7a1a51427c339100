package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/jomctl/jomctl/internal/wholefile"
)

// The verbs of a Request.
const (
	// VerbInit makes the repository where there is none.
	VerbInit = "init"
	// VerbRun makes a backup, and removes those that are too old.
	VerbRun = "run"
	// VerbList lists, VerbVerify makes a test restore, VerbCheck lets restic check, VerbRestore restores to an empty folder.
	VerbList, VerbVerify, VerbCheck, VerbRestore = "list", "verify", "check", "restore"
	// VerbBeside restores beside the home, VerbExchange puts that in its place, VerbDiscard removes it.
	VerbBeside, VerbExchange, VerbDiscard = "beside", "exchange", "discard"
	// VerbFree says whether a controller runs on the home, VerbState what became of the last runs.
	VerbFree, VerbState = "free", "state"
)

// Request is what is asked of the host that has the home.
type Request struct {
	Verb string `json:"verb"`
	// ID is a backup, To a folder.
	ID string `json:"id,omitempty"`
	To string `json:"to,omitempty"`
	// Verify asks VerbRun for a test restore, Due to do nothing while the last backup is young, All VerbCheck to read every byte.
	Verify bool `json:"verify,omitempty"`
	Due    bool `json:"due,omitempty"`
	All    bool `json:"all,omitempty"`
	// KeepAll keeps VerbRun from removing older ones.
	KeepAll bool `json:"keepAll,omitempty"`
	// Run names an upgrade, Known an earlier one whose home is meant, Word the name of the home that goes.
	Run   string `json:"run,omitempty"`
	Known string `json:"known,omitempty"`
	Word  string `json:"word,omitempty"`
}

// Reply is what came of it; each verb fills what it is about.
type Reply struct {
	Taken   *Taken   `json:"taken,omitempty"`
	Record  *Record  `json:"record,omitempty"`
	Removed []string `json:"removed,omitempty"`
	Skipped string   `json:"skipped,omitempty"`
	Backups []Backup `json:"backups,omitempty"`
	Verdict *Verdict `json:"verdict,omitempty"`
	// Kept is where the home that was there is now.
	Kept  string `json:"kept,omitempty"`
	State *State `json:"state,omitempty"`
	// Count is how many files VerbKeep found changed, Touched the answer of VerbTouched.
	Count   int  `json:"count,omitempty"`
	Touched bool `json:"touched,omitempty"`
	// Said is what was said meanwhile.
	Said []string `json:"said,omitempty"`
}

// Hooks are what this package does not know of homes.
type Hooks struct {
	// Epoch is that of the controller that owns a home, 0 where nobody counts.
	Epoch func(home string) int64
	// Own takes a home as a controller does.
	Own func(home string) (release func(), err error)
	// HasMark says whether a home belongs to a history, CopyMark makes another folder belong to it.
	HasMark  func(home string) (bool, error)
	CopyMark func(home, to string) error
}

// Server does what is asked on the host of the home.
type Server struct {
	Config Config
	Hooks  Hooks
	// Say is told what is going on.
	Say func(text string)
}

// Do does what a request asks. What changes anything waits for no other: it is ErrLocked.
func (s Server) Do(ctx context.Context, q Request) (reply Reply, err error) {
	say := s.Say
	s.Say = func(text string) {
		reply.Said = append(reply.Said, text)
		if say != nil {
			say(text)
		}
	}
	set := s.Config.Set()
	switch q.Verb {
	case VerbState:
		state, err := set.Records.State()
		return Reply{State: &state}, err
	case VerbFree:
		return Reply{}, s.free()
	case VerbList:
		reply.Backups, err = s.list(ctx, set)
		return reply, err
	case VerbCheck:
		return reply, set.Repository.Check(ctx, q.All)
	case VerbRestore:
		v, err := set.Restore(ctx, q.ID, q.To)
		return Reply{Verdict: &v}, err
	}
	if known, err := s.doLeft(ctx, set, q, &reply); known {
		return reply, err
	}
	release, err := s.alone(q.Verb)
	if err != nil {
		return reply, err
	}
	defer release()
	switch q.Verb {
	case VerbInit:
		return reply, set.Ensure(ctx, s.Say)
	case VerbRun:
		err = s.run(ctx, set, q, &reply)
	case VerbVerify:
		record, proveErr := set.Prove(ctx, q.ID)
		reply.Record, err = &record, proveErr
	case VerbBeside:
		v, besideErr := s.beside(ctx, set, q.ID)
		reply.Verdict, err = &v, besideErr
	case VerbExchange:
		reply.Kept, err = s.exchange(q.ID)
	case VerbDiscard:
		err = os.RemoveAll(s.besideDir(q.ID))
	default:
		err = fmt.Errorf("jomhome of this version does not know %q (`jomctl install` brings it up to date)", q.Verb)
	}
	return reply, err
}

// list is empty where there is no repository yet.
func (s Server) list(ctx context.Context, set Set) ([]Backup, error) {
	all, err := set.List(ctx)
	if errors.Is(err, ErrNoRepository) {
		return nil, nil
	}
	return all, err
}

// alone takes the locks of those who change something: one of this host, and of a shared home one that the other hosts see.
func (s Server) alone(verb string) (release func(), err error) {
	if err := os.MkdirAll(s.Config.State, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of the backups: %w", err)
	}
	mine, err := hold(filepath.Join(s.Config.State, "lock"))
	if err != nil {
		return nil, err
	}
	if !s.Config.Shared || verb == VerbExchange {
		return mine, nil
	}
	all, err := hold(filepath.Join(s.Config.Home, ".jomctl", "backup.lock"))
	if errors.Is(err, fs.ErrNotExist) { // there is no home yet
		return mine, nil
	}
	if err != nil {
		mine()
		return nil, err
	}
	return func() { all(); mine() }, nil
}

func hold(path string) (release func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the lock of the backups: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		file.Close()
		return nil, &Error{Kind: ErrLocked, Place: path, Problem: "another run of the backups is at work", Fix: "wait for it: `systemctl status jomctl-backup` on that host, or another jomctl"}
	}
	return func() { file.Close() }, nil
}

// young says that a backup is no older than half the time between two. One of the future is of a clock that was wrong, and says nothing.
func (s Server) young(one Backup) bool {
	age := time.Since(one.Time)
	return age > -clocks && age < s.Config.period()/2
}

// clocks is how far the clocks of two hosts may be apart.
const clocks = 5 * time.Minute

// run makes a backup and writes down what became of it.
func (s Server) run(ctx context.Context, set Set, q Request, reply *Reply) error {
	host, _ := os.Hostname()
	run := Run{Began: time.Now().UTC().Truncate(time.Second), Host: host}
	err := s.make(ctx, set, q, reply)
	run.Ended, run.Skipped = time.Now().UTC().Truncate(time.Second), reply.Skipped
	if reply.Taken != nil {
		run.ID = reply.Taken.ID
	}
	if reply.Record != nil && reply.Record.Proof != nil {
		run.Counts = reply.Record.Counts()
		if !run.Counts {
			run.Error = "the backup does not count: " + reply.Record.Proof.Problems[0]
		}
	}
	if err != nil {
		run.Error = err.Error()
	}
	noted := set.Records.Note(run)
	if state, stateErr := set.Records.State(); stateErr == nil {
		_ = wholefile.Write(filepath.Join(s.Config.State, "backup.prom"), []byte(state.Metrics(s.Config.Cluster)), 0o644) // the state says the same
	}
	return errors.Join(err, noted)
}

func (s Server) make(ctx context.Context, set Set, q Request, reply *Reply) error {
	if _, err := os.Stat(filepath.Join(s.Config.Home, "config.xml")); errors.Is(err, fs.ErrNotExist) {
		if q.Due {
			reply.Skipped = "there is no home here: " + s.Config.Home
			return nil
		}
		return &Error{Kind: ErrNoBackup, Place: s.Config.Home, Problem: "there is no home to back up", Fix: "run `jomctl install`"}
	}
	if err := set.Ensure(ctx, s.Say); err != nil {
		return err
	}
	if q.Due && s.Config.PeriodSeconds > 0 {
		all, err := set.List(ctx)
		if err != nil {
			return err
		}
		if at := slices.IndexFunc(all, s.young); at >= 0 {
			reply.Skipped = "the last backup is of " + all[at].Time.UTC().Format(time.RFC3339)
			return nil
		}
	}
	if s.Hooks.Epoch != nil {
		set.Tags.Epoch = s.Hooks.Epoch(s.Config.Home)
	}
	taken, err := set.Make(ctx, s.Say)
	if err != nil {
		return err
	}
	record := Record{ID: taken.ID, Unsettled: taken.Unsettled}
	reply.Taken, reply.Record = &taken, &record
	if q.Verify {
		if record, err = set.Prove(ctx, taken.ID); err != nil {
			return fmt.Errorf("backup %s is made, and does not count yet: %w", taken.ID[:8], err)
		}
	}
	if q.KeepAll || s.leaving() {
		return nil
	}
	if reply.Removed, err = set.Tidy(ctx); err != nil {
		return fmt.Errorf("backup %s is made; removing those that are too old: %w", taken.ID[:8], err)
	}
	return nil
}
