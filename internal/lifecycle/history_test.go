package lifecycle

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/home"
	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
)

func TestTheHomesHistoryIsTheControllersToKeep(t *testing.T) {
	c := environment(t, lifecycletest.Local(t, "")).controller()
	require.Nil(t, c.history())
	require.Empty(t, c.historyFindings())

	env := environment(t, lifecycletest.Local(t, "jenkins: {scm: {repository: ./history.git, key: file:sync.key}}\n"))
	c = env.controller()
	h := c.history()
	require.NoError(t, h.Check())
	require.Equal(t, filepath.Join(env.Cluster.Dir(), "history.git"), h.Repository)
	require.Equal(t, filepath.Join(env.Cluster.Dir(), "sync.key"), h.Key)
	require.Equal(t, "main", h.Branch)
	require.Equal(t, []int{2000, 15000}, []int{h.QuietMillis, h.MaxMillis})
	require.Equal(t, "/jomctl/"+env.Cluster.Name+"/home", h.Lock)
	require.NotEmpty(t, h.ZooKeeper)
	inside, err := filepath.Rel(c.home, h.State)
	require.NoError(t, err)
	require.Contains(t, inside, "..", "the local repository lies outside of the home")
	files, err := c.files()
	require.NoError(t, err)
	write(t, files)
	read, err := home.LoadController(c.runFile())
	require.NoError(t, err)
	require.Equal(t, h, read.History)

	findings := c.historyFindings()
	require.Len(t, findings, 1)
	require.Equal(t, "git init --bare "+h.Repository, findings[0].Fix)
	out, err := exec.Command("git", "init", "--quiet", "--bare", h.Repository).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Empty(t, c.historyFindings())

	t.Setenv("SYNC_KEY", "x")
	env = environment(t, lifecycletest.Local(t, "jenkins: {scm: {repository: ./history.git, key: env:SYNC_KEY}}\n"))
	require.Contains(t, env.controller().historyFindings()[0].Fix, "file:PATH")
	require.Equal(t, "git@git.example", sshHost("git@git.example:ci/home.git"))
	require.Equal(t, "ssh://git.example:22", sshHost("ssh://git.example:22/ci/home.git"))
}
