package restore_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/home/claim"
	"github.com/jomctl/jomctl/internal/home/git"
	"github.com/jomctl/jomctl/internal/home/restore"
)

// cpu is the time that this process and all children that ended have used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	total := time.Duration(0)
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var usage syscall.Rusage
		require.NoError(b, syscall.Getrusage(who, &usage))
		total += time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	return total
}

// BenchmarkRestore makes an empty home on a new host the last pushed state, from a repository on a path; its peer is `git clone` of the same
// repository. The two take turns, so that both meet the same machine.
func BenchmarkRestore(b *testing.B) {
	const jobs = 10000
	remote := filepath.Join(b.TempDir(), "remote.git")
	out, err := exec.CommandContext(b.Context(), "git", "init", "--quiet", "--bare", remote).CombinedOutput()
	require.NoError(b, err, "%s", out)
	source, err := git.Open(b.Context(), filepath.Join(b.TempDir(), "home.git"), git.Remote{URL: remote, Branch: "main"})
	require.NoError(b, err)
	body := strings.Repeat("  <properties><x>some property of the job</x></properties>\n", 25)
	head, err := source.Commit(b.Context(), git.Commit{Ref: source.Main(), Message: "m", When: time.Now()}, func(c *git.Changes) error {
		for n := range jobs {
			c.Write(fmt.Sprintf("jobs/j%05d/config.xml", n), fmt.Appendf(nil, "<?xml version='1.1' encoding='UTF-8'?>\n<project>\n  <description>job %d</description>\n%s</project>", n, body), false)
		}
		return nil
	})
	require.NoError(b, err)
	require.NoError(b, source.Push(b.Context(), git.Update{Ref: source.Main(), New: head}))

	var times, cpus [2]time.Duration
	measure := func(which int, work func()) {
		began, before := time.Now(), cpu(b)
		work()
		times[which] += time.Since(began)
		cpus[which] += cpu(b) - before
	}
	for b.Loop() {
		dir := b.TempDir()
		measure(0, func() {
			repo, err := git.Open(b.Context(), filepath.Join(dir, "home.git"), git.Remote{URL: remote, Branch: "main"})
			require.NoError(b, err)
			seen, err := repo.Fetch(b.Context())
			require.NoError(b, err)
			result, err := restore.Into(b.Context(), repo, seen[repo.Main()], git.Hash{}, filepath.Join(dir, "home"), claim.Marker{})
			require.NoError(b, err)
			require.Equal(b, restore.Result{Files: jobs, Numbers: jobs}, result)
		})
		measure(1, func() {
			out, err := exec.CommandContext(b.Context(), "git", "clone", "--quiet", "--branch=main", remote, filepath.Join(dir, "clone")).CombinedOutput()
			require.NoError(b, err, "%s", out)
		})
	}
	runs := float64(b.N)
	b.ReportMetric(times[0].Seconds()/runs, "s/restore")
	b.ReportMetric(times[1].Seconds()/runs, "s/clone")
	b.ReportMetric(cpus[0].Seconds()/runs, "cpu-s/restore")
	b.ReportMetric(cpus[1].Seconds()/runs, "cpu-s/clone")
	b.ReportMetric(times[0].Seconds()/times[1].Seconds(), "restore/clone")
	b.ReportMetric(cpus[0].Seconds()/cpus[1].Seconds(), "cpu-restore/clone")
}
