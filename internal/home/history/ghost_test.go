package history_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A controller is killed while its claim is under way, and a slow server carries that claim out only when the next controller on the same home is about to claim:
// the home is still the last owner's.
func TestAClaimThatComesThroughLateIsOurs(t *testing.T) {
	s := newSite(t)
	h := filled(s)
	// The server takes the objects of the first claim, and is not done with it when the controller is killed.
	hook := filepath.Join(s.remote, "hooks", "pre-receive")
	ghost := filepath.Join(s.remote, "ghost")
	require.NoError(t, os.WriteFile(hook, fmt.Appendf(nil, "#!/bin/sh\ncat > %s\nexit 1\n", ghost), 0o755)) // #nosec G306 -- a hook
	ctx, cancel := context.WithCancel(t.Context())
	said := make(chan string, 100)
	h.say = func(format string, _ ...any) { said <- format; cancel() }
	killed := h.controller()
	killed.Task = "jenkins.0"
	require.Error(t, killed.Open(ctx))
	require.Contains(t, <-said, "the controller waits for it")
	local := h.controller().Config.RepoDir()
	out, err := exec.Command("git", "--git-dir", local, "push", "--quiet", "--no-verify", "--receive-pack=git -c core.hooksPath=/dev/null receive-pack", s.remote, "refs/claim/*:refs/ghost/*").CombinedOutput()
	require.NoError(t, err, "%s", out)
	// It moves the refs just before the second claim would.
	move := "#!/bin/sh\nunset GIT_QUARANTINE_PATH\n" +
		"[ -e %[1]s ] || exit 0\nwhile read old new ref; do git update-ref $ref $new $old; done < %[1]s\nrm %[1]s\n"
	require.NoError(t, os.WriteFile(hook, fmt.Appendf(nil, move, ghost), 0o755)) // #nosec G306 -- a hook
	h.say = func(string, ...any) {}
	r := h.up()
	require.NoFileExists(t, ghost)
	h.write("jobs/after/config.xml", "<project/>")
	h.down(r)
	s.pushed("after")
	s.oneWriter("main")
}

// Only git's own word makes the local repository unreadable: commits that are pushed nowhere else are in it.
func TestALocalRepositoryOutlivesAHostWithoutGit(t *testing.T) {
	s := newSite(t)
	h := filled(s)
	repo := h.controller().Config.RepoDir()
	path := os.Getenv("PATH")
	t.Setenv("PATH", t.TempDir())
	require.ErrorContains(t, h.controller().Open(t.Context()), `"git": executable file not found`)
	t.Setenv("PATH", path)
	require.DirExists(t, filepath.Join(repo, "objects"))
	require.NoError(t, exec.Command("git", "--git-dir", repo, "cat-file", "-e", "main:jobs/a/config.xml").Run())
}

// Under a disk that is gone there may be the home as it was before that disk was bought: with its marker, and years old.
func TestAnOlderCopyInThePlaceOfTheHomeIsNotCommitted(t *testing.T) {
	s := newSite(t)
	h := filled(s)
	r := h.up()
	old := h.home() + ".old"
	require.NoError(t, os.CopyFS(old, os.DirFS(h.home())))
	h.write("jobs/a/config.xml", "<project>newer</project>")
	h.write("jobs/new/config.xml", "<project/>")
	s.pushed("new")
	require.NoError(t, os.Rename(h.home(), h.home()+".gone"))
	require.NoError(t, os.Rename(old, h.home()))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.ErrorContains(t, r.Close(ctx), h.home()+" is another folder than the controller started on")
	require.Equal(t, "<project>newer</project>", s.git("show", "main:jobs/a/config.xml"))
	s.git("cat-file", "-e", "main:jobs/new/config.xml")
}
