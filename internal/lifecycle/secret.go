package lifecycle

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/jomctl/jomctl/internal/config"
)

// secretThere says whether the secret can be read, or whether it is a missing file, which is generated.
func secretThere(secret config.Secret, c *config.Cluster) (bool, error) {
	_, err := secret.Resolve(c)
	if _, isFile := secret.Path(c); isFile && errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// generate writes a new password of 144 random bits to the secret's file, mode 0600. A file that is there is never
// replaced: somebody may be logging in with what it holds.
func generate(secret config.Secret, c *config.Cluster) error {
	path, _ := secret.Path(c)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("making the folder of secrets: %w", err)
	}
	bytes := make([]byte, 18)
	if _, err := rand.Read(bytes); err != nil {
		return fmt.Errorf("reading random bytes: %w", err)
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".secret-*")
	if err != nil {
		return fmt.Errorf("writing secret %s: %w", path, err)
	}
	defer os.Remove(temp.Name())
	_, err = fmt.Fprintln(temp, base64.RawURLEncoding.EncodeToString(bytes))
	if err := errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return fmt.Errorf("writing secret %s: %w", path, err)
	}
	// Link, not rename: it fails where another run was faster.
	if err := os.Link(temp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("writing secret %s: %w", path, err)
	}
	return nil
}
