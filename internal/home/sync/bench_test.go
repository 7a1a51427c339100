package sync_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	homesync "github.com/jomctl/jomctl/internal/home/sync"
)

// benchJob is about what a small freestyle job is.
func benchJob(n, version int) string {
	return fmt.Sprintf("<?xml version='1.1' encoding='UTF-8'?>\n<project>\n  <description>job %d, version %d</description>\n%s</project>", n, version,
		strings.Repeat("  <properties><x>some property of the job</x></properties>\n", 25))
}

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

// BenchmarkOneSavedJob measures from a save until it is in the local bare remote, without the debounce, and the CPU of all processes;
// rss-MB is this process after the runs. The peer is what a person would type: git add, commit and push in a work tree.
func BenchmarkOneSavedJob(b *testing.B) {
	for _, jobs := range []int{100, 10000} {
		b.Run(fmt.Sprintf("jobs=%d", jobs), func(b *testing.B) {
			w := newWorld(b, func(o *homesync.Options) { o.Quiet, o.Max = 50*time.Millisecond, time.Second })
			for n := range jobs {
				w.write(fmt.Sprintf("jobs/j%05d/config.xml", n), benchJob(n, 0))
			}
			w.start()
			w.eventually("the home is pushed", func() bool { head, pushed := w.engine.Head(); return head == pushed && w.engine.Status().Files > jobs })
			w.repo.Rest()
			before := cpu(b)
			b.ResetTimer()
			for i := range b.N {
				head, _ := w.engine.Head()
				w.write(fmt.Sprintf("jobs/j%05d/config.xml", i*37%jobs), benchJob(i, i+1))
				for {
					now, pushed := w.engine.Head()
					if now != head && now == pushed {
						break
					}
					runtime.Gosched()
					wait(b, w)
				}
			}
			b.StopTimer()
			w.repo.Rest() // the time of a process counts when it has ended
			b.ReportMetric(float64((cpu(b)-before).Milliseconds())/float64(b.N), "cpu-ms/op")
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N)-50, "ms-after-debounce/op")
			b.ReportMetric(resident(b), "rss-MB")
			w.settled() // byte by byte
		})
		b.Run(fmt.Sprintf("peer/jobs=%d", jobs), func(b *testing.B) { benchPeer(b, jobs) })
	}
}

// wait gives the engine the processor; a busy loop here would count as its time.
func wait(b *testing.B, w *world) {
	b.Helper()
	select {
	case err := <-w.ended:
		b.Fatalf("the engine ended: %v", err)
	case <-time.After(2 * time.Millisecond):
	}
}

func resident(b *testing.B) float64 {
	b.Helper()
	data, err := os.ReadFile("/proc/self/statm")
	require.NoError(b, err)
	var size, pages int
	_, err = fmt.Sscan(string(data), &size, &pages)
	require.NoError(b, err)
	return float64(pages*os.Getpagesize()) / (1 << 20)
}

func benchPeer(b *testing.B, jobs int) {
	remote, dir := newRemote(b), b.TempDir()
	run := func(args ...string) {
		cmd := exec.CommandContext(context.Background(), "git", append([]string{"-C", dir, "-c", "user.name=x", "-c", "user.email=x@y", "-c", "gc.auto=0"}, args...)...)
		out, err := cmd.CombinedOutput()
		require.NoError(b, err, "%s", out)
	}
	run("init", "--quiet", "--initial-branch=main")
	for n := range jobs {
		require.NoError(b, save(filepath.Join(dir, fmt.Sprintf("jobs/j%05d/config.xml", n)), benchJob(n, 0)))
	}
	commit := func() {
		run("add", "-A")
		run("commit", "--quiet", "-m", "x")
		run("push", "--quiet", remote, "main")
	}
	commit()
	before := cpu(b)
	b.ResetTimer()
	for i := range b.N {
		require.NoError(b, save(filepath.Join(dir, fmt.Sprintf("jobs/j%05d/config.xml", i*37%jobs)), benchJob(i, i+1)))
		commit()
	}
	b.StopTimer()
	b.ReportMetric(float64((cpu(b)-before).Milliseconds())/float64(b.N), "cpu-ms/op")
}
