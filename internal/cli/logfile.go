package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// logFile is the full log of one run. The zero logFile drops everything.
type logFile struct {
	path string
	file io.Closer
	slog *slog.Logger
}

// openLog starts <state>/log/<time>-<verb>.log, or the file of --log-file. It may be called again: the first one stays.
func (a *app) openLog(verb string) error {
	if a.log.slog != nil {
		return nil
	}
	path := a.global.LogFile
	if path == "" {
		path = filepath.Join(a.global.stateDir(), "log", time.Now().UTC().Format("20060102T150405.000")+"-"+verb+".log")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return a.logError(fmt.Errorf("creating the folder of the log: %w", err))
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return a.logError(fmt.Errorf("opening the log: %w", err))
	}
	a.log.path, a.log.file = path, file
	a.log.slog = slog.New(slog.NewTextHandler(file, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: redact}))
	return nil
}

// logError is one of usage where the place of the log was given, and else one of the state folder; it says what to do.
func (a *app) logError(err error) error {
	if a.global.LogFile != "" {
		return &usageError{fmt.Errorf("--log-file %s: %w", a.global.LogFile, err)}
	}
	return &refusedError{err, "the state is kept beside the cluster file: make " + a.global.stateDir() + " a folder that you may write to, or move the cluster file to another folder"}
}

// refusedError is something that stands against a run before it has begun.
type refusedError struct {
	error
	fix string
}

// Unwrap returns what is wrong.
func (e *refusedError) Unwrap() error { return e.error }

// ExitCode is that of a refused check.
func (*refusedError) ExitCode() int { return exitRefused }

// Hint is the fix.
func (e *refusedError) Hint() string { return e.fix }

var (
	_ interface{ ExitCode() int } = (*refusedError)(nil)
	_ interface{ Hint() string }  = (*refusedError)(nil)
)

func (l *logFile) logger() *slog.Logger {
	if l.slog == nil {
		return slog.New(dropped{})
	}
	return l.slog
}

// Close ends the file.
func (l *logFile) Close() {
	if l.file != nil {
		_ = l.file.Close()
	}
}

// secretKey matches the attributes whose values stay out of the log, whoever logs them.
var secretKey = regexp.MustCompile(`(?i)passw|secret|token|credential|private.?key|authorization`)

func redact(_ []string, attr slog.Attr) slog.Attr {
	if secretKey.MatchString(attr.Key) {
		return slog.String(attr.Key, "[redacted]")
	}
	return attr
}

// dropped is the handler before there is a file.
type dropped struct{}

func (dropped) Enabled(context.Context, slog.Level) bool  { return false }
func (dropped) Handle(context.Context, slog.Record) error { return nil }
func (d dropped) WithAttrs([]slog.Attr) slog.Handler      { return d }
func (d dropped) WithGroup(string) slog.Handler           { return d }
