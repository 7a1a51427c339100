package sync_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/home/keep"
)

// A server that looks at what it is sent, as the large ones do, refuses names that git has for itself, and with them every later push: a repository that
// somebody cloned into userContent must hold nothing else up.
func TestARepositoryInTheHomeHoldsNothingUp(t *testing.T) {
	w := newWorld(t)
	gitOut(t, w.remote, "config", "receive.fsckObjects", "true")
	reserved := []string{"userContent/.git", "casc_configs/.GIT ", "userContent/.gitmodules", "jobs/.git", "jobs/git~1", "jobs/a\\.git", "jobs/.g\u200cit", "jobs/.git::$INDEX"}
	for _, name := range reserved {
		if name == "userContent/.gitmodules" {
			w.write(name, "[submodule \"../x\"]\n\turl = -x\n")
			continue
		}
		w.write(name+"/config.xml", "<project/>")
	}
	w.write("jobs/digit.gi/config.xml", "<project/>")
	w.write("userContent/.gitignore", "x")
	w.start()
	w.write("jobs/a/config.xml", "<project/>")
	w.eventually("another job is pushed", func() bool { return w.pushed()["jobs/a/config.xml"] != "" })
	w.settled()
	require.Contains(t, w.pushed(), "jobs/digit.gi/config.xml")
	require.Contains(t, w.pushed(), "userContent/.gitignore")
	for _, name := range reserved {
		require.Equal(t, keep.ReservedName, w.engine.Status().Refused[name], name)
	}
}
