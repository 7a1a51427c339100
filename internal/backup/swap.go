package backup

import (
	"errors"
	"os"
)

// swapByRenames exchanges two folders in three steps, and undoes the first when the second fails.
func swapByRenames(a, b string) error {
	aside := b + ".exchanged"
	if err := os.Rename(b, aside); err != nil {
		return err
	}
	if err := os.Rename(a, b); err != nil {
		return errors.Join(err, os.Rename(aside, b))
	}
	return os.Rename(aside, a)
}
