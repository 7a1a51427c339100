package source

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Cache is a folder of artefacts, each named by its SHA-256. It is beside the state of the cluster (.jomctl/cache).
type Cache struct{ Dir string }

// MismatchError is a file that is not what it should be.
type MismatchError struct {
	// Place is where the file came from.
	Place string
	// What is sha256, sha1 or size.
	What string
	// Want and Got are the two values.
	Want, Got string
}

// Error shows both values.
func (e *MismatchError) Error() string {
	return fmt.Sprintf("%s: the %s is %s, but must be %s", e.Place, e.What, e.Got, e.Want)
}

func (c *Cache) path(sha256 string) string { return filepath.Join(c.Dir, "sha256-"+sha256) }

// File is the path of an artefact, which is read and compared first. A missing one gives an error that is fs.ErrNotExist; a damaged
// one is removed and gives a *MismatchError.
func (c *Cache) File(want string) (string, error) {
	path := c.path(want)
	got, _, err := sumFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("sha256 %s is not in the cache %s: %w", want, c.Dir, fs.ErrNotExist)
	}
	if err != nil {
		return "", fmt.Errorf("read the cache: %w", err)
	}
	if got != want {
		if err := os.Remove(path); err != nil {
			return "", fmt.Errorf("remove a damaged file from the cache: %w", err)
		}
		return "", &MismatchError{path, "sha256", want, got}
	}
	return path, nil
}

// sumFile is the SHA-256 and the size of a file.
func sumFile(path string) (sum string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	if size, err = io.Copy(h, f); err != nil {
		return "", 0, err
	}
	return hex.EncodeToString(h.Sum(nil)), size, nil
}

// Add reads an artefact into the cache, where it appears as a whole or not at all, and only when it is what want says; place is for
// messages. It returns its SHA-256 and size.
func (c *Cache) Add(ctx context.Context, place string, r io.Reader, want Artefact) (sum string, size int64, err error) {
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return "", 0, fmt.Errorf("make the cache: %w", err)
	}
	f, err := os.CreateTemp(c.Dir, ".partial-")
	if err != nil {
		return "", 0, fmt.Errorf("make a file in the cache: %w", err)
	}
	defer func() {
		_ = f.Close()
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	h256, h160 := sha256.New(), sha1.New()
	if size, err = io.Copy(io.MultiWriter(f, h256, h160), contextReader{ctx, r}); err != nil {
		return "", 0, fmt.Errorf("read %s: %w", place, err)
	}
	sum = hex.EncodeToString(h256.Sum(nil))
	if err := compare(place, want, sum, hex.EncodeToString(h160.Sum(nil)), size); err != nil {
		return "", 0, err
	}
	if err := f.Chmod(0o644); err != nil {
		return "", 0, err
	}
	if err := f.Sync(); err != nil {
		return "", 0, fmt.Errorf("write %s: %w", f.Name(), err)
	}
	if err := os.Rename(f.Name(), c.path(sum)); err != nil {
		return "", 0, fmt.Errorf("put %s into the cache: %w", place, err)
	}
	return sum, size, nil
}

func compare(place string, want Artefact, sum256, sum160 string, size int64) error {
	switch {
	case want.SHA256 != "" && sum256 != want.SHA256:
		return &MismatchError{place, "sha256", want.SHA256, sum256}
	case want.SHA1 != "" && sum160 != want.SHA1:
		return &MismatchError{place, "sha1", want.SHA1, sum160}
	case want.Size > 0 && size != want.Size:
		return &MismatchError{place, "size", fmt.Sprint(want.Size), fmt.Sprint(size)}
	}
	return nil
}

// contextReader ends when its context does.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
