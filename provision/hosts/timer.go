package hosts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/provision"
)

// unitFolder is where systemd's units of the administrator are.
const unitFolder = "/etc/systemd/system"

// Timer is a program that systemd runs at times. It is no host.Unit, which is kept running.
type Timer struct {
	Host host.Machine
	// Name is that of both units, without jomctl-.
	Name, Description string
	// Argv begins with an absolute path and has no spaces, quotes, percent or dollar signs.
	Argv []string
	// OnCalendar is as systemd.timer(5) has it. Without it there is no timer, and the service can still be started by hand.
	OnCalendar string
}

// NewTimer is the timer as an item that is recorded on its host.
func NewTimer(t Timer, keeper *Keeper) provision.Item { return keeper.Keep(t.Host, t) }

// Title implements provision.Item.
func (t Timer) Title() string { return "timer " + t.Name + " on " + t.Host.Name() }

func (t Timer) path(kind string) string { return unitFolder + "/jomctl-" + t.Name + "." + kind }

// files are the units; the timer's is not among them where there is to be none.
func (t Timer) files() []provision.File {
	service := strings.Join([]string{"# Written by jomctl, which puts changes right.", "[Unit]", "Description=" + t.Description, "Wants=network-online.target", "After=network-online.target", "",
		"[Service]", "Type=oneshot", "ExecStart=" + strings.Join(t.Argv, " "), "Environment=LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"Nice=10", "IOSchedulingClass=idle", "TimeoutStartSec=12h", "KillSignal=SIGINT", "SyslogIdentifier=jomctl-" + t.Name, ""}, "\n")
	files := []provision.File{{Path: t.path("service"), Data: []byte(service), Mode: 0o644}}
	if t.OnCalendar == "" {
		return files
	}
	timer := strings.Join([]string{"# Written by jomctl, which puts changes right.", "[Unit]", "Description=" + t.Description, "", "[Timer]", "OnCalendar=" + t.OnCalendar,
		// A host that was off at the time makes up for it; many hosts with one repository do not all begin in the same second.
		"Persistent=true", "RandomizedDelaySec=5min", "", "[Install]", "WantedBy=timers.target", ""}, "\n")
	return append(files, provision.File{Path: t.path("timer"), Data: []byte(timer), Mode: 0o644})
}

// Probe implements provision.Item.
func (t Timer) Probe(ctx context.Context) (bool, []string, error) {
	var changes []string
	for _, file := range t.files() {
		data, err := t.Host.ReadFile(ctx, file.Path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, nil, err
		}
		if err != nil || string(data) != string(file.Data) {
			changes = append(changes, t.Host.Name()+": write "+file.Path)
		}
	}
	state, err := host.Ask(ctx, t.Host, "systemctl", "show", "-p", "ActiveState,UnitFileState", "jomctl-"+t.Name+".timer")
	if err != nil {
		return false, nil, fmt.Errorf("ask host %s for the timer of %s: %w", t.Host.Name(), t.Name, err)
	}
	runs := strings.Contains(state.Stdout, "ActiveState=active")
	switch enabled := strings.Contains(state.Stdout, "UnitFileState=enabled"); {
	case t.OnCalendar != "" && !(runs && enabled):
		changes = append(changes, t.Host.Name()+": start the timer of "+t.Name+", "+t.OnCalendar)
	case t.OnCalendar == "" && (runs || enabled):
		changes = append(changes, t.Host.Name()+": stop the timer of "+t.Name)
	}
	return len(changes) == 0, changes, nil
}

const timerScript = `timer=$1 wanted=$2
systemctl daemon-reload || exit 1
if [ "$wanted" = yes ]; then systemctl -q enable "$timer" && systemctl restart "$timer"; exit; fi
systemctl -q disable --now "$timer" 2>/dev/null
rm -f "/etc/systemd/system/$timer" && systemctl daemon-reload`

// Apply implements provision.Item.
func (t Timer) Apply(ctx context.Context) (bool, error) {
	done, _, err := t.Probe(ctx)
	if err != nil || done {
		return false, err
	}
	for _, file := range t.files() {
		if _, err := t.Host.WriteFile(ctx, file.Path, file.Data, file.Mode); err != nil {
			return true, err
		}
	}
	wanted := map[bool]string{true: "yes", false: "no"}[t.OnCalendar != ""]
	if _, err := t.Host.Run(ctx, "/bin/sh", "-c", timerScript, "jomctl-timer", "jomctl-"+t.Name+".timer", wanted); err != nil {
		return true, fmt.Errorf("set the timer of %s on host %s: %w", t.Name, t.Host.Name(), err)
	}
	return true, nil
}

func (t Timer) contents(context.Context) (contents, error) {
	c := contents{files: map[string]FileMark{}}
	for _, file := range t.files() {
		c.files[file.Path] = mark(file)
	}
	if t.OnCalendar == "" {
		c.gone = []string{t.path("timer")}
	}
	return c, nil
}

// endTimers stops the timers of a record and what they run, and has systemd forget them; their files go with the others.
func endTimers(ctx context.Context, m host.Machine, record *Record) error {
	for file := range record.Files {
		name, isTimer := strings.CutSuffix(strings.TrimPrefix(file, unitFolder+"/"), ".timer")
		service, isService := strings.CutSuffix(strings.TrimPrefix(file, unitFolder+"/"), ".service")
		if !isTimer && !isService || !strings.HasPrefix(file, unitFolder+"/jomctl-") {
			continue
		}
		unit := name + ".timer"
		if isService {
			unit = service + ".service"
		}
		const script = `systemctl -q disable --now "$1" 2>/dev/null; systemctl stop "$1" 2>/dev/null; rm -f "$2" && systemctl daemon-reload; systemctl reset-failed "$1" 2>/dev/null; exit 0`
		if _, err := m.Run(ctx, "/bin/sh", "-c", script, "jomctl-timer", unit, file); err != nil {
			return fmt.Errorf("end %s: %w", unit, err)
		}
	}
	return nil
}

// TimerFile is where a timer's service is, on a host that has it.
func TimerFile(name string) string { return Timer{Name: name}.path("service") }

// RemoveTimer is nil where a host that is not to have a timer has none; otherwise it takes it away.
func RemoveTimer(ctx context.Context, m host.Machine, keeper *Keeper, name string) error {
	t := Timer{Host: m, Name: name}
	gone := contents{gone: []string{t.path("timer"), t.path("service")}}
	record := &Record{Files: map[string]FileMark{t.path("timer"): {}, t.path("service"): {}}}
	if err := endTimers(ctx, m, record); err != nil {
		return err
	}
	_, err := keeper.change(ctx, m, func(r *Record) { r.add(gone) })
	return err
}
