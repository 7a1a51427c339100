package op

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Kind is the kind of a journal record.
type Kind string

// The kinds of records. A run is begin-run, then begin and end (or failed) per step, then end-run. A rollback is a run
// with the verb rollback in the same journal, with undone per step.
const (
	KindBeginRun Kind = "begin-run"
	KindBegin    Kind = "begin"
	KindEnd      Kind = "end"
	KindFailed   Kind = "failed"
	KindUndone   Kind = "undone"
	KindEndRun   Kind = "end-run"
)

// VerbRollback is the verb of a begin-run record that takes the journal's steps back.
const VerbRollback = "rollback"

// Meta says who started a run with what.
type Meta struct {
	RunID        string   `json:"run,omitempty"`
	Verb         string   `json:"verb,omitempty"`
	Args         []string `json:"args,omitempty"`
	User         string   `json:"user,omitempty"`
	Host         string   `json:"host,omitempty"`
	PID          int      `json:"pid,omitempty"`
	Version      string   `json:"version,omitempty"`
	ConfigSHA256 string   `json:"configSHA256,omitempty"`
	// Closes says that this run, once done, leaves nothing that an older unfinished run could go on with (destroy).
	Closes bool `json:"closes,omitempty"`
}

// Record is one line of a journal.
type Record struct {
	Time time.Time `json:"time"`
	Kind Kind      `json:"kind"`
	// Meta is set in begin-run.
	Meta *Meta `json:"meta,omitempty"`
	// Step is set in begin, end, failed and undone.
	Step string `json:"step,omitempty"`
	// Error is set in failed, and in an end-run that is not done.
	Error string `json:"error,omitempty"`
	// Outcome is set in end-run.
	Outcome Outcome `json:"outcome,omitempty"`
}

// Journal is an append-only file of records, each on the disk before the next thing happens. It may be used by several
// goroutines. A nil Journal records nothing.
type Journal struct {
	mu   sync.Mutex
	file *os.File
	log  Log
	// waits says that records wait in memory while the disk is full; waiting has those.
	waits   bool
	waiting []byte
}

// WaitForRoom lets the records wait in memory while the disk is full: it is for runs that make room.
func (j *Journal) WaitForRoom() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.waits = true
}

// CreateJournal starts the journal <dir>/<time>-<verb>.jsonl.
func CreateJournal(dir, verb string) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("creating the journal folder: %w", err)
	}
	for now := time.Now().UTC(); ; now = now.Add(time.Millisecond) {
		path := filepath.Join(dir, now.Format("20060102T150405.000")+"-"+strings.ReplaceAll(verb, " ", "-")+".jsonl")
		file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR|os.O_APPEND, 0o600)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("creating the journal: %w", err)
		}
		if err := syncDir(dir); err != nil {
			file.Close()
			return nil, fmt.Errorf("creating the journal %s: %w", path, err)
		}
		return &Journal{file: file, log: Log{Path: path}}, nil
	}
}

// OpenJournal opens a journal to append to it: a resumed run or a rollback. A last line that was cut off is removed.
func OpenJournal(path string) (*Journal, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	journal, err := repair(file, path)
	if err != nil {
		file.Close()
		return nil, err
	}
	return journal, nil
}

func repair(file *os.File, path string) (*Journal, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the journal: %w", err)
	}
	log, size, err := parseJournal(data)
	if err != nil {
		return nil, &brokenError{path, err}
	}
	log.Path = path
	if size == len(data) && (size == 0 || data[size-1] == '\n') {
		return &Journal{file: file, log: log}, nil
	}
	if err := file.Truncate(int64(size)); err != nil {
		return nil, fmt.Errorf("cutting the torn end off the journal %s: %w", path, err)
	}
	if size > 0 && data[size-1] != '\n' {
		if _, err := file.WriteString("\n"); err != nil {
			return nil, fmt.Errorf("ending the last line of the journal %s: %w", path, err)
		}
	}
	return &Journal{file: file, log: log}, nil
}

// Path is the journal's file.
func (j *Journal) Path() string {
	if j == nil {
		return ""
	}
	return j.log.Path
}

// Log returns what the journal says now.
func (j *Journal) Log() Log {
	if j == nil {
		return Log{}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	log := j.log
	log.Records = append([]Record(nil), log.Records...)
	return log
}

// Close closes the file.
func (j *Journal) Close() error {
	if j == nil {
		return nil
	}
	return j.file.Close()
}

// add appends one record and returns when it is on the disk.
func (j *Journal) add(record Record) error {
	if j == nil {
		return nil
	}
	line, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("writing the journal: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.write(append(j.waiting, append(line, '\n')...)); err != nil {
		return fmt.Errorf("writing the journal: %w", noRoom(err, filepath.Dir(j.log.Path)))
	}
	j.log.Records = append(j.log.Records, record)
	return nil
}

// write puts whole lines on the disk. What did not fit is taken away again, and waits where it may.
func (j *Journal) write(lines []byte) error {
	before, err := j.file.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = j.file.Write(lines)
	}
	if err == nil {
		err = j.file.Sync()
	}
	j.waiting = nil
	if err != nil && j.waits && NoRoom(err) {
		j.waiting = lines
		return j.file.Truncate(before)
	}
	return err
}

// syncDir makes the name of a new file as durable as its content.
func syncDir(dir string) error {
	file, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer file.Close()
	return file.Sync()
}
