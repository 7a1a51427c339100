// Package claim is the epoch in git: which controller may write a history. A claim is one atomic push that compares and swaps
// two refs: the owner ref, which says who owns, and the branch itself, which gets a commit that begins the epoch. Both are
// compared by the remote under its own locks, so that of two claims one is refused, and so is every later push of
// the earlier owner: what it expects the branch to be is not what it is any more, however late the push comes.
package claim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/home/git"
	"github.com/jomctl/jomctl/internal/wholefile"
)

// Owner is what the owner ref holds in its one file.
type Owner struct {
	// Home identifies the lineage of a home: a home that was restored has the identity of the one that it came from.
	Home    string    `json:"home"`
	Epoch   int64     `json:"epoch"`
	Host    string    `json:"host"`
	Task    string    `json:"task,omitempty"`
	Started time.Time `json:"started"`
}

// ownerFile is the name of the file in the owner ref's tree.
const ownerFile = "owner.json"

// Trailer begins the line of a commit that names its epoch.
const Trailer = "Controller-Epoch: "

// Claimed is a claim that the remote has accepted.
type Claimed struct {
	// Owner is the commit that the owner ref is at, Head the one that the branch is at.
	Owner, Head git.Hash
	Epoch       int64
}

// ErrTaken means that another controller has claimed the history.
var ErrTaken = errors.New("another controller owns the history of this home")

// ReadOwner reads the owner commit; its object must be here.
func ReadOwner(ctx context.Context, repo *git.Repo, commit git.Hash) (Owner, error) {
	var o Owner
	data, ok, err := repo.File(ctx, commit, ownerFile)
	if err == nil && !ok {
		err = errors.New("it has no " + ownerFile)
	}
	if err == nil {
		err = json.Unmarshal(data, &o)
	}
	if err != nil {
		return o, fmt.Errorf("reading who owns the history: %w", err)
	}
	return o, nil
}

// Refs of a claim that the remote has not accepted yet. They keep its objects from being collected.
const (
	nextOwner = "refs/claim/owner"
	nextHead  = "refs/claim/head"
)

// Take claims the history for me. seen is what the remote has, as Fetch returned it; head is what the branch shall hold, of which
// seen's branch must be a part. announce is told the owner commit before it is pushed, so that it can be written down:
// whoever finds it at the remote later knows that the claim came through. The error is ErrTaken when the remote moved on.
func Take(ctx context.Context, repo *git.Repo, seen map[string]git.Hash, head git.Hash, me Owner, announce func(git.Hash) error) (Claimed, error) {
	text, err := json.MarshalIndent(me, "", "  ")
	if err != nil {
		return Claimed{}, err
	}
	title := starts(me)
	message := title + "\n\n" + Trailers(me)
	owner, err := repo.Commit(ctx, git.Commit{Ref: nextOwner, Force: true, Parent: seen[git.Owner], Message: message, When: me.Started}, func(c *git.Changes) error {
		c.Write(ownerFile, append(text, '\n'), false)
		return nil
	})
	if err != nil {
		return Claimed{}, err
	}
	next, err := repo.Commit(ctx, git.Commit{Ref: nextHead, Force: true, Parent: head, Message: message, When: me.Started}, nil)
	if err != nil {
		return Claimed{}, err
	}
	if err := announce(owner); err != nil {
		return Claimed{}, err
	}
	claimed := Claimed{Owner: owner, Head: next, Epoch: me.Epoch}
	updates := []git.Update{{Ref: repo.Main(), Old: seen[repo.Main()], New: next}, {Ref: git.Owner, Old: seen[git.Owner], New: owner}}
	if numbers := seen[git.Numbers]; !numbers.IsZero() {
		// The same content in a commit of its own, so that an earlier owner's late push of numbers is refused as well.
		again, err := repo.Run(ctx, "commit-tree", "-m", title, numbers.String()+"^{tree}")
		if err != nil {
			return Claimed{}, err
		}
		hash, err := git.ParseHash(strings.TrimSpace(again))
		if err != nil {
			return Claimed{}, err
		}
		updates = append(updates, git.Update{Ref: git.Numbers, Old: numbers, New: hash})
	}
	if err := repo.Push(ctx, updates...); err != nil {
		refs, lookErr := repo.Remotes(ctx)
		switch {
		case lookErr != nil:
			return Claimed{}, fmt.Errorf("claiming the history: %w", err)
		case refs[git.Owner] == owner: // only the answer was lost
		case errors.Is(err, git.ErrMoved), refs[git.Owner] != seen[git.Owner], refs[repo.Main()] != seen[repo.Main()], refs[git.Numbers] != seen[git.Numbers]:
			return Claimed{}, fmt.Errorf("%w: %w", ErrTaken, err)
		default:
			return Claimed{}, fmt.Errorf("claiming the history: %w", err)
		}
	}
	for ref, hash := range map[string]git.Hash{repo.Main(): next, git.Tracking(repo.Main()): next, git.Tracking(git.Owner): owner} {
		if err := repo.Set(ctx, ref, hash); err != nil {
			return Claimed{}, err
		}
	}
	return claimed, nil
}

// Begin begins an epoch in the local repository alone, while the remote is out of reach: what the controller commits until it can claim the history then
// follows a commit that says so, too. head is what the local branch is at; Begin returns what it is at then.
func Begin(ctx context.Context, repo *git.Repo, head git.Hash, me Owner) (git.Hash, error) {
	message := starts(me) + " while its repository is out of reach\n\n" + Trailers(me)
	return repo.Commit(ctx, git.Commit{Ref: repo.Main(), Parent: head, Message: message, When: me.Started}, nil)
}

func starts(me Owner) string {
	return fmt.Sprintf("Controller epoch %d starts on %s", me.Epoch, me.Host)
}

// Trailers end the message of each commit of an owner.
func Trailers(o Owner) string {
	text := Trailer + strconv.FormatInt(o.Epoch, 10) + "\nController-Host: " + o.Host
	if o.Task != "" {
		text += "\nController-Task: " + o.Task
	}
	return text + "\n"
}

// EpochOf reads the epoch from a commit's message; false for a commit that no controller made.
func EpochOf(message string) (int64, bool) {
	for line := range strings.Lines(message) {
		if text, ok := strings.CutPrefix(line, Trailer); ok {
			epoch, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
			return epoch, err == nil
		}
	}
	return 0, false
}

// Marker is the file in a home that says which claim it belongs to.
type Marker struct {
	Home  string `json:"home"`
	Epoch int64  `json:"epoch"`
	// Owner is the owner commit of the last claim, Claiming those of claims whose end is not known, newest first, with blanks between them: a server may
	// carry out a push of a controller that was killed long after the next one has begun another.
	Owner    string `json:"owner,omitempty"`
	Claiming string `json:"claiming,omitempty"`
	// Restoring is the commit of a restore that has begun and not ended.
	Restoring string `json:"restoring,omitempty"`
}

// Is says whether the marker's home made the owner commit.
func (m Marker) Is(owner git.Hash) bool {
	return !owner.IsZero() && (m.Owner == owner.String() || slices.Contains(strings.Fields(m.Claiming), owner.String()))
}

// mostClaims is how many claims whose end is not known are remembered.
const mostClaims = 32

// Claims notes a claim that is about to be pushed.
func (m *Marker) Claims(owner git.Hash) {
	all := append([]string{owner.String()}, slices.DeleteFunc(strings.Fields(m.Claiming), func(one string) bool { return one == owner.String() })...)
	m.Claiming = strings.Join(all[:min(len(all), mostClaims)], " ")
}

// MarkerFile is the marker's name in a home.
const MarkerFile = ".jomctl/home.json"

// ReadMarker returns the home's marker; false without one.
func ReadMarker(home string) (Marker, bool, error) {
	var m Marker
	data, err := os.ReadFile(filepath.Join(home, MarkerFile))
	if errors.Is(err, fs.ErrNotExist) {
		return m, false, nil
	}
	if err != nil {
		return m, false, fmt.Errorf("reading the marker of the home %s: %w", home, err)
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, false, fmt.Errorf("the marker of the home, %s, is damaged, so that nobody knows whose the home is: %w (put that file back from a backup, or move the home away, and it is made "+
			"anew from the history)", filepath.Join(home, MarkerFile), err)
	}
	return m, true, nil
}

// WriteMarker replaces the home's marker as a whole, and on disk before it returns.
func WriteMarker(home string, m Marker) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	name := filepath.Join(home, MarkerFile)
	if err = os.MkdirAll(filepath.Dir(name), 0o755); err == nil {
		err = wholefile.Write(name, append(data, '\n'), 0o600)
	}
	if err == nil {
		err = errors.Join(wholefile.SyncFolder(filepath.Dir(name)), wholefile.SyncFolder(home))
	}
	if err != nil {
		return fmt.Errorf("writing the marker of the home %s: %w", home, err)
	}
	return nil
}
