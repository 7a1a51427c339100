package backup

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// cpu is the time that all children that ended have used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_CHILDREN, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkSecondBackup backs a home of 10,000 jobs with a build each up, changes one job and its build in a hundred, and backs it up
// again.
func BenchmarkSecondBackup(b *testing.B) {
	const jobs = 10000
	r := rand.New(rand.NewPCG(1, 2)) // #nosec G404 -- a bench
	body := strings.Repeat("  <properties><x>some property of the job</x></properties>\n", 25)
	home := filepath.Join(b.TempDir(), "home")
	write := func(n, version int) {
		dir := filepath.Join(home, fmt.Sprintf("jobs/j%05d", n))
		require.NoError(b, os.MkdirAll(filepath.Join(dir, fmt.Sprint("builds/", version)), 0o755))
		var log strings.Builder
		for range 400 {
			fmt.Fprintf(&log, "[INFO] step %d wrote %x in %d ms\n", r.IntN(1000), r.Uint64(), r.IntN(1e6))
		}
		for name, text := range map[string]string{"config.xml": fmt.Sprintf("%s<project><description>%d %d</description>%s</project>", declared, n, version, body), "nextBuildNumber": fmt.Sprintln(version + 1),
			fmt.Sprintf("builds/%d/build.xml", version): declared + "<build><x>" + fmt.Sprint(r.Uint64()) + "</x></build>", fmt.Sprintf("builds/%d/log", version): log.String()} {
			require.NoError(b, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
		}
	}
	for n := range jobs {
		write(n, 1)
	}
	require.NoError(b, os.WriteFile(filepath.Join(home, "config.xml"), []byte(declared+"<hudson/>"), 0o600))
	var times, cpus [2]time.Duration
	for round := range b.N {
		dir := b.TempDir()
		require.NoError(b, os.WriteFile(filepath.Join(dir, "password"), []byte("x\n"), 0o600))
		repository := Repository{Location: filepath.Join(dir, "repository"), PasswordFile: filepath.Join(dir, "password"), Cache: filepath.Join(dir, "cache")}
		require.NoError(b, repository.Init(b.Context()))
		for which := range times {
			began, before := time.Now(), cpu(b)
			taken, err := repository.Take(b.Context(), home, tags, quiet)
			require.NoError(b, err)
			require.Equal(b, 1, taken.Tries)
			times[which] += time.Since(began)
			cpus[which] += cpu(b) - before
			for n := 0; n < jobs; n += 100 {
				write(n, 2+2*round+which)
			}
		}
	}
	runs := float64(b.N)
	b.ReportMetric(times[0].Seconds()/runs, "s/first")
	b.ReportMetric(times[1].Seconds()/runs, "s/second")
	b.ReportMetric(cpus[0].Seconds()/runs, "cpu-s/first")
	b.ReportMetric(cpus[1].Seconds()/runs, "cpu-s/second")
	b.ReportMetric(times[1].Seconds()/times[0].Seconds(), "second/first")
}
