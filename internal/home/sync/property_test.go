package sync_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	homesync "github.com/jomctl/jomctl/internal/home/sync"
)

// propertySeconds is how long the property test works; make bench gives it minutes.
func propertySeconds(t *testing.T) time.Duration {
	text := os.Getenv("JOMCTL_PROPERTY_SECONDS")
	if text == "" {
		return 4 * time.Second
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return time.Duration(n) * time.Second
}

// chaos does what Jenkins, its users and its disks do to a home and its repository.
type chaos struct {
	*world
	r      *rand.Rand
	away   bool
	epoch  int64
	number int
}

func (c *chaos) folder(depth int) string {
	name := fmt.Sprintf("jobs/j%d", c.r.IntN(6))
	for range c.r.IntN(depth + 1) {
		name += fmt.Sprintf("/jobs/j%d", c.r.IntN(4))
	}
	return name
}

func (c *chaos) content() string {
	c.number++
	switch c.r.IntN(12) {
	case 0:
		return "<project>cut off"
	case 1:
		return "<project><password>hunter2</password></project>"
	case 2:
		return fmt.Sprintf("<project>%d%01000d</project>", c.number, 0)
	}
	return fmt.Sprintf("<project>%d</project>", c.number)
}

// step is one random operation. Those on the home may meet each other's leftovers, which is no error.
func (c *chaos) step() error {
	switch n := c.r.IntN(100); {
	case n < 45:
		return save(c.path(c.folder(2)+"/config.xml"), c.content())
	case n < 55: // a new job: written in place
		name := c.path(c.folder(1))
		if err := os.MkdirAll(name, 0o755); err != nil {
			return err
		}
		return os.WriteFile(name+"/config.xml", []byte(c.content()), 0o600)
	case n < 65:
		return os.Rename(c.path(c.folder(1)), c.path(c.folder(1)))
	case n < 72:
		return os.RemoveAll(c.path(c.folder(1)))
	case n < 76:
		return save(c.path(c.folder(0)+"/builds/1/build.xml"), "<build/>")
	case n < 80:
		return save(c.path(c.folder(0)+"/nextBuildNumber"), fmt.Sprint(c.number))
	case n < 85:
		return save(c.path(fmt.Sprintf("userContent/d%d/f%d", c.r.IntN(3), c.r.IntN(3))), fmt.Sprint(c.number))
	case n < 87:
		return os.Rename(c.path("userContent"), c.path("userContent.aside"))
	case n < 89:
		return os.Rename(c.path("userContent.aside"), c.path("userContent"))
	case n < 91:
		return os.Symlink("/etc", c.path(fmt.Sprintf("jobs/link%d", c.r.IntN(3))))
	case n < 94:
		return c.flip()
	case n < 97:
		c.restart()
	case n < 98:
		c.person()
	case !c.away:
		c.quiet()
	}
	return nil
}

// quiet waits for a moment in which everything is pushed, and tells what the engine says where there is none.
func (c *chaos) quiet() {
	c.t.Helper()
	for end := time.Now().Add(patience); !c.engine.Status().Unpushed.IsZero(); {
		require.True(c.t, time.Now().Before(end), "something stays unpushed: %+v; %v", c.engine.Status(), c.lastSaid())
		select {
		case err := <-c.ended:
			c.t.Fatalf("the engine ended: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// flip takes the repository away, or brings it back.
func (c *chaos) flip() error {
	c.away = !c.away
	if c.away {
		return os.Rename(c.remote, c.remote+".away")
	}
	// A git process that was under way makes the folders of a lock anew: the repository covers them, as a disk that is mounted does.
	for {
		if err := os.RemoveAll(c.remote); err != nil {
			return err
		}
		if err := os.Rename(c.remote+".away", c.remote); !errors.Is(err, fs.ErrExist) && !errors.Is(err, syscall.ENOTEMPTY) {
			return err
		}
	}
}

// restart ends the engine without a last word, as SIGKILL does, and starts one on what it left.
func (c *chaos) restart() {
	c.stop()
	c.start()
}

// person pushes a commit of their own, unless something else is just being pushed.
func (c *chaos) person() {
	if c.away {
		return
	}
	tip := gitOut(c.t, c.remote, "commit-tree", "-m", "a person's", "-p", "main", "main^{tree}")
	if out, err := exec.Command("git", "--git-dir", c.remote, "update-ref", "refs/heads/main", tip).CombinedOutput(); err != nil {
		require.Contains(c.t, string(out), "main.lock': File exists", "%v", err)
	}
}

func TestWhateverHappensTheHistoryBecomesTheHome(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("JOMCTL_PROPERTY_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("JOMCTL_PROPERTY_SEED=%d", seed)
	w := newWorld(t, func(o *homesync.Options) { o.Numbers = 100 * time.Millisecond }).start()
	c := &chaos{world: w, r: rand.New(rand.NewPCG(seed, 0))} // #nosec G404 -- a test
	steps := 0
	for end := time.Now().Add(propertySeconds(t)); time.Now().Before(end); steps++ {
		if err := c.step(); err != nil {
			var path *fs.PathError
			var link *os.LinkError
			require.True(t, errors.As(err, &path) || errors.As(err, &link), "%v", err)
		}
	}
	if c.away {
		require.NoError(t, c.flip())
	}
	w.write("jobs/last/config.xml", "<project/>")
	c.settledWithout()
	oneWriter(t, w.remote)
	require.NotContains(t, gitOut(t, w.remote, "log", "-p", "main"), "hunter2")
	require.NotContains(t, gitOut(t, w.remote, "log", "-p", "main"), "cut off")
	t.Logf("%d steps, %d commits", steps, len(w.subjects()))
}

// settledWithout waits until the history is the home, but for files that must not be kept, of which the last good state stays.
func (c *chaos) settledWithout() {
	c.t.Helper()
	var wrong string
	same := func() bool {
		head, pushed := c.engine.Head()
		if head != pushed {
			wrong = "not pushed"
			return false
		}
		kept, remote := c.kept(), c.pushed()
		for name, text := range kept {
			if remote[name] != text {
				wrong = fmt.Sprintf("%s is %q instead of %q", name, remote[name], text)
				return false
			}
		}
		for name := range remote {
			if _, ok := kept[name]; ok {
				continue
			}
			if _, err := os.Lstat(filepath.Join(c.home, name)); err != nil {
				wrong = name + " is in the history alone"
				return false
			}
		}
		return true
	}
	for end := time.Now().Add(patience); !same(); {
		require.True(c.t, time.Now().Before(end), "%s; %+v; %v", wrong, c.engine.Status(), c.lastSaid())
		select {
		case err := <-c.ended:
			c.t.Fatalf("the engine ended: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
