package git

import (
	"bufio"
	"context"
	"crypto/sha1" // #nosec G505 -- the name of an object in git, not a protection
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Hash is the name of an object.
type Hash [20]byte

// ParseHash reads 40 hexadecimal digits.
func ParseHash(text string) (Hash, error) {
	var h Hash
	n, err := hex.Decode(h[:], []byte(text))
	if err != nil || n != len(h) || len(text) != 40 {
		return Hash{}, fmt.Errorf("%q is not the name of an object", text)
	}
	return h, nil
}

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// IsZero says that it is the name of nothing.
func (h Hash) IsZero() bool { return h == Hash{} }

// BlobHash is the name that a content has in git.
func BlobHash(data []byte) Hash {
	sum := sha1.New() // #nosec G401
	sum.Write([]byte("blob " + strconv.Itoa(len(data)) + "\x00"))
	sum.Write(data)
	return Hash(sum.Sum(nil))
}

// Commit is one commit to make.
type Commit struct {
	// Ref is moved to the commit; it must be at Parent before, or not exist with a zero Parent.
	Ref    string
	Parent Hash
	// Force moves the ref whatever it was.
	Force   bool
	Message string
	Name    string // of the author
	When    time.Time
}

// Changes writes what a commit changes against its parent. Deletions go first: a folder may take a file's name.
type Changes struct{ out *bufio.Writer }

// Delete takes a file or a folder away.
func (c *Changes) Delete(path string) { fmt.Fprintf(c.out, "D %s\n", quote(path)) }

// Write sets a file's content.
func (c *Changes) Write(path string, data []byte, executable bool) {
	mode := "100644"
	if executable {
		mode = "100755"
	}
	fmt.Fprintf(c.out, "M %s inline %s\ndata %d\n", mode, quote(path), len(data))
	_, _ = c.out.Write(data) // the writer keeps the first error, which Flush returns
	_ = c.out.WriteByte('\n')
}

// Commit makes a commit and moves its ref. Nothing is changed when it returns an error, whether from git or from change.
func (r *Repo) Commit(ctx context.Context, commit Commit, change func(*Changes) error) (Hash, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	reader, writer := io.Pipe()
	defer reader.Close()
	failed := make(chan error, 1)
	go func() {
		err := writeStream(writer, commit, change)
		writer.CloseWithError(err) // without the final `done` git changes nothing
		failed <- err
	}()
	var out strings.Builder
	args := []string{"fast-import", "--quiet", "--done", "--date-format=raw", "--depth=0"}
	if commit.Force {
		args = append(args, "--force")
	}
	err := r.stream(ctx, reader, &out, args...)
	reader.Close()
	if given := <-failed; given != nil && !errors.Is(given, io.ErrClosedPipe) {
		err = given
	}
	if err != nil {
		r.clearCrash()
		return Hash{}, fmt.Errorf("committing to %s: %w", commit.Ref, err)
	}
	return ParseHash(strings.TrimSpace(out.String()))
}

func writeStream(to io.Writer, c Commit, change func(*Changes) error) error {
	out := bufio.NewWriterSize(to, 64<<10)
	fmt.Fprintf(out, "commit %s\nmark :1\ncommitter %s <jomhome@localhost> %d +0000\ndata %d\n%s\n", c.Ref, person(c.Name), c.When.Unix(), len(c.Message), c.Message)
	if !c.Parent.IsZero() {
		fmt.Fprintf(out, "from %s\n", c.Parent)
	}
	if change != nil {
		if err := change(&Changes{out}); err != nil {
			return err
		}
	}
	fmt.Fprint(out, "\nget-mark :1\ndone\n")
	return out.Flush()
}

func person(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == '<' || r == '>' {
			return -1
		}
		return r
	}, name)
	if name == "" {
		return "jomhome"
	}
	return name
}

// clearCrash removes what fast-import leaves after a failure: a report with the last commands, and half packs.
func (r *Repo) clearCrash() {
	for _, pattern := range []string{"fast_import_crash_*", "objects/pack/tmp_*", "objects/pack/.tmp-*"} {
		found, _ := filepath.Glob(filepath.Join(r.Dir, pattern))
		for _, file := range found {
			_ = os.Remove(file)
		}
	}
}
