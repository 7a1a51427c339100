package agent

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// collectGarbage removes old sandboxes: after gc_delay, sooner when the disk fills up.
func (a *Agent) collectGarbage(stop <-chan struct{}) {
	tick := time.NewTicker(min(time.Minute, max(a.cfg.gcDelay, time.Second)))
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			a.sweep(a.maxAge())
		}
	}
}

// maxAge is gc_delay * (1 - gc_disk_headroom - used part of the disk), as the real agent computes it.
func (a *Agent) maxAge() time.Duration {
	headroom, _ := strconv.ParseFloat(a.cfg.flags.get("gc_disk_headroom"), 64)
	used := 0.0
	var stat syscall.Statfs_t
	if syscall.Statfs(a.cfg.workDir, &stat) == nil && stat.Blocks > 0 {
		used = 1 - float64(stat.Bavail)/float64(stat.Blocks)
	}
	return time.Duration(float64(a.cfg.gcDelay) * max(0, 1-headroom-used))
}

func (a *Agent) sweep(age time.Duration) {
	live := map[string]bool{}
	a.mu.Lock()
	for _, fw := range a.frameworks {
		for _, t := range fw.tasks {
			live[t.sandbox] = true
		}
	}
	a.mu.Unlock()
	runs, _ := filepath.Glob(filepath.Join(a.cfg.workDir, "slaves", "*", "frameworks", "*", "executors", "*", "runs", "*"))
	for _, dir := range runs {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || live[dir] || time.Since(info.ModTime()) < age {
			continue
		}
		a.log.info("Deleting '%s'", dir)
		_ = os.RemoveAll(dir)
		executor := filepath.Dir(filepath.Dir(dir))
		if left, _ := filepath.Glob(filepath.Join(executor, "runs", "????????-*")); len(left) == 0 {
			_ = os.RemoveAll(executor)
		}
	}
}
