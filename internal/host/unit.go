package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"time"
)

// KillMode says what a stop ends.
type KillMode string

// The kill modes.
const (
	// KillGroup ends the program and everything it has started, and is the default.
	KillGroup KillMode = "group"
	// KillProcess ends the program alone: a Mesos agent's executors must survive its restart.
	KillProcess KillMode = "process"
)

// Unit is one program that is kept running: whenever it ends, for whatever reason, it is started again after
// RestartDelay, without any limit.
type Unit struct {
	// Name is made of a-z, 0-9 and -.
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	// Argv[0] is an absolute path.
	Argv []string `json:"argv"`
	// Env is the complete environment; nothing is inherited.
	Env map[string]string `json:"env,omitempty"`
	// Dir is the working folder; it must exist.
	Dir          string        `json:"dir"`
	RestartDelay time.Duration `json:"restartDelay"`
	// StopTimeout is the time between SIGTERM and SIGKILL.
	StopTimeout time.Duration `json:"stopTimeout"`
	KillMode    KillMode      `json:"killMode"`
	// LogFile gets what the program writes. It is moved to LogFile.1 when it grows over LogSize bytes (0 means 20 MB).
	LogFile string `json:"logFile"`
	LogSize int64  `json:"logSize,omitempty"`
	// Stamp changes when something that the program reads at its start has changed, so that it is started again.
	Stamp string `json:"stamp,omitempty"`
}

// Digest identifies the spec: two units with equal digests run the same program in the same way.
func (u Unit) Digest() string {
	text, err := json.Marshal(u)
	if err != nil { // strings and numbers alone always marshal
		panic(err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

var unitName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)

func (u Unit) validate() error {
	switch {
	case !unitName.MatchString(u.Name):
		return fmt.Errorf("unit %q: the name must be made of a-z, 0-9 and -", u.Name)
	case len(u.Argv) == 0 || !filepath.IsAbs(u.Argv[0]):
		return fmt.Errorf("unit %s: the program must be an absolute path, not %q", u.Name, u.Argv)
	case !filepath.IsAbs(u.Dir) || !filepath.IsAbs(u.LogFile):
		return fmt.Errorf("unit %s: working folder %q and log file %q must be absolute paths", u.Name, u.Dir, u.LogFile)
	case u.KillMode != KillGroup && u.KillMode != KillProcess:
		return fmt.Errorf("unit %s: unknown kill mode %q", u.Name, u.KillMode)
	}
	return nil
}

// Exit is how a program ended: with Code, or by Signal (then Code is -1). Both are unset (Code -1, Signal "") where
// the supervisor was itself restarted meanwhile and could only see that the program was gone.
type Exit struct {
	Code   int       `json:"code"`
	Signal string    `json:"signal,omitempty"`
	Time   time.Time `json:"time"`
}

// String says "exit 103", "signal killed" or "ended".
func (e Exit) String() string {
	switch {
	case e.Signal != "":
		return "signal " + e.Signal
	case e.Code < 0:
		return "ended"
	}
	return fmt.Sprintf("exit %d", e.Code)
}

// Status is the state of one unit.
type Status struct {
	Name string
	// Digest is that of the spec in force, "" when the unit is unknown.
	Digest string
	// Active says that the unit is being kept running: the program runs, or waits to be started again.
	Active bool
	// Running says that the program runs now, as PID since Since.
	Running bool
	PID     int
	Since   time.Time
	// Restarts counts the starts after the first, since the last Apply that started the unit.
	Restarts int
	// LastExit is how the program ended the last time, nil when it has not.
	LastExit *Exit
	// Problem says why the program could not be started at all, "" when it could.
	Problem string
	// Drift are the ways in which the host differs from what Apply made, for people. Apply puts them right. Where the
	// difference changes how the program is run, Digest is that of no spec.
	Drift []string
	// LogFile is where the log is: a path, or the command that shows it.
	LogFile string
}

// Units are the units of one machine.
type Units interface {
	// Apply makes the unit's spec the one in force and sees that it is being kept running: it is started when it is
	// not active, and started anew when its spec has changed. It returns as soon as the program has been started once.
	Apply(ctx context.Context, u Unit) (changed bool, err error)
	// Status of an unknown unit is the zero Status with its name.
	Status(ctx context.Context, name string) (Status, error)
	// Stop ends the program; the unit stays known, and the next Apply starts it.
	Stop(ctx context.Context, name string) error
	// Remove stops the unit and forgets it. Its log stays.
	Remove(ctx context.Context, name string) error
	// List returns all known units by name.
	List(ctx context.Context) ([]Status, error)
}
