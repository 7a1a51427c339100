// Package backup keeps backups of a JENKINS_HOME in a restic repository: it takes them as consistent sets, opens them again to prove
// that they can be restored, and restores them. The work is that of the restic program (Debian's package).
package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// Repository is a restic repository and what opens it. Neither the password nor the location is ever an argument of a process.
type Repository struct {
	// Location is a folder, or sftp:USER@HOST:PATH, s3:..., rest:... as restic writes them.
	Location string
	// PasswordFile holds the password, and nobody but its owner may read it. Password is used where it is empty.
	PasswordFile string
	Password     string
	// EnvironmentFile holds variables for restic's backends, NAME=VALUE a line, for nobody but its owner to read.
	EnvironmentFile string
	// KeyFile and KnownHosts are for SFTP: a private SSH key, and the host keys that are believed. Without them they are the user's.
	KeyFile, KnownHosts string
	// Cache is a folder for restic's copies of what lies far away.
	Cache string
	// Program is restic, by default that of the PATH.
	Program string
}

// patience is how long restic may take to let go of the repository when it is told to stop.
const patience = 20 * time.Second

// Ready returns an *Error when restic is not installed, or others may read the password.
func (r Repository) Ready() error {
	if _, err := exec.LookPath(r.program()); err != nil {
		return &Error{Kind: ErrNotInstalled, Place: r.program(), Problem: "is not installed", Fix: "apt-get install restic"}
	}
	if r.PasswordFile == "" {
		return nil
	}
	return secret(r.PasswordFile, "the password of the backups")
}

// secret returns an *Error when a file with a secret is not there, or others may read it.
func secret(file, what string) error {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &Error{Kind: ErrWrongPassword, Place: file, Problem: what + " is not there", Fix: "bring the file back: without it no backup can ever be read"}
	case err != nil:
		return fmt.Errorf("looking at %s: %w", what, err)
	case info.Mode().Perm()&0o077 != 0:
		return &Error{Kind: ErrWrongPassword, Place: file, Problem: fmt.Sprintf("has mode %04o: others may read %s", info.Mode().Perm(), what),
			Fix: "chmod 600 " + file}
	}
	return nil
}

func (r Repository) program() string {
	if r.Program == "" {
		return "restic"
	}
	return r.Program
}

// environment is this process's, without what it may say to restic itself.
func (r Repository) environment() []string {
	env := slices.DeleteFunc(os.Environ(), func(one string) bool { return strings.HasPrefix(one, "RESTIC_") })
	env = append(env, "RESTIC_REPOSITORY="+r.Location, "LC_ALL=C")
	if r.Cache != "" {
		env = append(env, "RESTIC_CACHE_DIR="+r.Cache)
	}
	if r.PasswordFile != "" {
		return append(env, "RESTIC_PASSWORD_FILE="+r.PasswordFile)
	}
	return append(env, "RESTIC_PASSWORD="+r.Password)
}

// run runs restic in a folder. A lock that a dead run left behind is removed once; one that a living run holds is ErrLocked.
// Output is returned with an error, too. Code 3 of a backup (some files could not be read) is *partialError.
func (r Repository) run(ctx context.Context, dir string, args ...string) ([]byte, error) {
	out, err := r.once(ctx, dir, args...)
	if !errors.Is(err, ErrLocked) {
		return out, err
	}
	// Without --remove-all only those go that are half an hour old, or whose process on this machine is gone.
	if _, unlockErr := r.once(ctx, dir, "unlock"); unlockErr != nil {
		return out, err
	}
	return r.once(ctx, dir, args...)
}

func (r Repository) once(ctx context.Context, dir string, args ...string) ([]byte, error) {
	if err := r.Ready(); err != nil {
		return nil, err
	}
	secrets, err := r.secrets()
	if err != nil {
		return nil, err
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, r.program(), append(r.options(), args...)...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, append(r.environment(), secrets...), &stdout, &stderr
	if dir != "" {
		cmd.Env = append(cmd.Env, "PWD="+dir) // the paths that restic makes of "." are these
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // so that it removes its lock
	cmd.WaitDelay = patience
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return stdout.Bytes(), nil
	case ctx.Err() != nil:
		return stdout.Bytes(), fmt.Errorf("restic %s: %w", args[0], context.Cause(ctx))
	case errors.As(err, &exit) && exit.ExitCode() == 3 && args[0] == "backup":
		return stdout.Bytes(), &partialError{stderr.String()}
	}
	return stdout.Bytes(), r.explain(args[0], stderr.String(), err)
}

// Exists says whether there is a repository. That it cannot be opened is an error.
func (r Repository) Exists(ctx context.Context) (bool, error) {
	_, err := r.run(ctx, "", "cat", "config")
	if errors.Is(err, ErrNoRepository) {
		return false, nil
	}
	return err == nil, err
}

// Init makes the repository. One that is there is an error.
func (r Repository) Init(ctx context.Context) error {
	_, err := r.run(ctx, "", "init")
	return err
}

// Check lets restic check the repository; all reads every byte of it.
func (r Repository) Check(ctx context.Context, all bool) error {
	args := []string{"check"}
	if all {
		args = append(args, "--read-data")
	}
	_, err := r.run(ctx, "", args...)
	return err
}
