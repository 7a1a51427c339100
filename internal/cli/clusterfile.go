package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/jomctl/jomctl/internal/op"
)

// clusterFile sees to it that there is a cluster file: the one that is there, one from flags, or one that was asked for. It
// returns the path of a file that it has written.
func (a *app) clusterFile(ctx context.Context, flags *InstallFlags) (string, error) {
	if _, err := os.Stat(a.global.File); err == nil && a.again != nil {
		return "", nil // a resumed install goes by the file, which may have been mended since
	}
	cluster, written, err := flags.Ensure(a.global.File)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !a.streams.CanPrompt():
		return "", &usageError{fmt.Errorf("there is no %s and no terminal to ask on: say what to install with flags, at the least `--name NAME --target local --yes`; "+
			"further ones are --control, --agents, --base-address, --host, --scm-repository, --admin-user, --label, --idle (see `jomctl install --help`)", a.global.File)}
	case errors.Is(err, fs.ErrNotExist):
		return a.global.File, a.askForCluster(ctx)
	case err != nil:
		return "", a.unwritable(err)
	case written:
		a.say("wrote %s", cluster.File)
		return cluster.File, nil
	}
	return "", nil
}

// unwritable makes a refusal with its fix of a folder in which no cluster file can be.
func (a *app) unwritable(err error) error {
	if _, statErr := os.Lstat(a.global.File); statErr == nil {
		return err // it is about what that file says
	}
	dir := filepath.Dir(a.global.File)
	if absolute, err := filepath.Abs(dir); err == nil {
		dir = absolute
	}
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return &refusedError{err, "the cluster file and its state are kept in " + dir + ": go to a folder that you may write to, or name a file in one with --file"}
	case op.NoRoom(err):
		return &refusedError{err, "make room on the disk of " + dir}
	}
	return err
}

// keptFile adds to the error of an install that the file which it wrote first is there still, and what that means.
func keptFile(err error, file string) error {
	if err == nil || file == "" {
		return err
	}
	switch exitCode(err) {
	case exitUsage, exitRefused, exitInterrupted:
		return &keptFileError{err, file}
	}
	return err
}

// keptFileError is the end of an install that has written its file and did not finish.
type keptFileError struct {
	error
	file string
}

// Unwrap returns why it did not finish.
func (e *keptFileError) Unwrap() error { return e.error }

// Hint is that of the error, and what the file is good for.
func (e *keptFileError) Hint() string {
	hint := e.file + " was written and is kept: `jomctl install` goes by it; remove it to answer anew"
	if before := hintOf(e.error); before != "" {
		hint = before + "\n" + hint
	}
	return hint
}

var _ interface{ Hint() string } = (*keptFileError)(nil)
