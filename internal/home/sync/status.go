package sync

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jomctl/jomctl/internal/home/git"
	"github.com/jomctl/jomctl/internal/home/keep"
)

// Status is what an engine knows about itself.
type Status struct {
	Epoch int64 `json:"epoch"`
	// Head is the last commit, Pushed the last one that the remote has.
	Head   string `json:"head"`
	Pushed string `json:"pushed"`
	// Unpushed is since when there is a change that the remote does not have; zero when it has all.
	Unpushed time.Time `json:"unpushed,omitzero"`
	LastPush time.Time `json:"lastPush,omitzero"`
	// CommitError and PushError are why there is no commit or no push; empty when all is well.
	CommitError string `json:"commitError,omitempty"`
	PushError   string `json:"pushError,omitempty"`
	// Start is why the controller was not started; empty when it was.
	Start string `json:"start,omitempty"`
	// Fenced: another controller owns the history.
	Fenced bool `json:"fenced,omitempty"`
	// Refused are files that are not kept as they are, with the reason; what was kept of them before stays.
	Refused map[string]string `json:"refused,omitempty"`
	// Unwatched says why changes may be found late.
	Unwatched string    `json:"unwatched,omitempty"`
	Files     int       `json:"files"`
	Written   time.Time `json:"written"`
}

// OldestUnpushed is the age of the oldest change that the remote does not have.
func (s Status) OldestUnpushed(now time.Time) time.Duration {
	if s.Unpushed.IsZero() {
		return 0
	}
	return max(now.Sub(s.Unpushed), 0)
}

// Status is the engine's status now.
func (e *Engine) Status() Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.statusLocked()
}

func (e *Engine) statusLocked() Status {
	s := e.status
	s.Epoch, s.Head, s.Pushed, s.Unpushed = e.claimed.Epoch, e.head.String(), e.pushed.String(), e.unpushed
	if since := e.mailbox.since(); !since.IsZero() && (s.Unpushed.IsZero() || since.Before(s.Unpushed)) {
		s.Unpushed = since
	}
	s.Written = time.Now()
	return s
}

func (e *Engine) report(change func(*Status)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.reportLocked(change)
}

func (e *Engine) reportLocked(change func(*Status)) {
	change(&e.status)
	e.writeStatus(e.statusLocked())
}

// noteTree copies into the status what the commit loop alone may read.
func (e *Engine) noteTree() {
	refused := map[string]string{}
	for name, r := range e.tree.refused {
		if !r.silent {
			refused[name] = r.reason
		}
	}
	unwatched := ""
	if e.blind != nil {
		unwatched = e.blind.Error()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.status.Refused, e.status.Unwatched, e.status.Files = refused, unwatched, len(e.tree.nodes)
}

func (e *Engine) writeStatus(s Status) {
	if e.o.StatusFile != "" {
		_ = WriteStatus(e.o.StatusFile, s) // a full disk must not end the history, and the next status says more
	}
}

// WriteStatus replaces a status file.
func WriteStatus(file string, s Status) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	temp := file + ".new"
	if err := os.WriteFile(temp, append(data, '\n'), 0o644); err != nil { // #nosec G306 -- jomctl reads it as another user
		return err
	}
	return os.Rename(temp, file)
}

// ReadStatus reads a status file.
func ReadStatus(file string) (Status, error) {
	var s Status
	data, err := os.ReadFile(file)
	if err != nil {
		return s, fmt.Errorf("reading the status of the home's history: %w", err)
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("the status of the home's history, %s, is damaged: %w (a controller that runs writes it again at its next commit or push)", file, err)
	}
	return s, nil
}

func isNumber(name string) bool {
	_, ok := keep.JobOfNumber(name)
	return ok
}

// numbersFile is the one file of the ref that holds the next build numbers, a line `NUMBER JOB` each. A job whose name does not fit into a line is written in quotes,
// as Go does it.
const numbersFile = "next-build-numbers"

// commitNumbers makes the ref of the numbers hold those of the home. It has no history: each commit is the first.
func (e *Engine) commitNumbers(ctx context.Context) error {
	if err := e.o.Alive(); err != nil { // the numbers of a home that is gone are those from before
		return err
	}
	var lines []string
	for name := range e.tree.nodes {
		if job, ok := strings.CutSuffix(name, "/config.xml"); ok && strings.HasPrefix(job, "jobs/") {
			lines = append(lines, job)
		}
	}
	slices.Sort(lines)
	var text bytes.Buffer
	for _, job := range lines {
		data, err := os.ReadFile(filepath.Join(e.o.Home, path.Join(job, "nextBuildNumber")))
		if err != nil {
			continue
		}
		if n, err := strconv.Atoi(strings.TrimSpace(string(data))); err == nil && n > 0 {
			text.WriteString(strconv.Itoa(n) + " " + inLine(job) + "\n")
		}
	}
	e.mu.Lock()
	old := e.numbers
	e.mu.Unlock()
	if !old.IsZero() {
		if data, ok, err := e.o.Repo.File(ctx, old, numbersFile); err == nil && ok && bytes.Equal(data, text.Bytes()) {
			return nil
		}
	}
	commit, err := e.o.Repo.Commit(ctx, git.Commit{Ref: git.Numbers, Force: true, Message: "Next build numbers", When: time.Now()}, func(c *git.Changes) error {
		c.Write(numbersFile, text.Bytes(), false)
		return nil
	})
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.numbers = commit
	return nil
}

func inLine(job string) string {
	if utf8.ValidString(job) && !strings.ContainsFunc(job, unicode.IsControl) {
		return job
	}
	return strconv.Quote(job)
}

// ParseNumbers reads the file of the next build numbers: job path to number.
func ParseNumbers(data []byte) map[string]int {
	numbers := map[string]int{}
	for line := range strings.Lines(string(data)) {
		number, job, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if name, err := strconv.Unquote(job); err == nil { // a job begins with jobs/, and not with a quote
			job = name
		}
		if n, err := strconv.Atoi(number); err == nil && n > 0 {
			numbers[job] = n
		}
	}
	return numbers
}

// NumbersFile is where Numbers holds them.
const NumbersFile = numbersFile
