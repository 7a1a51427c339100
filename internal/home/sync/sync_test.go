package sync_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/home/git"
	homesync "github.com/jomctl/jomctl/internal/home/sync"
)

func TestTheHistoryFollowsTheHome(t *testing.T) {
	w := newWorld(t).start()
	w.settled()
	require.Equal(t, "config.xml: added", w.subjects()[0])

	w.write("jobs/a/config.xml", "<project>1</project>")
	w.write("jobs/a/nextBuildNumber", "2")
	w.write("jobs/a/builds/1/build.xml", "<build/>")
	w.settled()
	require.Equal(t, "jobs/a: added", w.subjects()[0])
	w.write("jobs/a/config.xml", "<project>2</project>")
	w.settled()
	require.Equal(t, "jobs/a: updated", w.subjects()[0])

	w.write("jobs/f/config.xml", "<folder/>")
	w.write("jobs/f/jobs/b/config.xml", "<project/>")
	w.settled()
	require.NoError(t, os.Rename(w.path("jobs/f"), w.path("jobs/g")))
	w.settled()
	w.write("jobs/g/jobs/b/config.xml", "<project>after its folder moved</project>")
	w.write("jobs/g/jobs/c/config.xml", "<project>new in a moved folder</project>")
	w.settled()
	w.write("jobs/f/jobs/b/config.xml", "<project>a new one with the old name</project>")
	w.settled()
	require.NoError(t, os.RemoveAll(w.path("jobs/g")))
	w.settled()
	require.Contains(t, w.subjects()[0], "deleted")
	require.NoError(t, os.RemoveAll(w.path("jobs/a")))
	w.write("jobs/a", "now a file") // and a kept one nowhere
	w.settled()

	message := gitOut(t, w.remote, "log", "-1", "--format=%B", "main")
	for _, want := range []string{"Controller-Epoch: 1", "Controller-Host: h1", "Controller-Task: jenkins.1", "Jenkins-Version: 2.568.2"} {
		require.Contains(t, message, want)
	}
	oneWriter(t, w.remote)
}

func TestUsersAreKeptUnderTheirID(t *testing.T) {
	w := newWorld(t)
	bob := "<user><id>Bob</id></user>"
	w.write("users/bob/config.xml", bob)
	w.start().settled()
	commits := len(w.subjects())
	// What Jenkins does with it at the first boot.
	folder := "users/bob_" + strings.Repeat("0123456789abcdef", 4)
	require.NoError(t, os.Rename(w.path("users/bob"), w.path(folder)))
	w.write("jobs/a/config.xml", "<project/>")
	w.settled()
	require.Equal(t, bob, w.pushed()["users/bob/config.xml"])
	w.write(folder+"/config.xml", "<user><id>Bob</id><fullName>B</fullName></user>")
	w.write(folder+"/apiTokenStats.xml", "<x/>")
	w.settled()
	require.Contains(t, w.pushed()["users/bob/config.xml"], "fullName")
	require.NoError(t, os.RemoveAll(w.path(folder)))
	w.settled()
	require.NotContains(t, w.pushed(), "users/bob/config.xml")
	require.LessOrEqual(t, len(w.subjects()), commits+4, "a folder that Jenkins renames is no change")
}

func TestWhatMustNotBeKeptIsPassedOver(t *testing.T) {
	w := newWorld(t)
	w.write("jobs/a/config.xml", "<project>good</project>")
	w.start().settled()
	w.write("jobs/a/config.xml", "<project>corrupt")
	w.write("jobs/b/config.xml", "<project><password>hunter2</password></project>")
	w.write("userContent/key.txt", "-----BEGIN OPENSSH PRIVATE KEY-----\n")
	require.NoError(t, os.Symlink("/etc/passwd", w.path("userContent/link")))
	w.write("jobs/c/config.xml", "<project>fine</project>")
	w.eventually("the good one is pushed", func() bool { return w.pushed()["jobs/c/config.xml"] != "" })
	pushed := w.pushed()
	require.Equal(t, "<project>good</project>", pushed["jobs/a/config.xml"], "the last good version stays")
	require.NotContains(t, pushed, "jobs/b/config.xml")
	require.NotContains(t, pushed, "userContent/key.txt")
	require.NotContains(t, pushed, "userContent/link")
	status := w.engine.Status()
	require.Contains(t, status.Refused["jobs/a/config.xml"], "not well-formed")
	require.Contains(t, status.Refused["jobs/b/config.xml"], "password")
	require.Contains(t, status.Refused["userContent/key.txt"], "private key")
	all := gitOut(t, w.remote, "log", "-p", "--all")
	require.NotContains(t, all, "hunter2")

	w.write("jobs/a/config.xml", "<project>mended</project>")
	w.write("jobs/b/config.xml", "<project><password>{AQAAAA==}</password></project>")
	require.NoError(t, os.Remove(w.path("userContent/key.txt")))
	require.NoError(t, os.Remove(w.path("userContent/link")))
	w.settled()
	w.eventually("nothing is refused any more", func() bool { return len(w.engine.Status().Refused) == 0 })

	var file homesync.Status
	data, err := os.ReadFile(w.options.StatusFile)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &file))
	require.Equal(t, w.engine.Status().Head, file.Head)
	require.EqualValues(t, 1, file.Epoch)
}

func TestABurstBecomesFewCommits(t *testing.T) {
	w := newWorld(t).start()
	w.settled()
	before := len(w.subjects())
	for i := range 1000 {
		w.write(fmt.Sprintf("jobs/j%d/config.xml", i%200), fmt.Sprintf("<project>%d</project>", i))
	}
	began := w.engine.Status()
	w.settled()
	require.LessOrEqual(t, len(w.subjects())-before, 500, "began with %+v", began)
	require.Zero(t, w.engine.Status().Unpushed)
}

// A file that is written in pieces, as Jenkins does with a new job, must be in the history whole or not at all.
func TestNoHalfFileIsCommitted(t *testing.T) {
	w := newWorld(t).start()
	for i := range 60 {
		require.NoError(t, os.MkdirAll(w.path("jobs/slow"), 0o755))
		file, err := os.Create(w.path("jobs/slow/config.xml"))
		require.NoError(t, err)
		for part := range 20 {
			text := fmt.Sprintf("<p>%d %d</p>", i, part)
			if part == 0 {
				text = "<project>" + text
			}
			_, err := file.WriteString(text + strings.Repeat(" ", 4096))
			require.NoError(t, err)
			w.write("jobs/other/config.xml", fmt.Sprintf("<project>%d %d</project>", i, part))
		}
		_, err = file.WriteString("</project>")
		require.NoError(t, err)
		require.NoError(t, file.Close())
	}
	w.settled()
	for _, commit := range strings.Fields(gitOut(t, w.remote, "log", "--format=%H", "main", "--", "jobs/slow/config.xml")) {
		require.True(t, strings.HasSuffix(gitOut(t, w.remote, "show", commit+":jobs/slow/config.xml"), "</project>"), commit)
	}
}

func TestAnOutageOfGitLosesNothing(t *testing.T) {
	w := newWorld(t).start()
	w.settled()
	away := w.remote + ".away"
	require.NoError(t, os.Rename(w.remote, away))
	for i := range 5 {
		w.write(fmt.Sprintf("jobs/down%d/config.xml", i), "<project/>")
		head, _ := w.engine.Head()
		w.eventually("it is committed all the same", func() bool { now, _ := w.engine.Head(); return now != head })
	}
	require.NoError(t, os.RemoveAll(w.path("jobs/down3")))
	w.eventually("the outage is reported", func() bool { s := w.engine.Status(); return s.PushError != "" && !s.Unpushed.IsZero() })
	require.NoError(t, os.Rename(away, w.remote))
	w.settled()
	require.Empty(t, w.engine.Status().PushError)
	require.Zero(t, w.engine.Status().OldestUnpushed(time.Now()))

	// A remote that refuses for reasons of its own is an outage, too.
	hook := filepath.Join(w.remote, "hooks", "pre-receive")
	require.NoError(t, os.WriteFile(hook, []byte("#!/bin/sh\necho no room >&2\nexit 1\n"), 0o755)) // #nosec G306 -- a hook
	w.write("jobs/refused/config.xml", "<project/>")
	w.eventually("the refusal is reported", func() bool { return strings.Contains(w.engine.Status().PushError, "no room") })
	require.False(t, w.engine.Status().Fenced)
	require.NoError(t, os.Remove(hook))
	w.settled()
}

func TestANewOwnerEndsTheOldOne(t *testing.T) {
	w := newWorld(t).start()
	w.settled()
	other := w.clone()
	claimed := w.claim(other, 2, "h2")
	w.write("jobs/late/config.xml", "<project/>")
	require.ErrorIs(t, <-w.ended, homesync.ErrFenced)
	w.ended = nil
	require.True(t, w.engine.Status().Fenced)
	require.Equal(t, claimed.Head.String(), gitOut(t, w.remote, "rev-parse", "main"), "the loser changed nothing")
	require.NotContains(t, w.pushed(), "jobs/late/config.xml")
	require.ErrorIs(t, w.engine.Flush(t.Context()), homesync.ErrFenced)
	oneWriter(t, w.remote)
}

// Whoever claims while a push of the other is under way: exactly one of the two comes through.
func TestClaimsAndPushesAtOnce(t *testing.T) {
	remote := newRemote(t)
	const controllers = 4
	var group sync.WaitGroup
	worlds := make([]*world, controllers)
	for i := range worlds {
		w := newWorld(t)
		w.remote = remote
		w.repo = w.clone()
		worlds[i] = w
	}
	for i, w := range worlds {
		w.options.Claimed = w.claim(w.repo, int64(i+1), fmt.Sprintf("h%d", i))
		w.options.Host = fmt.Sprintf("h%d", i)
		w.start()
		group.Go(func() {
			for n := range 30 {
				if save(w.path(fmt.Sprintf("jobs/j%d/config.xml", n)), fmt.Sprintf("<project>%d</project>", i)) != nil {
					return
				}
			}
		})
	}
	group.Wait()
	for _, w := range worlds[:controllers-1] {
		w.write("jobs/last/config.xml", "<project/>")
		require.ErrorIs(t, <-w.ended, homesync.ErrFenced)
		w.ended = nil
	}
	worlds[controllers-1].settled()
	oneWriter(t, remote)
}

func TestCommitsOfOthersStayInTheHistory(t *testing.T) {
	w := newWorld(t).start()
	w.settled()
	tip := gitOut(t, w.remote, "commit-tree", "-m", "a README of a person", "-p", "main", "main^{tree}")
	gitOut(t, w.remote, "update-ref", "refs/heads/main", tip)
	w.write("jobs/a/config.xml", "<project/>")
	w.settled()
	require.Contains(t, gitOut(t, w.remote, "log", "--format=%s", "main"), "a README of a person")
	w.write("jobs/b/config.xml", "<project/>")
	w.settled()
	oneWriter(t, w.remote)
}

func TestAHomeThatIsGoneIsNoEmptyHome(t *testing.T) {
	alive := make(chan error, 1)
	alive <- nil
	w := newWorld(t, func(o *homesync.Options) {
		o.Alive = func() error { err := <-alive; alive <- err; return err }
	})
	w.write("jobs/a/config.xml", "<project/>")
	w.start().settled()
	<-alive
	alive <- os.ErrNotExist
	require.NoError(t, os.RemoveAll(w.home))
	w.eventually("it is reported", func() bool { return w.engine.Status().CommitError != "" })
	require.Contains(t, w.pushed(), "jobs/a/config.xml")
}

func TestWhatNoWatchSawIsFoundByLooking(t *testing.T) {
	w := newWorld(t, func(o *homesync.Options) { o.Scan = 50 * time.Millisecond })
	w.write("userContent/x.txt", "one")
	w.start().settled()
	// Written without a close: no event comes before the file is closed.
	file, err := os.OpenFile(w.path("userContent/x.txt"), os.O_WRONLY|os.O_APPEND, 0)
	require.NoError(t, err)
	defer file.Close()
	_, err = file.WriteString(" two")
	require.NoError(t, err)
	w.settled()
	require.Equal(t, "one two", w.pushed()["userContent/x.txt"])
}

func TestNextBuildNumbersArePushed(t *testing.T) {
	w := newWorld(t, func(o *homesync.Options) { o.Numbers = 50 * time.Millisecond })
	w.write("jobs/f/jobs/a b/config.xml", "<project/>")
	w.start().settled()
	w.write("jobs/f/jobs/a b/nextBuildNumber", "7\n")
	w.eventually("the number is pushed", func() bool {
		refs, err := w.repo.Remotes(t.Context())
		return err == nil && !refs[git.Numbers].IsZero() && gitOut(t, w.remote, "show", git.Numbers+":"+homesync.NumbersFile) == "7 jobs/f/jobs/a b"
	})
	require.Equal(t, map[string]int{"jobs/f/jobs/a b": 7}, homesync.ParseNumbers([]byte("7 jobs/f/jobs/a b\nx y\n")))
}

func TestFlushIsTheLastWord(t *testing.T) {
	w := newWorld(t, func(o *homesync.Options) { o.Quiet, o.Max = time.Hour, time.Hour })
	w.start()
	w.stop()
	w.write("jobs/a/config.xml", "<project/>")
	w.write("jobs/a/nextBuildNumber", "3")
	require.NoError(t, w.engine.Flush(t.Context()))
	require.Equal(t, w.kept(), w.pushed())
	require.Equal(t, "3 jobs/a", gitOut(t, w.remote, "show", git.Numbers+":"+homesync.NumbersFile))
}

func TestAPushWhoseAnswerWasLostIsNotAnotherControllers(t *testing.T) {
	w := newWorld(t).start()
	w.settled()
	// The push comes through, and git is told that it did not.
	hook := filepath.Join(w.remote, "hooks", "post-receive")
	require.NoError(t, os.WriteFile(hook, []byte("#!/bin/sh\nrm -f \"$0\"\nkill -9 $(ps -o ppid= -p $PPID)\n"), 0o755)) // #nosec G306 -- a hook
	w.write("jobs/a/config.xml", "<project/>")
	w.settled()
	require.NoFileExists(t, hook)
	w.write("jobs/b/config.xml", "<project/>")
	w.settled()
}

func TestDebounce(t *testing.T) {
	at := func(s float64) time.Time { return time.Unix(1000, 0).Add(time.Duration(s * float64(time.Second))) }
	d := homesync.Debounce{Quiet: 2 * time.Second, Max: 15 * time.Second}
	_, some := d.Due()
	require.False(t, some)
	for s := range 60 {
		d.Touch(at(float64(s)))
		due, some := d.Due()
		require.True(t, some)
		require.Equal(t, at(min(float64(s)+2, 15)), due)
	}
	first := d.Since()
	d.Done()
	_, some = d.Due()
	require.False(t, some)
	d.Again(first, at(70))
	due, _ := d.Due()
	require.Equal(t, at(72), due, "a commit that failed is tried again when it is quiet, not at once")
}

func TestMessages(t *testing.T) {
	list := []homesync.Summary{{"jobs/a", "updated"}}
	require.Equal(t, "jobs/a: updated", homesync.Message(list))
	list = append(list, homesync.Summary{"jobs/b\n", "deleted"})
	require.Equal(t, "jobs/a: updated; jobs/b?: deleted (2 files)", homesync.Message(list))
	for range 10 {
		list = append(list, homesync.Summary{"jobs/c", "added"})
	}
	require.Equal(t, "jobs/a: updated; jobs/b?: deleted; jobs/c: added; jobs/c: added; and 8 more (12 files)", homesync.Message(list))
}
