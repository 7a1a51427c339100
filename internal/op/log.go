package op

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// ErrNoRun says that there is no unfinished run.
var ErrNoRun = errors.New("there is no unfinished run")

// brokenError is a journal that is broken before its last line, which no interruption can do.
type brokenError struct {
	path string
	err  error
}

// Error names the file and the line.
func (e *brokenError) Error() string { return fmt.Sprintf("reading the journal %s: %v", e.path, e.err) }

// Unwrap returns what is wrong with the line.
func (e *brokenError) Unwrap() error { return e.err }

// Hint says how to go on without it.
func (e *brokenError) Hint() string {
	return "the file was changed by something else; move it away to go on without it (nothing else depends on it)"
}

var _ hinter = (*brokenError)(nil)

// Log is what a journal says. The zero Log is that of a run that never began.
type Log struct {
	Path    string
	Records []Record
	// Torn says that the last line was cut off, as by kill -9 or a full disk; it is not among Records.
	Torn bool
}

// ReadJournal reads a journal and leaves it as it is.
func ReadJournal(path string) (Log, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Log{}, fmt.Errorf("reading the journal: %w", err)
	}
	log, _, err := parseJournal(data)
	if err != nil {
		return Log{}, &brokenError{path, err}
	}
	log.Path = path
	return log, nil
}

// parseJournal returns the records and the size of the part of data that they fill. Only the last line may be broken.
func parseJournal(data []byte) (Log, int, error) {
	var log Log
	size := 0
	for number := 1; size < len(data); number++ {
		line, rest, ended := bytes.Cut(data[size:], []byte("\n"))
		var record Record
		err := json.Unmarshal(line, &record)
		if err == nil && record.Kind == "" {
			err = errors.New("a record without a kind")
		}
		if err != nil {
			if len(bytes.Trim(rest, "\x00\n ")) == 0 {
				log.Torn = true
				return log, size, nil
			}
			return Log{}, 0, fmt.Errorf("line %d: %w", number, err)
		}
		log.Records = append(log.Records, record)
		size += len(line)
		if ended {
			size++
		}
	}
	return log, size, nil
}

// Meta is the first begin-run record: the operation this journal is about. It is the zero Meta for a journal without one.
func (l Log) Meta() Meta {
	for _, record := range l.Records {
		if record.Kind == KindBeginRun && record.Meta != nil {
			return *record.Meta
		}
	}
	return Meta{}
}

// Last is the newest begin-run record: who worked on it last. Its Verb is "rollback" while the steps are taken back.
func (l Log) Last() Meta {
	for _, record := range slices.Backward(l.Records) {
		if record.Kind == KindBeginRun && record.Meta != nil {
			return *record.Meta
		}
	}
	return Meta{}
}

// Begun lists the steps that were begun and not undone since, in the order of their first begin: what a rollback has to
// take back.
func (l Log) Begun() []string {
	var begun []string
	for _, record := range l.Records {
		switch record.Kind {
		case KindBegin:
			if !slices.Contains(begun, record.Step) {
				begun = append(begun, record.Step)
			}
		case KindUndone:
			begun = slices.DeleteFunc(begun, func(id string) bool { return id == record.Step })
		}
	}
	return begun
}

// Pending says that the step was begun, and that neither its end nor its undoing is recorded.
func (l Log) Pending(step string) bool {
	pending := false
	for _, record := range l.Records {
		if record.Step == step {
			pending = record.Kind == KindBegin || (pending && record.Kind == KindFailed)
		}
	}
	return pending
}

// Outcome is how the newest run in the journal ended; empty where it was cut off.
func (l Log) Outcome() Outcome {
	if len(l.Records) == 0 {
		return ""
	}
	return l.Records[len(l.Records)-1].Outcome
}

// Finished says that there is nothing to resume: the run is done, or rolled back.
func (l Log) Finished() bool {
	outcome := l.Outcome()
	return outcome == OutcomeDone || outcome == OutcomeRolledBack
}

// Time is when the newest record was written.
func (l Log) Time() time.Time {
	if len(l.Records) == 0 {
		return time.Time{}
	}
	return l.Records[len(l.Records)-1].Time
}

// LastRun finds the newest run in the journal folder that resume or rollback can work on, or ErrNoRun. Passed over are
// journals in which nothing was begun, and those whose verb was done by a newer run; a newer run that was done and
// closes what was before it ends the search.
func LastRun(dir string) (Log, error) {
	names, err := journals(dir)
	if err != nil {
		return Log{}, err
	}
	done := map[string]bool{}
	for _, name := range slices.Backward(names) {
		log, err := ReadJournal(filepath.Join(dir, name))
		if err != nil {
			return Log{}, err
		}
		meta := log.Meta()
		switch {
		case log.Outcome() == OutcomeDone && meta.Closes:
			return Log{}, ErrNoRun
		case log.Outcome() == OutcomeDone:
			done[meta.Verb] = true
		case !log.Finished() && !done[meta.Verb] && len(log.Begun()) > 0:
			return log, nil
		}
	}
	return Log{}, ErrNoRun
}

func journals(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing the journals: %w", err)
	}
	var names []string
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), ".jsonl") {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}
