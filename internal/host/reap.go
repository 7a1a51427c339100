package host

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// sandboxVariables name the folder that a task, its executor or a controller lives in.
var sandboxVariables = []string{"MESOS_SANDBOX", "MESOS_DIRECTORY", "JENKINS_HOME"}

// Reaped is a process that ReapUnder has ended.
type Reaped struct {
	PID     int
	Command string
}

// ReapUnder ends all processes of this machine that live under a folder by the word of their environment
// (MESOS_SANDBOX, MESOS_DIRECTORY, JENKINS_HOME): SIGTERM, and SIGKILL two seconds later. It returns when none is left.
func ReapUnder(ctx context.Context, dir string) ([]Reaped, error) {
	root := filepath.Clean(dir)
	if !filepath.IsAbs(root) || root == "/" {
		return nil, fmt.Errorf("end the processes under %q: not an absolute path below /", dir)
	}
	lives := func(name, value string) bool {
		value = filepath.Clean(value)
		return slices.Contains(sandboxVariables, name) && (value == root || strings.HasPrefix(value, root+"/"))
	}
	seen := map[process]bool{}
	var reaped []Reaped
	for begin := time.Now(); ; {
		left, err := withEnvironment(lives)
		if err != nil || len(left) == 0 {
			return reaped, err
		}
		kill := time.Since(begin) > 2*time.Second
		for _, p := range left {
			if !seen[p] {
				seen[p] = true
				reaped = append(reaped, Reaped{PID: p.PID, Command: commandOf(p.PID)})
				p.signal(KillProcess, syscall.SIGTERM)
			}
			if kill {
				p.signal(KillProcess, syscall.SIGKILL)
			}
		}
		if time.Since(begin) > 10*time.Second {
			return reaped, fmt.Errorf("end the processes under %s: %d are still there, the first is %d", root, len(left), left[0].PID)
		}
		select {
		case <-ctx.Done():
			return reaped, ctx.Err()
		case <-time.After(pollEvery):
		}
	}
}
