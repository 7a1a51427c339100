package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/backup"
	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/op"
)

const (
	// rehearsalUnit is the transient unit of a rehearsal on a host, and the name of its container.
	rehearsalUnit = "jomctl-rehearsal"
	// rehearsalAtMost ends one whose jomctl is gone.
	rehearsalAtMost = 30 * time.Minute
	// rehearsalLook is how often a host is asked whether it runs.
	rehearsalLook = 2 * time.Second
)

// cleanRehearsal ends whatever rehearsal there is on a host, also of a jomctl that was killed, and removes the copies of the home.
const cleanRehearsal = `systemctl stop "$1.service" 2>/dev/null
systemctl reset-failed "$1.service" 2>/dev/null
if command -v docker >/dev/null; then docker rm --force "$1" >/dev/null 2>&1; fi
rm -rf -- "$2"/*/rehearsal`

// freePortThere is a port below those of tasks and of outgoing connections that nobody listens on.
const freePortThere = `for i in $(seq 200); do port=$((20000 + RANDOM % 10000)); (exec 3<>/dev/tcp/127.0.0.1/$port) 2>/dev/null || { echo $port; exit 0; }; done; exit 1`

// unit is a rehearsal on the host that has the home.
type unit struct {
	m      *host.Remote
	at     string
	log    string
	looked time.Time
}

// rehearseThere restores the backup beside the home and boots the new version on it: in a container of its image, or as a process.
func (u *Upgrade) rehearseThere(ctx context.Context, id string, say op.Say) (run rehearsal, clean func() error, err error) {
	clean = func() error { return nil }
	m, err := u.New.homeMachine(ctx)
	if err != nil {
		return nil, clean, err
	}
	around := config.UpgradesOf(u.New.controller().home)
	tidy := func(ctx context.Context) error {
		if _, err := m.Run(ctx, "bash", "-c", cleanRehearsal, "bash", rehearsalUnit, around); err != nil {
			return fmt.Errorf("removing the rehearsal from %s: %w", m.Name(), err)
		}
		return nil
	}
	if err := tidy(ctx); err != nil {
		return nil, clean, err
	}
	clean = func() error { // also when the run is told to stop
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		return tidy(ctx)
	}
	dir := filepath.Join(around, u.Store.State.Run, "rehearsal")
	if _, err := m.Run(ctx, "install", "-d", "-m", "0700", around, filepath.Dir(dir)); err != nil { // what is restored there are secrets
		return nil, clean, fmt.Errorf("making a folder for the rehearsal on %s: %w", m.Name(), err)
	}
	say("%s: restoring backup %s for the rehearsal", m.Name(), id[:8])
	if _, err := u.backups.ask(ctx, backup.Request{Verb: backup.VerbRestore, ID: id, To: filepath.Join(dir, "home")}); err != nil {
		return nil, clean, err
	}
	if err := m.Remove(ctx, filepath.Join(dir, "home", "queue.xml")); err != nil {
		return nil, clean, fmt.Errorf("shutting the rehearsal's queue: %w", err)
	}
	run, err = u.startThere(ctx, m, dir)
	return run, clean, err
}

func (u *Upgrade) startThere(ctx context.Context, m *host.Remote, dir string) (rehearsal, error) {
	out, err := m.Run(ctx, "bash", "-c", freePortThere)
	if err != nil {
		return nil, fmt.Errorf("finding a port for the rehearsal on %s: %w", m.Name(), err)
	}
	port := strings.TrimSpace(out.Stdout)
	r := &unit{m: m, at: "http://" + net.JoinHostPort(rehearsalHost, port), log: filepath.Join(dir, "log")}
	_, files, err := u.rehearsalOf(dir, r.at)
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		if _, err := m.WriteFile(ctx, file.Path, file.Data, file.Mode); err != nil {
			return nil, err
		}
	}
	c := u.New.controller()
	if owner := c.owner(); owner != "" { // what is in the home has its owners from the backup
		if _, err := m.Run(ctx, "find", dir, "-path", filepath.Join(dir, "home", "*"), "-prune", "-o", "-exec", "chown", owner, "{}", "+"); err != nil {
			return nil, fmt.Errorf("giving the rehearsal to the controller's user: %w", err)
		}
	}
	argv, err := c.rehearsalCommand(dir, port)
	if err != nil {
		return nil, err
	}
	if _, err := m.Run(ctx, append(rehearsalIn(dir, r.log, c.env.Cluster.Jenkins.App.Mem.MiB()), argv...)...); err != nil {
		return nil, fmt.Errorf("starting the rehearsal on %s: %w", m.Name(), err)
	}
	return r, nil
}

// rehearsalIn is the command that runs another one as a unit with bounds.
func rehearsalIn(dir, log string, memMiB int) []string {
	argv := []string{"systemd-run", "--quiet", "--unit=" + rehearsalUnit, "--description=Rehearsal of an upgrade of Jenkins"}
	for _, property := range []string{
		fmt.Sprintf("RuntimeMaxSec=%d", int(rehearsalAtMost.Seconds())), fmt.Sprintf("MemoryMax=%dM", memMiB), "Nice=10", "TimeoutStopSec=20",
		"WorkingDirectory=" + dir, "StandardOutput=append:" + log, "StandardError=append:" + log,
		`ExecStopPost=-/bin/sh -c "command -v docker >/dev/null && docker rm --force ` + rehearsalUnit + ` >/dev/null 2>&1"`,
	} {
		argv = append(argv, "--property="+property)
	}
	return argv
}

// rehearsalCommand is jomhome on a host: in a container as the controller's, or as a process as it.
func (c controller) rehearsalCommand(dir, port string) ([]string, error) {
	image, err := c.env.runs(c.env.wantsController())
	if err != nil {
		return nil, err
	}
	variables := []string{"HOST=" + rehearsalHost, "PORT0=" + port, "PORT1=0", "MESOS_SANDBOX=" + dir}
	command := []string{c.program("jomhome"), "run", "--config", filepath.Join(dir, "controller.json")}
	if image.Ref == "" {
		return append(append([]string{"env"}, variables...), command...), nil
	}
	mem := strconv.Itoa(c.env.Cluster.Jenkins.App.Mem.MiB()) + "m"
	argv := []string{"docker", "run", "--rm", "--name", rehearsalUnit, "--network", "host", "--memory", mem, "--memory-swap", mem, "--cpu-shares", "256", "--volume", dir + ":" + dir}
	for _, variable := range variables {
		argv = append(argv, "--env", variable)
	}
	for _, volume := range c.volumes() {
		if volume.Mode == "RO" {
			argv = append(argv, "--volume", volume.Path+":"+volume.Path+":ro")
		}
	}
	var quoted []string
	for _, word := range command {
		quoted = append(quoted, shellQuote(word))
	}
	return append(argv, "--entrypoint", "/bin/sh", image.Ref, "-c", "exec "+strings.Join(quoted, " ")), nil
}

func (r *unit) url() string { return r.at }

// dial leads through SSH to the host's own loopback address.
func (r *unit) dial() cluster.Dial { return r.m.Reach }

func (r *unit) ended(ctx context.Context) error {
	if time.Since(r.looked) < rehearsalLook {
		return nil
	}
	r.looked = time.Now()
	out, err := r.m.Run(ctx, "systemctl", "is-active", rehearsalUnit+".service")
	var exit *host.ExitError
	if err == nil || !errors.As(err, &exit) {
		return nil // a host that does not answer may still do so
	}
	return fmt.Errorf("it has ended (%s)", strings.TrimSpace(out.Stdout))
}

func (r *unit) said(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	text, err := r.m.ReadFile(ctx, r.log)
	if err != nil {
		return ""
	}
	return string(text)
}

func (r *unit) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, _ = r.m.Run(ctx, "systemctl", "stop", rehearsalUnit+".service") // the cleaning after it ends what is left, and says what cannot be ended
}
