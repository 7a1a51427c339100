package host

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is one incarnation of a pid. Start is its start time in clock ticks since boot, so that a pid that has been
// given to somebody else is never taken for it.
type process struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"`
}

// lookUp finds the process that has the pid now; a zombie is none.
func lookUp(pid int) (process, bool) {
	if pid <= 0 {
		return process{}, false
	}
	fd, err := openPlain("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return process{}, false
	}
	defer func() { _ = syscall.Close(fd) }()
	var line [1024]byte // the command in it has 64 bytes at most, and the kernel gives a line that fits at once
	n := 0
	if err := uninterrupted(func() error { n, err = syscall.Read(fd, line[:]); return err }); err != nil {
		return process{}, false
	}
	text := line[:n]
	// The second field is the command in brackets, and may itself contain brackets and blanks.
	end := bytes.LastIndexByte(text, ')')
	if end < 0 {
		return process{}, false
	}
	fields := strings.Fields(string(text[end+1:]))
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return process{}, false
	}
	start, err := strconv.ParseUint(fields[19], 10, 64)
	return process{PID: pid, Start: start}, err == nil
}

func (p process) alive() bool {
	now, ok := lookUp(p.PID)
	return ok && now == p
}

// end sends SIGTERM and, when the time is up, SIGKILL, and returns when the process is gone.
func (p process) end(mode KillMode, timeout time.Duration) error {
	p.signal(mode, syscall.SIGTERM)
	if p.gone(timeout) {
		return nil
	}
	p.signal(mode, syscall.SIGKILL)
	if p.gone(5 * time.Second) {
		return nil
	}
	return fmt.Errorf("process %d does not end, not even by SIGKILL", p.PID)
}

// signal reaches the process, or its whole group, which a unit's program always leads.
func (p process) signal(mode KillMode, sig syscall.Signal) {
	if !p.alive() {
		return
	}
	if mode == KillGroup {
		_ = syscall.Kill(-p.PID, sig)
		return
	}
	_ = syscall.Kill(p.PID, sig)
}

const pollEvery = 20 * time.Millisecond

func (p process) gone(timeout time.Duration) bool {
	for deadline := time.Now().Add(timeout); p.alive(); time.Sleep(pollEvery) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// bootID tells one boot of the machine from another.
var bootID = sync.OnceValue(func() string {
	text, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(text))
})

// withEnvironment returns the processes whose environment has an entry that matches, the oldest first. Processes of
// other users cannot be read and are left out.
func withEnvironment(match func(name, value string) bool) ([]process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var found []process
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		environ, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "environ"))
		if err != nil {
			continue
		}
		matches := slices.ContainsFunc(strings.Split(string(environ), "\x00"), func(line string) bool {
			name, value, ok := strings.Cut(line, "=")
			return ok && match(name, value)
		})
		if p, ok := lookUp(pid); ok && matches {
			found = append(found, p)
		}
	}
	slices.SortFunc(found, func(a, b process) int {
		if a.Start != b.Start {
			return int(int64(a.Start) - int64(b.Start))
		}
		return a.PID - b.PID
	})
	return found, nil
}

// commandOf is the command line of a process for messages.
func commandOf(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if errors.Is(err, os.ErrNotExist) || len(text) == 0 {
		return ""
	}
	return strings.TrimSpace(strings.ReplaceAll(string(text), "\x00", " "))
}
