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
		return fmt.Errorf("creating the folder of the log: %w", err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening the log: %w", err)
	}
	a.log.path, a.log.file = path, file
	a.log.slog = slog.New(slog.NewTextHandler(file, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: redact}))
	return nil
}

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
