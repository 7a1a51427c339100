package backup

import (
	"errors"
	"fmt"
	"strings"
)

// The kinds of an Error.
var (
	ErrNotInstalled  = errors.New("restic is not installed")
	ErrNoRepository  = errors.New("there is no repository")
	ErrWrongPassword = errors.New("the password does not open the repository")
	ErrLocked        = errors.New("the repository is locked")
	ErrNoRoom        = errors.New("the disk is full")
	ErrUnreachable   = errors.New("the repository cannot be reached")
	ErrDamaged       = errors.New("the repository is damaged")
	ErrForbidden     = errors.New("access is denied")
	ErrNoBackup      = errors.New("there is no such backup")
	ErrOccupied      = errors.New("the folder is not empty")
)

// Error is a problem that a user can do something about.
type Error struct {
	// Kind is one of the errors above.
	Kind error
	// Place is what it is about: a file, a folder, the repository.
	Place, Problem, Fix string
}

func (e *Error) Error() string { return e.Place + ": " + e.Problem }

// Hint is the fix.
func (e *Error) Hint() string { return e.Fix }

// Unwrap is the kind.
func (e *Error) Unwrap() error { return e.Kind }

// symptoms are what restic 0.14 to 0.18 writes, in the order in which they are looked for: an address that is not reached is
// asked whether there is a repository, too.
var symptoms = []struct {
	texts   []string
	kind    error
	problem string
	fix     string
}{
	{[]string{"no space left on device", "disk quota exceeded"}, ErrNoRoom, "there is no room left on the disk",
		"make room there, or keep fewer backups (backup.keep) and run `jomctl backup` again"},
	{[]string{"wrong password or no key found"}, ErrWrongPassword, "the password does not open the repository",
		"bring back the password that the repository was made with (backup.password), or name another repository"},
	{[]string{"already locked"}, ErrLocked, "another run works on the repository",
		"wait for it; if its machine is gone for good, its lock goes by itself half an hour after its last sign of life"},
	{[]string{"connection refused", "no such host", "could not resolve", "no route to host", "network is unreachable", "i/o timeout", "connection timed out",
		"host key verification failed", "unable to start the sftp session", "no address associated", "temporary failure in name resolution"}, ErrUnreachable, "the repository cannot be reached",
		"see that its machine runs and that this user may log in there without being asked; then run it again"},
	{[]string{"permission denied", "access denied", "accessdenied", "403 forbidden", "401 unauthorized", "read-only file system"}, ErrForbidden, "this user may not use the repository",
		"give this user read and write access there"},
	{[]string{"is there a repository at the following location", "repository does not exist"}, ErrNoRepository, "there is no repository",
		"`jomctl backup` makes it; if there were backups, see backup.repository"},
	{[]string{"no matching id found", "no snapshot found", "no snapshot was found", "invalid id"}, ErrNoBackup, "there is no such backup",
		"`jomctl backups` lists them"},
	{[]string{"ciphertext verification failed", "does not match hash", "not found in index", "not found in the index", "repository contains errors", "hash does not match",
		"pack file cannot be listed", "unexpected eof", "invalid data returned", "errors were found", "not referenced in any index",
		"streampack:", "fatal: there were"}, ErrDamaged, "the repository is damaged",
		"do not delete anything; keep a copy of the repository and see `restic check` and https://restic.readthedocs.io/en/stable/077_troubleshooting.html"},
}

// explain makes an *Error of what restic wrote, or an error with the end of it.
func (r Repository) explain(verb, stderr string, cause error) error {
	text := strings.ToLower(stderr)
	for _, one := range symptoms {
		for _, symptom := range one.texts {
			if strings.Contains(text, symptom) {
				return &Error{Kind: one.kind, Place: r.Location, Problem: one.problem + " (" + lastLines(stderr, symptom) + ")", Fix: one.fix}
			}
		}
	}
	return fmt.Errorf("restic %s on %s: %w: %s", verb, r.Location, cause, lastLines(stderr, ""))
}

// lastLines is the line with the symptom, or the end of a text.
func lastLines(text, symptom string) string {
	for line := range strings.Lines(text) {
		if symptom != "" && strings.Contains(strings.ToLower(line), symptom) {
			return strings.TrimSpace(line)
		}
	}
	text = strings.TrimSpace(text)
	if len(text) > 1000 {
		text = "..." + text[len(text)-1000:]
	}
	return strings.ReplaceAll(text, "\n", "; ")
}

// partialError: a backup was made, and some files could not be read.
type partialError struct{ text string }

func (e *partialError) Error() string {
	return "some files could not be read: " + lastLines(e.text, "")
}
