package home

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// orphanInterval is how often orphans are looked for. A child of this process's own is waited for within a shorter time.
const orphanInterval = 45 * time.Second

// reapOrphans takes the ended processes away whose parent ended before them: the first process of a container gets them all, as those that
// git, ssh or a script on the controller has left, and each would keep its number until no new process can be made. A child that has ended and is still
// there at the second look is nobody's.
func reapOrphans(ctx context.Context, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	seen := map[string]bool{}
	for {
		now := map[string]bool{}
		for _, pid := range endedChildren() {
			if seen[pid] {
				number, _ := strconv.Atoi(pid) // the kernel writes numbers
				_, _ = unix.Wait4(number, nil, unix.WNOHANG, nil)
				continue
			}
			now[pid] = true
		}
		seen = now
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// reaps says whether a process is one that orphans come to.
func reaps(pid int) bool { return pid == 1 }

// endedChildren are the children of this process that nobody has waited for.
func endedChildren() []string {
	var ended []string
	lists, _ := filepath.Glob("/proc/self/task/*/children") // none: a kernel without them
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue // a thread that has ended
		}
		for pid := range strings.FieldsSeq(string(text)) {
			stat, err := os.ReadFile("/proc/" + pid + "/stat")
			if err != nil {
				continue
			}
			after := string(stat[strings.LastIndexByte(string(stat), ')')+1:]) // a program's name may hold anything
			if strings.HasPrefix(after, " Z ") {
				ended = append(ended, pid)
			}
		}
	}
	return ended
}
