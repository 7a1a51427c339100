// Package fetch keeps the files of releases in a folder, each verified by its SHA-256 whenever it is used. Downloads that were cut off go on
// where they ended.
package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// File is a file of a release. SHA256 is 64 hex digits, Size bytes (0: not known).
type File struct {
	// Name is the file's name, as git.hpi or jenkins.war.
	Name string
	// Version is the version of what is in it.
	Version string
	URL     string
	SHA256  string
	Size    int64
}

// MismatchError is a file that is not what it should be.
type MismatchError struct{ Place, Want, Got string }

// Error shows both checksums.
func (e *MismatchError) Error() string {
	return fmt.Sprintf("%s has the sha256 %s, and must have %s", e.Place, e.Got, e.Want)
}

// ExitCode is that of a refusal.
func (e *MismatchError) ExitCode() int { return 3 }

// Hint is the fix.
func (e *MismatchError) Hint() string {
	return "the file is damaged, or another one than the release was made with: take it from the address in plugins.lock or bundle.yaml"
}

// Store is the folder. Two programs may use it at once.
type Store struct {
	Dir string
	// Client is what downloads; nil is a client without a limit of time.
	Client *http.Client
	// Stall is how long a server may send nothing before it is asked again; 0 is a minute.
	Stall time.Duration
}

// UserStore is the store of the user who runs the program.
func UserStore() (Store, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return Store{}, fmt.Errorf("finding the folder for downloads: %w", err)
	}
	return Store{Dir: filepath.Join(dir, "jomctl", "releases")}, nil
}

func (s Store) path(f File) string { return filepath.Join(s.Dir, f.SHA256, f.Name) }

// Have is the path of a file that is here. It is read and compared first: an error is fs.ErrNotExist where it is not here; a damaged one
// is removed, which is the same.
func (s Store) Have(f File) (string, error) {
	path := s.path(f)
	err := verify(path, f)
	if wrong := new(MismatchError); errors.As(err, &wrong) {
		if err := os.Remove(path); err != nil {
			return "", fmt.Errorf("removing a damaged file: %w", err)
		}
		return "", fmt.Errorf("%s was damaged and is removed: %w", path, fs.ErrNotExist)
	}
	return path, err
}

// In looks for a file in a folder of the user's: under its name, as .jpi, or as NAME-VERSION. An error is fs.ErrNotExist, or a
// *MismatchError where the file that is there is another one.
func In(dir string, f File) (string, error) {
	ext := filepath.Ext(f.Name)
	base := f.Name[:len(f.Name)-len(ext)]
	names := []string{f.Name, base + "-" + f.Version + ext}
	if ext == ".hpi" {
		names = append(names, base+".jpi", base+"-"+f.Version+".jpi")
	}
	var found error
	for _, sub := range []string{"", "plugins"} {
		for _, name := range names {
			path := filepath.Join(dir, sub, name)
			err := verify(path, f)
			if err == nil {
				return path, nil
			}
			if found == nil && !errors.Is(err, fs.ErrNotExist) {
				found = err
			}
		}
	}
	if found == nil {
		found = fmt.Errorf("%s is not in %s: %w", f.Name, dir, fs.ErrNotExist)
	}
	return "", found
}

func verify(path string, f File) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	sum, err := sumOf(file)
	if err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	if sum != f.SHA256 {
		return &MismatchError{path, f.SHA256, sum}
	}
	return nil
}

func sumOf(r io.Reader) (string, error) {
	sum := sha256.New()
	_, err := io.Copy(sum, r)
	return hex.EncodeToString(sum.Sum(nil)), err
}

// attempts is how often a download goes on after having been cut off.
const attempts = 4

// Get is the path of a file, which is downloaded unless it is here.
func (s Store) Get(ctx context.Context, f File) (string, error) {
	path, err := s.Have(f)
	if !errors.Is(err, fs.ErrNotExist) {
		return path, err
	}
	if f.SHA256 == "" || f.URL == "" {
		return "", fmt.Errorf("downloading %s: its address or sha256 is not known", f.Name)
	}
	part, done, err := s.part(f)
	if err != nil {
		return "", fmt.Errorf("downloading %s: %w", f.Name, err)
	}
	defer done()
	if err := s.fill(ctx, part, f); err != nil {
		return "", fmt.Errorf("downloading %s: %w", f.URL, err)
	}
	if err := errors.Join(part.Chmod(0o644), part.Sync(), os.MkdirAll(filepath.Dir(s.path(f)), 0o755)); err != nil {
		return "", fmt.Errorf("keeping %s: %w", f.Name, err)
	}
	if err := os.Rename(part.Name(), s.path(f)); err != nil {
		return "", fmt.Errorf("keeping %s: %w", f.Name, err)
	}
	return s.path(f), nil
}

// part opens what there is of a download, for this process alone.
func (s Store) part(f File) (*os.File, func(), error) {
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return nil, nil, err
	}
	part, err := os.OpenFile(filepath.Join(s.Dir, f.SHA256+".part"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, err
	}
	if err := unix.Flock(int(part.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		part.Close()
		return nil, nil, errors.New("another jomctl downloads it just now")
	}
	return part, func() { part.Close() }, nil
}

// fill completes a download and compares it. What was begun by another server's idea of the file is begun anew once.
func (s Store) fill(ctx context.Context, part *os.File, f File) error {
	resumed := false
	for {
		begun, err := s.continueUntilDone(ctx, part, f)
		if err != nil {
			return err
		}
		resumed = resumed || begun
		if _, err := part.Seek(0, io.SeekStart); err != nil {
			return err
		}
		sum, err := sumOf(part)
		if err != nil || sum == f.SHA256 {
			return err
		}
		if err := part.Truncate(0); err != nil {
			return err
		}
		if !resumed {
			return &MismatchError{f.URL, f.SHA256, sum}
		}
		resumed = false
	}
}

// continueUntilDone says whether something was there before.
func (s Store) continueUntilDone(ctx context.Context, part *os.File, f File) (begun bool, err error) {
	for attempt := range attempts {
		at, seekErr := part.Seek(0, io.SeekEnd)
		if seekErr != nil {
			return begun, seekErr
		}
		begun = begun || at > 0
		if f.Size > 0 && at == f.Size {
			return begun, nil
		}
		var again bool
		if again, err = s.request(ctx, part, f, at); err == nil || !again || ctx.Err() != nil || attempt == attempts-1 {
			return begun, err
		}
	}
	return begun, err
}

// request asks for what is missing. It says whether another request may help.
func (s Store) request(ctx context.Context, part *os.File, f File, at int64) (again bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ask, err := http.NewRequestWithContext(ctx, http.MethodGet, f.URL, nil)
	if err != nil {
		return false, err
	}
	if at > 0 {
		ask.Header.Set("Range", fmt.Sprintf("bytes=%d-", at))
	}
	client := s.Client
	if client == nil {
		client = &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, ResponseHeaderTimeout: time.Minute, TLSHandshakeTimeout: time.Minute}}
	}
	answer, err := client.Do(ask)
	if err != nil {
		return false, err
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusPartialContent:
	case http.StatusOK:
		at = 0
	case http.StatusRequestedRangeNotSatisfiable:
		return true, errors.Join(part.Truncate(0), errors.New("the server has less of it than is here"))
	default:
		return false, fmt.Errorf("the server answers %s", answer.Status)
	}
	if err := part.Truncate(at); err != nil {
		return false, err
	}
	if _, err := part.Seek(at, io.SeekStart); err != nil {
		return false, err
	}
	var body io.Reader = newWatched(answer.Body, s.Stall, func(limit time.Duration) {
		cancel(fmt.Errorf("the server has sent nothing for %s", limit))
	})
	if f.Size > 0 {
		body = io.LimitReader(body, f.Size-at+1)
	}
	if _, err = io.Copy(part, body); err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return true, err
}

// watched calls stalled when nothing could be read for a time.
type watched struct {
	io.Reader
	limit time.Duration
	timer *time.Timer
}

func newWatched(r io.Reader, limit time.Duration, stalled func(time.Duration)) *watched {
	if limit == 0 {
		limit = time.Minute
	}
	return &watched{r, limit, time.AfterFunc(limit, func() { stalled(limit) })}
}

// Read reads on.
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if err != nil {
		w.timer.Stop()
	} else {
		w.timer.Reset(w.limit)
	}
	return n, err
}
