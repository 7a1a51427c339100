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

// Process is a running process of this machine.
type Process struct {
	PID     int
	Command string
}

// ProcessesUnder finds all processes of this machine that live under a folder by the word of their environment
// (MESOS_SANDBOX, MESOS_DIRECTORY, JENKINS_HOME): tasks, their executors, controllers; the oldest first.
func ProcessesUnder(dir string) ([]Process, error) {
	found, err := under(dir)
	all := make([]Process, 0, len(found))
	for _, p := range found {
		all = append(all, Process{PID: p.PID, Command: commandOf(p.PID)})
	}
	return all, err
}

func under(dir string) ([]process, error) {
	root := filepath.Clean(dir)
	if !filepath.IsAbs(root) || root == "/" {
		return nil, fmt.Errorf("find the processes under %q: not an absolute path below /", dir)
	}
	return withEnvironment(func(name, value string) bool {
		value = filepath.Clean(value)
		return slices.Contains(sandboxVariables, name) && (value == root || strings.HasPrefix(value, root+"/"))
	})
}

// ReapUnder ends the processes that ProcessesUnder finds: SIGTERM, and SIGKILL two seconds later. It returns those it
// has ended when none is left.
func ReapUnder(ctx context.Context, dir string) ([]Process, error) {
	seen := map[process]bool{}
	var reaped []Process
	for begin := time.Now(); ; {
		left, err := under(dir)
		if err != nil || len(left) == 0 {
			return reaped, err
		}
		kill := time.Since(begin) > 2*time.Second
		for _, p := range left {
			if !seen[p] {
				seen[p] = true
				reaped = append(reaped, Process{PID: p.PID, Command: commandOf(p.PID)})
				p.signal(KillProcess, syscall.SIGTERM)
			}
			if kill {
				p.signal(KillProcess, syscall.SIGKILL)
			}
		}
		if time.Since(begin) > 10*time.Second {
			return reaped, fmt.Errorf("end the processes under %s: %d are still there, the first is %d", dir, len(left), left[0].PID)
		}
		select {
		case <-ctx.Done():
			return reaped, ctx.Err()
		case <-time.After(pollEvery):
		}
	}
}
