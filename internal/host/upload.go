package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/pkg/sftp"
)

// Uploader takes large files from this machine without reading them into memory.
type Uploader interface {
	// Upload makes name on the machine the same as the local file source, together with missing parent folders, and only
	// when its content or mode differs, which sums (SHA-256) on both sides tell. Half a file never gets the name.
	Upload(ctx context.Context, source, name string, mode fs.FileMode) (changed bool, err error)
}

var _ Uploader = (*Remote)(nil)

// Upload sends a file.
func (r *Remote) Upload(ctx context.Context, source, name string, mode fs.FileMode) (bool, error) {
	wrap := func(err error) error { return fmt.Errorf("host %s: upload %s: %w", r.Name(), name, err) }
	file, err := os.Open(source)
	if err != nil {
		return false, wrap(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return false, wrap(err)
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, withContext(ctx, file)); err != nil {
		return false, wrap(err)
	}
	want := hex.EncodeToString(sum.Sum(nil))
	there, err := r.Stat(ctx, name)
	switch {
	case err == nil && there.IsDir():
		return false, wrap(errors.New("it is a folder"))
	case err == nil && there.Size == info.Size():
		have, err := r.sha256(ctx, name)
		if err != nil {
			return false, wrap(err)
		}
		if have == want && there.Mode.Perm() == mode.Perm() {
			return false, nil
		}
		if have == want {
			return true, r.chmod(ctx, name, mode)
		}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return false, err
	}
	return true, r.send(ctx, file, name, mode, want)
}

// send is done anew from the beginning where the connection was lost before.
func (r *Remote) send(ctx context.Context, file *os.File, name string, mode fs.FileMode, want string) error {
	_, err := withFiles(ctx, r, "upload", name, func(c *sftp.Client) (struct{}, error) {
		fill := func(to *sftp.File) error {
			info, err := file.Stat()
			if err != nil {
				return err
			}
			// A section of its own, as the one before may still be read.
			_, err = to.ReadFrom(withContext(ctx, io.NewSectionReader(file, 0, info.Size())))
			return err
		}
		check := func(temporary string) error {
			have, err := r.sha256(ctx, temporary)
			if err == nil && have != want {
				err = fmt.Errorf("what arrived has the sha256 %s and not %s", have, want)
			}
			return err
		}
		return struct{}{}, writeRemote(ctx, c, name, mode, fill, check)
	})
	return err
}

func (r *Remote) chmod(ctx context.Context, name string, mode fs.FileMode) error {
	_, err := withFiles(ctx, r, "set the mode of", name, func(c *sftp.Client) (struct{}, error) {
		return struct{}{}, c.Chmod(name, mode.Perm())
	})
	return err
}

func (r *Remote) sha256(ctx context.Context, name string) (string, error) {
	// As input, because sha256sum escapes odd file names in its answer.
	out, err := r.Run(ctx, "/bin/sh", "-c", `sha256sum <"$1"`, "sh", name)
	if err != nil {
		return "", err
	}
	sum, _, _ := strings.Cut(out.Stdout, " ")
	return sum, nil
}

// contextReader ends with its context.
type contextReader struct {
	ctx    context.Context
	reader io.Reader
}

func withContext(ctx context.Context, r io.Reader) io.Reader { return contextReader{ctx, r} }

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.reader.Read(p)
}
