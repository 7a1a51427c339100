package e2e

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// terminal is a command on a real pseudo-terminal.
type terminal struct {
	t    *testing.T
	tty  *os.File
	wait func() error

	mu   sync.Mutex
	seen bytes.Buffer
	// read is how far expect has come.
	read int
}

func (b *bench) terminal(t *testing.T, args ...string) *terminal {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	cmd := b.command(ctx, args...)
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 50, Cols: 160})
	require.NoError(t, err)
	t.Cleanup(func() { tty.Close() })
	term := &terminal{t: t, tty: tty, wait: cmd.Wait}
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, err := tty.Read(buffer)
			term.mu.Lock()
			term.seen.Write(buffer[:n])
			term.mu.Unlock()
			if err != nil {
				return // the program has ended
			}
		}
	}()
	return term
}

var escapes = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]")

// expect waits until the text appears after what was expected before.
func (x *terminal) expect(text string) {
	x.t.Helper()
	defer func() {
		if x.t.Failed() {
			x.t.Logf("the terminal has shown:\n%s", escapes.ReplaceAll(x.seen.Bytes(), nil))
		}
	}()
	var all []byte
	testkit.Eventually(x.t, time.Minute, "the terminal shows "+text, func(context.Context) bool {
		x.mu.Lock()
		defer x.mu.Unlock()
		all = escapes.ReplaceAll(x.seen.Bytes(), nil)
		at := bytes.Index(all[min(x.read, len(all)):], []byte(text))
		if at >= 0 {
			x.read += at + len(text)
		}
		return at >= 0
	})
}

func (x *terminal) send(keys string) {
	x.t.Helper()
	_, err := x.tty.WriteString(keys)
	require.NoError(x.t, err)
}

func TestTheWizardOnATerminal(t *testing.T) {
	needs(t)
	b := newBench(t)
	// The wizard does not ask for the network, so this is the one test on the default one.
	x := b.terminal(t, "install", "--proof-sleep", "1s")
	x.expect("Name of the cluster")
	x.send("Not_A_Label\r")
	x.expect("must be a DNS label")
	x.send("\x15wizard\r")
	for _, question := range []string{"Target", "Control hosts", "Mesos agents", "Mesos (arrow keys", "Marathon (arrow keys", "Jenkins (arrow keys", "Git repository", "First account", "CPUs of the controller",
		"Memory of the controller", "Label of the build agents", "CPUs of a build agent", "Memory of a build agent", "How long a build agent", "CPUs that each", "Memory that each"} {
		x.expect(question)
		x.send("\r")
	}
	x.expect("jomctl install --name wizard --target local --yes")
	x.expect("yes, this is it")
	x.send("\r")
	x.expect("make these changes? [y/N]")
	x.send("y\r")
	x.expect("Proof passed")
	x.expect("Log in as")
	require.NoError(t, x.wait())
	require.FileExists(t, b.path("cluster.yaml"))
	require.True(t, b.status().Ready)
}

func TestWithoutATerminalNobodyIsAsked(t *testing.T) {
	needs(t)
	b := newBench(t)
	r := b.run("install").exits(2)
	require.Contains(t, r.errOut, "--name")
	require.Contains(t, r.errOut, "--target")
	require.NoFileExists(t, b.path("cluster.yaml"))
	b.quick("silent")
	require.Contains(t, b.run("install").exits(2).errOut, "--yes")
	require.NoDirExists(t, b.path(".jomctl", "hosts"))
}
