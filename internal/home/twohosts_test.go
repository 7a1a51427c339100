package home

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/home/history"
	"github.com/jomctl/jomctl/internal/home/owner"
	"github.com/jomctl/jomctl/internal/testkit"
)

// The test binary is jomhome when this variable names its controller file.
const runVariable = "JOMHOME_TEST_RUN"

func playJomhome(file string) int {
	c, err := LoadController(file)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return ExitPrepare
	}
	code, err := Run(context.Background(), c, Streams{Out: os.Stdout, Err: os.Stderr})
	if err != nil {
		fmt.Fprintln(os.Stderr, "jomhome:", err)
	}
	return code
}

// machine runs a jomhome of its own on a home of its own, with the lock and the repository that all share.
type machine struct {
	t          *testing.T
	controller Controller
	address    string
	owner      string
	env        []string
	cmd        *exec.Cmd
	out        *lockedBuffer
}

func newMachine(t *testing.T, name, remote, zookeeper string) *machine {
	t.Helper()
	m := &machine{t: t, address: testkit.FreeAddr(t, "127.0.0.1"), owner: testkit.FreeAddr(t, "127.0.0.1"), out: &lockedBuffer{}}
	host, port, err := net.SplitHostPort(m.address)
	require.NoError(t, err)
	dir := t.TempDir()
	// The URL names the address itself, so that HOST can be the name of a machine.
	m.controller = Controller{Home: filepath.Join(dir, "home"), Seed: makeSeed(t, dir), Argv: []string{os.Args[0], host + ":$PORT0"}, Env: []string{behaviour + "=secured"},
		URL: "http://" + host + ":$PORT0", Owner: m.owner, AgentPort: true, BootSeconds: 60,
		History: &history.Config{State: filepath.Join(dir, "history"), ZooKeeper: []string{zookeeper}, Lock: owner.Path("c"), SessionMillis: 4000, Repository: remote, Branch: "main",
			QuietMillis: 20, MaxMillis: 200}}
	m.env = append(os.Environ(), "HOST="+name, "PORT0="+port, runVariable+"="+filepath.Join(dir, "controller.json"))
	data, err := json.Marshal(m.controller)
	require.NoError(t, err)
	write(t, filepath.Join(dir, "controller.json"), string(data))
	return m
}

func (m *machine) start() *machine {
	m.t.Helper()
	m.cmd = exec.Command(os.Args[0])
	m.cmd.Env, m.cmd.Stdout, m.cmd.Stderr = m.env, m.out, m.out
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(m.t, m.cmd.Start())
	cmd := m.cmd
	m.t.Cleanup(func() { _ = cmd.Process.Kill() })
	return m
}

func (m *machine) signal(sig syscall.Signal) {
	m.t.Helper()
	require.NoError(m.t, m.cmd.Process.Signal(sig))
}

// ends waits for the process and returns its exit code.
func (m *machine) ends() int {
	m.t.Helper()
	err := m.cmd.Wait()
	var exit *exec.ExitError
	if err != nil {
		require.ErrorAs(m.t, err, &exit)
		return exit.ExitCode()
	}
	return 0
}

func (m *machine) serves() bool {
	conn, err := net.Dial("tcp", m.address)
	if err == nil {
		conn.Close()
	}
	return err == nil
}

func (m *machine) up() {
	m.t.Helper()
	testkit.Eventually(m.t, time.Minute, "the controller serves", func(context.Context) bool { return m.serves() })
}

// owns is what the owner's page says: "200 EPOCH", or the status alone, or nothing without an answer.
func (m *machine) owns() string {
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + m.owner + OwnerPath)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	return strings.TrimSpace(fmt.Sprint(response.StatusCode, " ", response.Header.Get(EpochHeader)))
}

func (m *machine) save(name, text string) { write(m.t, filepath.Join(m.controller.Home, name), text) }

type repository struct {
	t   *testing.T
	dir string
}

func newRepository(t *testing.T) repository {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "remote.git")
	out, err := exec.Command("git", "init", "--quiet", "--bare", dir).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return repository{t, dir}
}

func (r repository) git(args ...string) string {
	out, err := exec.Command("git", append([]string{"--git-dir", r.dir}, args...)...).CombinedOutput()
	var exit *exec.ExitError
	require.True(r.t, err == nil || errors.As(err, &exit))
	return strings.TrimSpace(string(out))
}

func (r repository) holds(name string) {
	r.t.Helper()
	testkit.Eventually(r.t, time.Minute, name+" is pushed", func(context.Context) bool { return r.git("ls-tree", "--name-only", "main", name) == name })
}

func (r repository) epochs() string {
	return r.git("log", "--reverse", "--format=%s", "--grep=^Controller epoch", "main")
}

func TestAStoppedControllerThatWakesUpWritesNothing(t *testing.T) {
	z, remote := testkit.StartZooKeeper(t), newRepository(t)
	one, two := newMachine(t, "one", remote.dir, z.Addr).start(), newMachine(t, "two", remote.dir, z.Addr)
	one.up()
	one.save("jobs/first/config.xml", "<project/>")
	remote.holds("jobs/first/config.xml")
	require.Equal(t, "200 1", one.owns())
	one.signal(syscall.SIGSTOP)
	testkit.Eventually(t, time.Minute, "who is stopped owns nothing", func(context.Context) bool { return one.owns() == "" })
	two.start().up()
	require.Equal(t, "200 2", two.owns())
	require.False(t, one.serves(), "its Jenkins ended before another could have the lock, although nobody woke its jomhome up: %s", one.out)
	require.Contains(t, two.out.String(), "waiting for the owner lock")
	require.FileExists(t, filepath.Join(two.controller.Home, "jobs/first/config.xml"), "restored")
	one.save("jobs/late/config.xml", "<project/>") // what it saved last
	two.save("jobs/second/config.xml", "<project/>")
	remote.holds("jobs/second/config.xml")
	before := remote.git("rev-parse", "main")
	one.signal(syscall.SIGCONT)
	require.Equal(t, ExitFenced, one.ends(), "%s", one.out)
	require.False(t, one.serves(), "its Jenkins is gone")
	require.Equal(t, before, remote.git("rev-parse", "main"))
	require.Contains(t, remote.git("grep", "-l", "project", remote.git("for-each-ref", "--format=%(refname)", "refs/heads/lost/one"), "--", "jobs/late"), "jobs/late/config.xml",
		"its work is kept: %s", one.out)

	one.start()
	two.signal(syscall.SIGTERM)
	require.Equal(t, 128+int(syscall.SIGTERM), two.ends())
	require.Equal(t, ExitRefused, one.ends(), "its home is older now: %s", one.out)
	require.Equal(t, "Controller epoch 1 starts on one\nController epoch 2 starts on two", remote.epochs())
}

func TestAKilledControllerIsFollowedAtOnceOnItsHost(t *testing.T) {
	z, remote := testkit.StartZooKeeper(t), newRepository(t)
	m := newMachine(t, "one", remote.dir, z.Addr)
	m.controller.History.SessionMillis = 40000 // nobody waits for that
	data, err := json.Marshal(m.controller)
	require.NoError(t, err)
	write(t, filepath.Join(filepath.Dir(m.controller.Home), "controller.json"), string(data))
	m.start().up()
	m.save("jobs/a/config.xml", "<project/>")
	m.signal(syscall.SIGKILL)
	m.ends()
	m.start().up()
	remote.holds("jobs/a/config.xml")
	m.save("jobs/b/config.xml", "<project/>")
	m.signal(syscall.SIGTERM)
	require.Equal(t, 128+int(syscall.SIGTERM), m.ends())
	require.Equal(t, "jobs/b/config.xml", remote.git("ls-tree", "--name-only", "main", "jobs/b/config.xml"), "the last push comes before the end: %s", m.out)
	require.Equal(t, "Controller epoch 1 starts on one\nController epoch 2 starts on one", remote.epochs())
}

func TestAWaitingControllerEndsWhenItIsTold(t *testing.T) {
	m := newMachine(t, "one", newRepository(t).dir, testkit.FreeAddr(t, "127.0.0.1")).start() // nobody keeps the lock
	testkit.Eventually(t, time.Minute, "it has begun", func(context.Context) bool {
		_, err := os.Stat(filepath.Join(m.controller.Home, ".jomctl", "owner"))
		return err == nil
	})
	testkit.Eventually(t, time.Minute, "it has made the folder of the history, and waits", func(context.Context) bool {
		_, err := os.Stat(m.controller.History.State)
		return err == nil
	})
	m.signal(syscall.SIGTERM)
	require.Equal(t, ExitPrepare, m.ends())
	require.False(t, m.serves())
}
