// Package git is the bare repository beside a home and the remote one that it is pushed to, through the git program. There is
// no working tree: commits are made from the bytes that the caller has checked, large ones with fast-import, small ones by writing the few
// objects that differ.
package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Remote is the repository that is pushed to, and how.
type Remote struct {
	// URL is whatever git can push to: git@HOST:PATH, ssh://, https:// or an absolute path.
	URL string
	// Branch is the branch of the history, without refs/heads/.
	Branch string
	// Key is a file with a private key for SSH, or with a token for https. Its content reaches neither arguments nor logs.
	Key string
	// KnownHosts is a file with the pinned host keys for SSH; no other key is accepted.
	KnownHosts string
	// LeftLock is how old a lock in a remote on a path is when it is taken for one that was left behind; 0 is the constant of that name.
	LeftLock time.Duration
	// Say, where set, is told what a person should know.
	Say func(format string, args ...any)
}

// The refs of a history. Owner names the controller that may write Branch; Numbers holds the next build numbers.
const (
	Owner   = "refs/jom/owner"
	Numbers = "refs/jom/numbers"
	// Lost is where work is kept that lost against another controller's.
	Lost = "refs/heads/lost/"
)

// Timeout is how long one exchange with the remote may take.
const Timeout = 2 * time.Minute

// Repo is a bare repository on the local disk. It is a copy and can be made anew from the remote and the home at any time.
type Repo struct {
	Dir    string
	Remote Remote
	env    []string

	objects reader
	recent  recent
}

// Main is the ref of the history's branch, here and at the remote.
func (r *Repo) Main() string { return "refs/heads/" + r.Remote.Branch }

// Tracking is the ref under which the local repository remembers what the remote's ref was when it was last seen.
func Tracking(ref string) string { return "refs/seen/" + strings.TrimPrefix(ref, "refs/") }

// Open makes the repository, or brings the settings of the one that is there up to date.
func Open(ctx context.Context, dir string, remote Remote) (*Repo, error) {
	r := &Repo{Dir: dir, Remote: remote}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the repository %s: %w", dir, err)
	}
	// The settings of a user must not reach in: hooks, signing, rewritten URLs, credential helpers. Repositories of other
	// users may be used, as the path is the user's own word.
	global := filepath.Join(dir, "jomhome.gitconfig")
	if err := replaceFile(global, []byte("[safe]\n\tdirectory = *\n")); err != nil {
		return nil, fmt.Errorf("making the repository %s: %w", dir, err)
	}
	r.env = append(os.Environ(), "GIT_DIR="+dir, "GIT_CONFIG_GLOBAL="+global, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C",
		"GIT_ASKPASS=", "SSH_ASKPASS=", "GIT_SSH_COMMAND="+r.ssh(),
		"GIT_AUTHOR_NAME=jomhome", "GIT_AUTHOR_EMAIL=jomhome@localhost", "GIT_COMMITTER_NAME=jomhome", "GIT_COMMITTER_EMAIL=jomhome@localhost")
	if token := r.token(); token != nil {
		r.env = append(r.env, token...)
	}
	if _, err := os.Stat(filepath.Join(dir, "HEAD")); errors.Is(err, fs.ErrNotExist) {
		if _, err := r.Run(ctx, "init", "--quiet", "--bare", "--initial-branch="+remote.Branch, dir); err != nil {
			return nil, err
		}
	}
	return r, r.configure(remote)
}

// Recover removes what git processes that were killed have left: locks, which would stop every later one, and half packs. Only
// the one owner of the repository may call it, when it has no git process.
func (r *Repo) Recover() error {
	r.clearCrash()
	err := filepath.WalkDir(r.Dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == "objects":
			return fs.SkipDir
		case !entry.IsDir() && strings.HasSuffix(entry.Name(), ".lock"):
			return os.Remove(path)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("removing old locks of the repository %s: %w", r.Dir, err)
	}
	return nil
}

// Tidy packs the objects of many small commits, when there are many. A remote that got them directly gets what it would have done at a
// push: its own look whether there are too many.
func (r *Repo) Tidy(ctx context.Context) error {
	_, err := r.Run(ctx, "-c", "gc.auto=1000", "-c", "gc.autoDetach=false", "gc", "--auto", "--quiet")
	if err == nil && r.delivered() {
		_, err = r.Run(ctx, "-c", "gc.autoDetach=false", "--git-dir="+r.Remote.URL, "gc", "--auto", "--quiet")
	}
	return err
}

// configure writes the settings as one file: asking git for each would cost a process per setting. Most of a commit is the list of
// all jobs, names and hashes that hardly get smaller by compression; Tidy makes deltas of them.
func (r *Repo) configure(remote Remote) error {
	text := "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n\thooksPath = /dev/null\n\tlogAllRefUpdates = false\n" +
		"\tlooseCompression = 0\n[gc]\n\tauto = 0\n[fetch]\n\trecurseSubmodules = false\n[pack]\n\tthreads = 1\n\twindowMemory = 64m\n\tcompression = 1\n" +
		"[http]\n\tlowSpeedLimit = 100\n\tlowSpeedTime = 60\n[credential]\n\thelper =\n" +
		fmt.Sprintf("[remote \"origin\"]\n\turl = %s\n", quote(remote.URL))
	for _, ref := range []string{r.Main(), Owner, Numbers} {
		text += fmt.Sprintf("\tfetch = +%s:%s\n", ref, Tracking(ref))
	}
	return replaceFile(filepath.Join(r.Dir, "config"), []byte(text))
}

func replaceFile(path string, data []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, data) {
		return nil
	}
	temp := path + ".new"
	if err := os.WriteFile(temp, data, 0o600); err != nil {
		return err
	}
	return os.Rename(temp, path)
}

// ssh is the command for SSH: only the given key, only pinned host keys, never a question, and no connection that hangs.
func (r *Repo) ssh() string {
	words := []string{"ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=15",
		"-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=3", "-o", "UpdateHostKeys=no"}
	if r.Remote.KnownHosts != "" {
		words = append(words, "-o", shellQuote("UserKnownHostsFile="+r.Remote.KnownHosts), "-o", "GlobalKnownHostsFile=/dev/null")
	}
	if r.Remote.Key != "" {
		words = append(words, "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-i", shellQuote(r.Remote.Key))
	}
	return strings.Join(words, " ")
}

// AskPass is the variable that makes the running program answer git's question for a password; its value is the file with
// the token. A program that opens repositories over https calls Answer first of all.
const AskPass = "JOMHOME_ASKPASS_FILE" // #nosec G101 -- the name of a variable

func (r *Repo) token() []string {
	if r.Remote.Key == "" || !strings.HasPrefix(r.Remote.URL, "https://") && !strings.HasPrefix(r.Remote.URL, "http://") {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil
	}
	return []string{"GIT_ASKPASS=" + self, AskPass + "=" + r.Remote.Key}
}

// Answer writes what git asks for and returns true if this process was started by git to answer.
func Answer(args []string, out io.Writer) bool {
	file := os.Getenv(AskPass)
	if file == "" || len(args) != 1 || !strings.HasSuffix(strings.TrimSpace(args[0]), ":") {
		return false
	}
	if strings.HasPrefix(args[0], "Username") {
		fmt.Fprintln(out, "x-access-token") // what GitHub and GitLab take with a token; others take any name
		return true
	}
	token, err := os.ReadFile(file)
	if err != nil {
		return true // an empty answer is a refused login, which git then reports
	}
	fmt.Fprintln(out, strings.TrimSpace(string(token)))
	return true
}

// Error is a git command that failed.
type Error struct {
	Command string
	Text    string // the end of what it said
	Err     error
}

func (e *Error) Error() string {
	if e.Text == "" {
		return fmt.Sprintf("git %s: %v", e.Command, e.Err)
	}
	return fmt.Sprintf("git %s: %s", e.Command, e.Text)
}

func (e *Error) Unwrap() error { return e.Err }

// Run runs git and returns its stdout.
func (r *Repo) Run(ctx context.Context, args ...string) (string, error) {
	var out bytes.Buffer
	err := r.stream(ctx, nil, &out, args...)
	return out.String(), err
}

// grace is how long a command that moves refs may go on after its context has ended: git that gets a signal between making a lock file
// and noting it down leaves the lock behind, and every later command fails on it.
const grace = 5 * time.Second

// stream runs git between two streams. The whole process group ends with the context: git leaves ssh behind otherwise.
func (r *Repo) stream(ctx context.Context, in io.Reader, out io.Writer, args ...string) error {
	switch command(args) {
	case "update-ref", "fast-import", "fetch", "push":
		if ctx.Err() != nil {
			return &Error{Command: command(args), Err: context.Cause(ctx)}
		}
		var done func()
		ctx, done = outlasting(ctx)
		defer done()
	}
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Env, cmd.Dir, cmd.Stdin, cmd.Stdout = r.env, r.Dir, in, out
	said := &tail{}
	cmd.Stderr = said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// SIGTERM lets git take its lock files away; what does not end is killed after WaitDelay.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return &Error{Command: command(args), Text: said.text(), Err: err}
	}
	return nil
}

// outlasting is a context that ends a while after the given one, for its reason.
func outlasting(ctx context.Context) (context.Context, func()) {
	longer, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-ended:
		case <-time.After(grace):
			cancel(context.Cause(ctx))
		}
	})
	return longer, func() {
		stop()
		close(ended)
		cancel(nil)
	}
}

// command is the word that says what git is to do.
func command(args []string) string {
	for i, arg := range args {
		if !strings.HasPrefix(arg, "-") && (i == 0 || args[i-1] != "-c") {
			return arg
		}
	}
	return ""
}

// tail keeps the last part of what a program says.
type tail struct{ data []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p...)
	if len(t.data) > 8192 {
		t.data = append(t.data[:0], t.data[len(t.data)-4096:]...)
	}
	return len(p), nil
}

// text is one line, without git's hints: what it calls an error, which may stand before much advice, and the last lines.
func (t *tail) text() string {
	var lines, told []string
	for line := range strings.Lines(string(t.data)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "hint:") {
			lines = append(lines, line)
		}
	}
	const last = 4
	for i, line := range lines {
		said := strings.TrimPrefix(line, "remote: ")
		if i >= len(lines)-last || strings.HasPrefix(said, "fatal: ") || strings.HasPrefix(said, "error: ") {
			told = append(told, line)
		}
	}
	return strings.Join(told, "; ")
}

func shellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// quote writes a name as git's own C-style string.
func quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&b, "\\%03o", c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
