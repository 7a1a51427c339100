package keep

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"syscall"

	"github.com/jomctl/jomctl/internal/jenkinsxml"
)

// MaxFile is the largest file that is kept, in bytes: larger ones belong into a backup, not into a history.
const MaxFile = 4 << 20

// LinkedFolder is why a link in the place of a folder is not followed: what it leads to has a life of its own.
const LinkedFolder = "it is a link in the place of a folder, and nothing in it is kept: put the folder itself here, or mount it"

// Stamp identifies one state of a file on disk.
type Stamp struct {
	Size, MTime int64
	Inode       uint64
	Executable  bool
}

// ErrChanging means that a file was written to while it was read: try again when it is quiet.
var ErrChanging = errors.New("it changed while it was read")

// RefusedError means that the content of a file must not be kept. Trying again helps only when the file changes.
type RefusedError struct {
	File, Reason string
	// Silent: it is meant to be so, and nobody needs to know.
	Silent bool
}

func (e *RefusedError) Error() string { return e.File + ": " + e.Reason }

// StampOf returns the stamp of a regular file; anything else (a link, a pipe) is a *RefusedError. A file that is not there
// is fs.ErrNotExist.
func StampOf(full string) (Stamp, error) {
	info, err := os.Lstat(full)
	if err != nil {
		return Stamp{}, absent(err)
	}
	return stamp(full, info)
}

// absent makes one error of the two ways in which a file can be missing: a folder above it may be a file by now.
func absent(err error) error {
	if errors.Is(err, syscall.ENOTDIR) {
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return err
}

func stamp(full string, info fs.FileInfo) (Stamp, error) {
	if !info.Mode().IsRegular() {
		return Stamp{}, &RefusedError{File: full, Reason: "it is not a regular file"}
	}
	s := Stamp{Size: info.Size(), MTime: info.ModTime().UnixNano(), Executable: info.Mode()&0o100 != 0}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		s.Inode = sys.Ino
	}
	return s, nil
}

// Read returns the whole content of a file of the home as it was at one moment. Its error is ErrChanging, fs.ErrNotExist,
// or a *RefusedError for a content that must not be kept: not well-formed XML, too large, or a secret.
func Read(home, name string) ([]byte, Stamp, error) {
	full := path.Join(home, name)
	// Not through a link, and not hanging on a pipe.
	file, err := os.OpenFile(full, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, Stamp{}, &RefusedError{File: name, Reason: "it is a link"}
	}
	if err != nil {
		return nil, Stamp{}, absent(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, Stamp{}, err
	}
	before, err := stamp(name, info)
	if err != nil {
		return nil, before, err
	}
	if before.Size > MaxFile {
		return nil, before, &RefusedError{File: name, Reason: fmt.Sprintf("it is larger than %d MiB", MaxFile>>20)}
	}
	data, err := readAll(file, before.Size)
	if err != nil {
		return nil, before, fmt.Errorf("reading %s: %w", full, err)
	}
	after, err := StampOf(full)
	if err != nil || after != before || int64(len(data)) != before.Size {
		return nil, before, ErrChanging
	}
	return data, before, Check(name, data)
}

// readAll reads what the file was said to hold, and one byte more so that growth is seen.
func readAll(file io.Reader, size int64) ([]byte, error) {
	data := make([]byte, size+1)
	n, err := io.ReadFull(file, data)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = nil
	}
	return data[:n], err
}

// Check returns a *RefusedError for a content that must not be kept under the name.
func Check(name string, data []byte) error {
	if err := WellFormed(name, data); err != nil {
		return &RefusedError{File: name, Reason: fmt.Sprintf("%v: the last good version is kept", err)}
	}
	if strings.HasPrefix(name, "nodes/") && bytes.Contains(data[:min(len(data), 4096)], []byte("jenkinsci.plugins.mesos.Mesos")) {
		return &RefusedError{File: name, Reason: "a build agent that Mesos started, which is gone when its build is over", Silent: true}
	}
	if what, line := FindSecret(name, data); what != "" {
		return &RefusedError{File: name, Reason: fmt.Sprintf("line %d holds %s: move it into Jenkins' credentials", line, what)}
	}
	return nil
}

// offline is the mark of a build agent that somebody took offline for a while.
var offline = regexp.MustCompile(`(?s)\s*<temporaryOfflineCause\b[^>]*?(?:/>|>.*?</temporaryOfflineCause>)`)

// Normal is the content as the history keeps it: as it is, but without what changes while nobody changes the configuration.
func Normal(name string, data []byte) []byte {
	if !strings.HasPrefix(name, "nodes/") || !bytes.Contains(data, []byte("<temporaryOfflineCause")) {
		return data
	}
	return offline.ReplaceAll(data, nil)
}

// WellFormed says whether Jenkins can read a file, as far as its syntax goes.
func WellFormed(name string, data []byte) error {
	if !strings.HasSuffix(name, ".xml") {
		return nil
	}
	if err := jenkinsxml.Check(data); err != nil {
		return fmt.Errorf("it is not well-formed XML (%w)", err)
	}
	return nil
}
