package op

import (
	"errors"
	"syscall"
)

// NoRoom says that something could not be written because the disk is full or a quota is used up.
func NoRoom(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// noRoomError is a full disk, with what to do about it.
type noRoomError struct {
	error
	dir string
}

// noRoom adds the fix to an error of a full disk.
func noRoom(err error, dir string) error {
	if !NoRoom(err) {
		return err
	}
	return &noRoomError{err, dir}
}

// Unwrap returns what failed.
func (e *noRoomError) Unwrap() error { return e.error }

// Hint is the fix.
func (e *noRoomError) Hint() string {
	return "make room on the disk of " + e.dir + " and run the same again; `jomctl destroy` works without room"
}
