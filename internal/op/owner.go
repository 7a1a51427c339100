package op

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/user"
	"syscall"
	"time"
)

// Owner is who holds a lock; it is the JSON in the lock file.
type Owner struct {
	RunID   string    `json:"run"`
	User    string    `json:"user"`
	Host    string    `json:"host"`
	PID     int       `json:"pid"`
	Verb    string    `json:"verb"`
	Started time.Time `json:"started"`
	Renewed time.Time `json:"renewed"`
	// Lease is how long the lock is good after Renewed.
	Lease time.Duration `json:"leaseNanoseconds"`
}

// CurrentOwner describes this process.
func CurrentOwner(runID, verb string) Owner {
	owner := Owner{RunID: runID, PID: os.Getpid(), Verb: verb, User: "unknown", Host: "unknown"}
	if host, err := os.Hostname(); err == nil {
		owner.Host = host
	}
	if current, err := user.Current(); err == nil {
		owner.User = current.Username
	}
	return owner
}

// String is user@host, pid N.
func (o Owner) String() string { return fmt.Sprintf("%s@%s, pid %d", o.User, o.Host, o.PID) }

// gone says why the owner cannot hold the lock any more; it is empty for one that may. It is asked only by who has the
// file's flock: on this host that already proves that no process holds it, another host may not see the flock.
func (o Owner) gone(now time.Time) string {
	switch {
	case o.RunID == "":
		return "nobody"
	case o.Dead():
		return "its process has ended"
	case now.Sub(o.Renewed) > o.Lease:
		return fmt.Sprintf("not renewed for %s", shortDuration(now.Sub(o.Renewed).Round(time.Second)))
	}
	return ""
}

// Dead says that the owner was a process of this host that has ended. This process itself counts as ended: whoever asks
// has another run.
func (o Owner) Dead() bool {
	self := CurrentOwner("", "")
	return o.Host == self.Host && (o.PID == self.PID || !alive(o.PID))
}

func alive(pid int) bool {
	return pid > 0 && !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

// readOwner reads the JSON value at the start of the file; the zero Owner means that nobody holds the lock, or that it
// cannot be read. What follows the value is left over from a longer one.
func readOwner(file *os.File) Owner {
	data := make([]byte, 4096)
	n, _ := file.ReadAt(data, 0)
	return parseOwner(data[:n])
}

func parseOwner(data []byte) Owner {
	var owner Owner
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(&owner); err != nil {
		return Owner{}
	}
	return owner
}

func writeOwner(file *os.File, owner Owner) error {
	data, err := json.Marshal(owner)
	if err != nil {
		return err
	}
	data = append(data, '\n')
	if _, err := file.WriteAt(data, 0); err != nil {
		return err
	}
	if err := file.Truncate(int64(len(data))); err != nil {
		return err
	}
	return file.Sync()
}

// LockedError says that another run holds the lock.
type LockedError struct {
	// Owner is zero when the holder had not written its name yet.
	Owner Owner
	// Age is how long ago the owner started.
	Age time.Duration
	// What is the lock: a path, or where a lease is kept.
	What string
	// Advice replaces the hint where `jomctl unlock` is not the way out.
	Advice string
}

// Error names the owner, what it does and for how long.
func (e *LockedError) Error() string {
	if e.Owner.RunID == "" {
		return fmt.Sprintf("locked by another run that is just starting (%s)", e.What)
	}
	return fmt.Sprintf("locked by %q of %s, started %s ago (%s)", e.Owner.Verb, e.Owner, shortDuration(e.Age.Round(time.Second)), e.What)
}

// ExitCode is 5.
func (e *LockedError) ExitCode() int { return 5 }

// Hint says what to do.
func (e *LockedError) Hint() string {
	if e.Advice != "" {
		return e.Advice
	}
	return "wait for it to end, or end it; if it is certainly gone: `jomctl unlock --force`"
}
