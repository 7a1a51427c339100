package host

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// filesScript starts the SFTP server as root and not through sshd's subsystem, which would be the login user's. Its path
// differs: Debian, RHEL, SUSE, Arch, Alpine. The umask keeps a new file to its owner until its mode is set.
const filesScript = `umask 077; cd /
for server in /usr/lib/openssh/sftp-server /usr/libexec/openssh/sftp-server /usr/lib/ssh/sftp-server /usr/libexec/sftp-server; do
	if [ -x "$server" ]; then exec "$server"; fi
done
echo "no sftp-server" >&2; exit 127`

// fileSession is a connection's SFTP session.
type fileSession struct {
	*sftp.Client
	channel ssh.Channel
	stderr  lockedBuffer
	done    chan struct{} // closed when the session is over
}

// openFiles returns the connection's file session, which is made when it is first needed.
func (c *connection) openFiles(ctx context.Context, o Options) (*sftp.Client, error) {
	select {
	case c.filesTurn <- struct{}{}:
		defer func() { <-c.filesTurn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if c.files != nil {
		select {
		case <-c.files.done:
		default:
			return c.files.Client, nil
		}
	}
	channel, requests, err := c.channel(ctx, o.Sudo.asRoot(filesScript))
	if err != nil {
		return nil, err
	}
	go ssh.DiscardRequests(requests)
	s := &fileSession{channel: channel, done: make(chan struct{})}
	said := make(chan struct{})
	go func() { _, _ = io.Copy(&s.stderr, channel.Stderr()); close(said) }()
	stop := context.AfterFunc(ctx, func() { _ = channel.Close() })
	s.Client, err = sftp.NewClientPipe(channel, channel, sftp.UseConcurrentWrites(true))
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		select { // what it wrote may come after its end
		case <-said:
		case <-ctx.Done():
		case <-time.After(2 * time.Second):
		}
		_ = channel.Close()
		return nil, c.explainFiles(ctx, o, s, err)
	}
	go func() {
		_ = s.Wait()
		_ = channel.Close()
		close(s.done)
	}()
	c.files = s
	return s.Client, nil
}

// forgetFiles makes the next user of files open a new session, as this one is over.
func (c *connection) forgetFiles(client *sftp.Client) {
	c.filesTurn <- struct{}{}
	defer func() { <-c.filesTurn }()
	if c.files != nil && c.files.Client == client {
		_ = c.files.channel.Close()
		c.files = nil
	}
}

// explainFiles says why there is no file session.
func (c *connection) explainFiles(ctx context.Context, o Options, s *fileSession, err error) error {
	text := strings.TrimSpace(s.stderr.String())
	switch sudo := sudoProblem(text); {
	case ctx.Err() != nil:
		return ctx.Err()
	case sudo != "":
		return &SudoError{User: o.User, Host: o.Name, Text: sudo}
	case strings.Contains(text, "no sftp-server"):
		return errors.New("the host has no sftp-server (apt-get install openssh-sftp-server, or dnf install openssh-server)")
	case text != "":
		return fmt.Errorf("start sftp-server: %w: %s", err, text)
	}
	return fmt.Errorf("start sftp-server (a login script that writes to stdout breaks it): %w", err)
}

// withFiles does something with files of the host. It ends with the context, and is done again where the connection was
// lost, so f must bear being done twice and look at the context before it changes anything.
func withFiles[T any](ctx context.Context, r *Remote, verb, name string, f func(*sftp.Client) (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	value, err := retried(ctx, r, func(c *connection) (T, error) {
		client, err := c.openFiles(ctx, r.options)
		if err != nil {
			return *new(T), err
		}
		result := make(chan answer, 1)
		go func() { value, err := f(client); result <- answer{value, err} }()
		select {
		case a := <-result:
			if errors.Is(a.err, sftp.ErrSSHFxConnectionLost) {
				c.forgetFiles(client)
			}
			return a.value, a.err
		case <-ctx.Done():
			return *new(T), ctx.Err()
		}
	})
	if err != nil {
		return value, fmt.Errorf("host %s: %s %s: %w", r.Name(), verb, name, err)
	}
	return value, nil
}

// ReadFile reads a file.
func (r *Remote) ReadFile(ctx context.Context, name string) ([]byte, error) {
	return withFiles(ctx, r, "read", name, func(c *sftp.Client) ([]byte, error) { return readRemote(c, name) })
}

func readRemote(c *sftp.Client, name string) ([]byte, error) {
	file, err := c.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var data bytes.Buffer
	if _, err := file.WriteTo(&data); err != nil {
		return nil, err
	}
	return data.Bytes(), nil
}

// Stat looks at a path and follows links.
func (r *Remote) Stat(ctx context.Context, name string) (Info, error) {
	return withFiles(ctx, r, "look at", name, func(c *sftp.Client) (Info, error) {
		info, err := c.Stat(name)
		if err != nil {
			return Info{}, err
		}
		return Info{Mode: info.Mode(), Size: info.Size()}, nil
	})
}

// MkdirAll makes a folder and its parents. The mode of a folder that is there stays.
func (r *Remote) MkdirAll(ctx context.Context, name string, mode fs.FileMode) error {
	_, err := withFiles(ctx, r, "make folder", name, func(c *sftp.Client) (struct{}, error) {
		return struct{}{}, mkdirRemote(c, name, mode)
	})
	return err
}

// mkdirRemote sets every new folder's mode, as the umask keeps others out.
func mkdirRemote(c *sftp.Client, name string, mode fs.FileMode) error {
	info, err := c.Stat(name)
	switch {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return errors.New("it is there and not a folder")
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if parent := path.Dir(name); parent != name {
		if err := mkdirRemote(c, parent, mode); err != nil {
			return err
		}
	}
	if err := c.Mkdir(name); err != nil {
		if info, again := c.Stat(name); again == nil && info.IsDir() { // another was faster
			return nil
		}
		return explainWrite(c, path.Dir(name), err)
	}
	return c.Chmod(name, mode.Perm())
}

// Remove removes a file or folder. A path that is not absolute, and the root, are refused.
func (r *Remote) Remove(ctx context.Context, name string) error {
	if !path.IsAbs(name) || path.Clean(name) == "/" {
		return fmt.Errorf("host %s: remove %q: this is no path that can be removed", r.Name(), name)
	}
	_, err := r.Run(ctx, "rm", "-rf", "--", name)
	return err
}

// WriteFile replaces a file where it differs.
func (r *Remote) WriteFile(ctx context.Context, name string, data []byte, mode fs.FileMode) (bool, error) {
	return withFiles(ctx, r, "write", name, func(c *sftp.Client) (bool, error) {
		info, err := c.Stat(name)
		switch {
		case err == nil && info.IsDir():
			return false, errors.New("it is a folder")
		case err == nil && info.Size() == int64(len(data)) && info.Mode().Perm() == mode.Perm():
			if old, err := readRemote(c, name); err == nil && bytes.Equal(old, data) {
				return false, nil
			}
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return false, err
		}
		return true, writeRemote(ctx, c, name, mode, func(file *sftp.File) error {
			_, err := file.Write(data)
			return err
		}, nil)
	})
}

// writeRemote never leaves a half-written file under name. check may look at the new file before it gets its name.
func writeRemote(ctx context.Context, c *sftp.Client, name string, mode fs.FileMode, fill func(*sftp.File) error, check func(temporary string) error) (err error) {
	file, err := createBeside(c, name)
	if err != nil {
		return explainWrite(c, path.Dir(name), err)
	}
	defer func() {
		if err != nil {
			_ = file.Close()
			_ = c.Remove(file.Name())
		}
	}()
	// Before anything is in it, which may be a secret.
	if err := file.Chmod(mode.Perm()); err != nil {
		return err
	}
	if err := fill(file); err != nil {
		return explainWrite(c, path.Dir(name), err)
	}
	if _, ok := c.HasExtension("fsync@openssh.com"); ok {
		if err := file.Sync(); err != nil {
			return explainWrite(c, path.Dir(name), err)
		}
	}
	if err := file.Close(); err != nil {
		return explainWrite(c, path.Dir(name), err)
	}
	if check != nil {
		if err := check(file.Name()); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return c.PosixRename(file.Name(), name)
}

// createBeside makes a new file in the folder of name, and the folder where it is missing.
func createBeside(c *sftp.Client, name string) (*sftp.File, error) {
	temporary := path.Join(path.Dir(name), ".jomctl-"+rand.Text())
	const flags = os.O_WRONLY | os.O_CREATE | os.O_EXCL
	file, err := c.OpenFile(temporary, flags)
	if !errors.Is(err, fs.ErrNotExist) {
		return file, err
	}
	if err := mkdirRemote(c, path.Dir(name), 0o755); err != nil {
		return nil, err
	}
	return c.OpenFile(temporary, flags)
}

// SpaceError is a disk on which no space is left, that of Dir.
type SpaceError struct {
	Dir string
	Err error
}

// Error names the folder.
func (e *SpaceError) Error() string {
	return fmt.Sprintf("no space is left on the disk of %s: %v", e.Dir, e.Err)
}

// Unwrap returns the cause.
func (e *SpaceError) Unwrap() error { return e.Err }

// Hint says what helps. What was there before is still whole.
func (e *SpaceError) Hint() string {
	return "make room on the disk of " + e.Dir + " (`df -h " + e.Dir + "` on the host)"
}

// explainWrite says what SFTP's "failure" most often means.
func explainWrite(c *sftp.Client, dir string, err error) error {
	var status *sftp.StatusError
	if !errors.As(err, &status) || status.FxCode() != sftp.ErrSSHFxFailure {
		return err
	}
	disk, statErr := c.StatVFS(dir)
	switch {
	case statErr != nil:
		return err
	case disk.Bavail == 0 || disk.Files > 0 && disk.Favail == 0:
		return &SpaceError{Dir: dir, Err: err}
	case disk.Flag&1 != 0:
		return fmt.Errorf("the disk of %s is mounted read-only: %w", dir, err)
	}
	return err
}
