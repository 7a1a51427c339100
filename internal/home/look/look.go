// Package look answers questions about a home and its history on the machine where they are. jomhome answers them on hosts of
// their own, where jomctl asks through SSH; the questions and answers are JSON.
package look

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/home/claim"
	"github.com/jomctl/jomctl/internal/home/git"
	"github.com/jomctl/jomctl/internal/home/history"
	"github.com/jomctl/jomctl/internal/home/restore"
	homesync "github.com/jomctl/jomctl/internal/home/sync"
)

// The verbs of a Question.
const (
	// Status is what the controller says about its history. It works without git.
	Status = "status"
	// Log are commits, Diff what changed between two, Verify the comparison of the home with what is pushed.
	Log, Diff, Verify = "history", "diff", "verify"
	// Compare says what a restore of a commit would change; Order asks for it, and Ordered whether it still waits.
	Compare, Order, Ordered = "compare", "order", "ordered"
	// Check writes to the repository and takes it back.
	Check = "check"
)

// Question is what is asked.
type Question struct {
	Verb string `json:"verb"`
	// Count is how many commits Log returns, Paths are those of the home that it, Diff and Order are about; none means all.
	Count int      `json:"count,omitempty"`
	Paths []string `json:"paths,omitempty"`
	// Commits are one for Compare and Order, and up to two for Diff, as people write them.
	Commits []string `json:"commits,omitempty"`
}

// Answer is what comes back; each verb fills what it is about.
type Answer struct {
	Status *homesync.Status `json:"status,omitempty"`
	// Log are commits, newest first.
	Log []Commit `json:"log,omitempty"`
	// Commits are those of the question as 40 hexadecimal digits; of Diff they are always two.
	Commits     []string             `json:"commits,omitempty"`
	Diff        string               `json:"diff,omitempty"`
	Verdict     *Verdict             `json:"verdict,omitempty"`
	Differences []restore.Difference `json:"differences,omitempty"`
	// Waits says that an order has not been carried out.
	Waits bool `json:"waits,omitempty"`
}

// Commit is one commit of the history.
type Commit struct {
	Commit  string    `json:"commit"`
	Time    time.Time `json:"time"`
	Epoch   int64     `json:"epoch,omitempty"`
	Subject string    `json:"subject"`
}

// ErrNone means that the controller has kept no history yet.
var ErrNone = errors.New("the controller has kept no history of its home yet")

// CommitError is a commit that the history does not have.
type CommitError struct{ Text string }

func (e *CommitError) Error() string {
	return fmt.Sprintf("the history has no commit %q (see `jomctl home history`)", e.Text)
}

// Repo is a history in a repository of this machine.
type Repo struct {
	*git.Repo
	Head git.Hash
}

// Open opens the repository beside the home.
func Open(ctx context.Context, c history.Config) (*Repo, error) {
	if _, err := os.Stat(c.RepoDir()); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: there is no %s", ErrNone, c.RepoDir())
	}
	repo, err := git.Open(ctx, c.RepoDir(), c.Remote())
	if err != nil {
		return nil, err
	}
	refs, err := repo.Refs(ctx)
	return &Repo{repo, refs[repo.Main()]}, err
}

// Fetch makes or refreshes a copy of the remote in a folder, for those who can reach the remote and not the home.
func Fetch(ctx context.Context, dir string, remote git.Remote) (*Repo, error) {
	repo, err := git.Open(ctx, dir, remote)
	if err != nil {
		return nil, err
	}
	refs, err := repo.Fetch(ctx)
	if err != nil {
		return nil, err
	}
	return &Repo{repo, refs[repo.Main()]}, nil
}

// Ask answers a question about the home of a history.
func Ask(ctx context.Context, home string, c history.Config, q Question) (Answer, error) {
	switch q.Verb {
	case Status:
		status, err := homesync.ReadStatus(c.StatusFile())
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: there is no %s", ErrNone, c.StatusFile())
		}
		return Answer{Status: &status}, err
	case Ordered:
		_, err := os.Stat(c.OrderFile())
		if errors.Is(err, fs.ErrNotExist) {
			return Answer{}, nil
		}
		return Answer{Waits: err == nil}, err
	case Check:
		return Answer{}, check(ctx, c)
	}
	repo, err := Open(ctx, c)
	if err != nil {
		return Answer{}, err
	}
	if q.Verb == Log || q.Verb == Diff {
		return repo.Answer(ctx, q)
	}
	if q.Verb == Verify {
		v, err := repo.verify(ctx, home)
		return Answer{Verdict: &v}, err
	}
	if len(q.Commits) != 1 {
		return Answer{}, errors.New("want one commit")
	}
	commit, err := repo.commit(ctx, q.Commits[0])
	if err != nil {
		return Answer{}, err
	}
	answer := Answer{Commits: []string{commit.String()}}
	switch q.Verb {
	case Compare:
		answer.Differences, err = repo.changes(ctx, home, commit, q.Paths)
	case Order:
		err = c.Give(history.Order{Commit: commit.String(), Only: q.Paths})
	default:
		err = fmt.Errorf("jomhome of this version has no answer to %q", q.Verb)
	}
	return answer, err
}

// Answer answers what the repository alone can: Log and Diff.
func (r *Repo) Answer(ctx context.Context, q Question) (answer Answer, err error) {
	switch q.Verb {
	case Log:
		answer.Log, err = r.log(ctx, q.Count, q.Paths)
	case Diff:
		answer.Commits, answer.Diff, err = r.diff(ctx, q.Commits, q.Paths)
	default:
		err = fmt.Errorf("the repository alone has no answer to %q", q.Verb)
	}
	return answer, err
}

// log reads commits; paths are those of the home, as jobs/a.
func (r *Repo) log(ctx context.Context, count int, paths []string) ([]Commit, error) {
	commits := []Commit{}
	if r.Head.IsZero() {
		return commits, nil
	}
	args := append([]string{"log", "-z", "--format=%H%n%ct%n%B", "-n", strconv.Itoa(count), r.Head.String(), "--"}, literal(paths)...)
	out, err := r.Run(ctx, args...)
	if err != nil {
		return nil, err
	}
	for text := range strings.SplitSeq(strings.Trim(out, "\x00"), "\x00") {
		parts := strings.SplitN(text, "\n", 3)
		if len(parts) < 3 {
			continue
		}
		seconds, err := strconv.ParseInt(parts[1], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("reading the history: %w", err)
		}
		epoch, _ := claim.EpochOf(parts[2])
		subject, _, _ := strings.Cut(parts[2], "\n")
		commits = append(commits, Commit{parts[0], time.Unix(seconds, 0), epoch, subject})
	}
	return commits, nil
}

// diff is between two commits, from one to the last, or what the last one changed.
func (r *Repo) diff(ctx context.Context, names, only []string) ([]string, string, error) {
	if len(names) == 0 {
		names = []string{r.Head.String() + "^"}
	}
	if len(names) == 1 {
		names = append(names, r.Head.String())
	}
	var commits []string
	for _, name := range names[:2] {
		commit, err := r.commit(ctx, name)
		if err != nil {
			return nil, "", err
		}
		commits = append(commits, commit.String())
	}
	text, err := r.Run(ctx, append([]string{"diff", "--no-color", "--no-ext-diff", "-M", commits[0], commits[1], "--"}, literal(only)...)...)
	return commits, text, err
}

// literal keeps git from reading patterns into the names of jobs.
func literal(paths []string) []string {
	var all []string
	for _, path := range paths {
		all = append(all, ":(literal)"+strings.Trim(path, "/"))
	}
	return all
}

// commit reads what a person calls a commit.
func (r *Repo) commit(ctx context.Context, text string) (git.Hash, error) {
	if strings.HasPrefix(text, "-") {
		return git.Hash{}, &CommitError{text}
	}
	out, err := r.Run(ctx, "rev-parse", "--quiet", "--verify", "--end-of-options", text+"^{commit}")
	if err != nil {
		return git.Hash{}, &CommitError{text}
	}
	return git.ParseHash(strings.TrimSpace(out))
}

// changes are the differences that a restore of a commit would take away.
func (r *Repo) changes(ctx context.Context, home string, commit git.Hash, only []string) ([]restore.Difference, error) {
	all, err := restore.Changes(ctx, r.Repo, commit, home)
	if err != nil {
		return nil, err
	}
	var changes []restore.Difference
	for _, d := range all {
		if restore.Within(d.Name, only) || restore.Within(d.Path, only) {
			changes = append(changes, d)
		}
	}
	return changes, nil
}
