package host

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The places of a unit's files. The environment is a file of its own, as it may have secrets and everybody may read units.
const (
	unitFolder     = "/etc/systemd/system"
	unitPrefix     = "jomctl-"
	envFolder      = "/etc/jomctl"
	digestVariable = "JOMCTL_UNIT_DIGEST"
)

//go:embed systemd.sh
var systemdScript string

// Systemd are the units of a host with systemd: the services jomctl-NAME. Their programs write to the journal, and
// Unit.LogFile is not used. They are started with the host.
type Systemd struct {
	machine Machine
}

// NewSystemd returns the units of a machine, whose files and commands must be root's.
func NewSystemd(m Machine) *Systemd { return &Systemd{machine: m} }

func serviceName(name string) string { return unitPrefix + name + ".service" }
func unitPath(name string) string    { return unitFolder + "/" + serviceName(name) }
func envPath(name string) string     { return envFolder + "/" + name + ".env" }
func exitPath(name string) string    { return "/run/jomctl/" + name + ".exit" }

// JournalOf says where the log of a unit is, as Status.LogFile has it.
func JournalOf(name string) string { return "journalctl -u " + unitPrefix + name }

func (s *Systemd) errorf(name, verb string, err error) error {
	return fmt.Errorf("host %s: %s unit %s: %w", s.machine.Name(), verb, name, err)
}

// Apply writes the unit's files where they differ, and starts the program or starts it anew where what runs is not what
// the files say. Whatever Status calls a drift is put right.
func (s *Systemd) Apply(ctx context.Context, u Unit) (changed bool, err error) {
	files, err := renderUnit(u)
	if err != nil {
		return false, err
	}
	now, err := s.inspect(ctx, u.Name)
	if err != nil {
		return false, err
	}
	state := now[0]
	same := state.unitText == files.unit && state.envSum == sha256Text(files.env)
	runs := state.status.Active && state.runningDigest() == u.Digest()
	if same && runs && len(state.status.Drift) == 0 {
		return false, problem(state.status)
	}
	if _, err := s.machine.WriteFile(ctx, envPath(u.Name), []byte(files.env), 0o600); err != nil {
		return false, s.errorf(u.Name, "write", err)
	}
	if _, err := s.machine.WriteFile(ctx, unitPath(u.Name), []byte(files.unit), 0o644); err != nil {
		return true, s.errorf(u.Name, "write", err)
	}
	return true, s.start(ctx, u, same && runs && !state.altered)
}

const startScript = `service=$1 keep=$2
rm -rf "/etc/systemd/system/$service.d" "/run/systemd/system/$service.d" "/run/systemd/system/$service" || exit 1
systemctl daemon-reload || exit 1
systemctl is-enabled -q "$service" || systemctl enable -q "$service" || exit 1
[ "$keep" = yes ] && exit 0
rm -f "$3"
systemctl stop "$service" || exit 1
systemctl reset-failed "$service" 2>/dev/null # which also sets the count of restarts to 0, as restart does not always
systemctl start "$service"`

// start makes systemd know the files. A program that runs as they say goes on where keep is set.
func (s *Systemd) start(ctx context.Context, u Unit, keep bool) error {
	word := map[bool]string{true: "yes", false: "no"}[keep]
	_, startErr := s.machine.Run(ctx, "/bin/sh", "-c", startScript, "jomctl", serviceName(u.Name), word, exitPath(u.Name))
	now, err := s.inspect(ctx, u.Name)
	switch {
	case err != nil:
		return err
	case now[0].status.Problem != "":
		return s.errorf(u.Name, "start", problem(now[0].status))
	case startErr == nil && keep && now[0].runningDigest() != u.Digest():
		return s.start(ctx, u, false) // systemd started it between, from files that it had read before
	case startErr != nil && now[0].status.Active && ctx.Err() == nil && now[0].runningDigest() == u.Digest():
		return nil // the program ended while systemctl looked, and is started again as often as it takes
	case startErr != nil:
		return s.errorf(u.Name, "start", startErr)
	}
	return nil
}

// Status looks at the unit with one command. Its Since is exact to a second.
func (s *Systemd) Status(ctx context.Context, name string) (Status, error) {
	now, err := s.inspect(ctx, name)
	if err != nil {
		return Status{Name: name}, err
	}
	return now[0].status, nil
}

// List returns all jomctl-* services, with one command.
func (s *Systemd) List(ctx context.Context) ([]Status, error) {
	now, err := s.inspect(ctx)
	if err != nil {
		return nil, err
	}
	var all []Status
	for _, state := range now {
		if state.status.Digest != "" {
			all = append(all, state.status)
		}
	}
	return all, nil
}

// inspect looks at units, or at all where none is named.
func (s *Systemd) inspect(ctx context.Context, names ...string) ([]unitState, error) {
	for _, name := range names {
		if !unitName.MatchString(name) {
			return nil, fmt.Errorf("unit %q: the name must be made of a-z, 0-9 and -", name)
		}
	}
	out, err := Ask(ctx, s.machine, append([]string{"/bin/sh", "-c", systemdScript, "jomctl"}, names...)...)
	what := "look at unit " + strings.Join(names, ", ")
	if len(names) == 0 {
		what = "list units"
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	states, err := parseStates(out.Stdout)
	if err == nil && len(names) > 0 && len(states) != len(names) {
		err = fmt.Errorf("%d answers", len(states))
	}
	if err != nil {
		return nil, fmt.Errorf("host %s: %s: %w", s.machine.Name(), what, err)
	}
	return states, nil
}

// Stop ends the program. The unit stays enabled, so it also comes back when the host is started again.
func (s *Systemd) Stop(ctx context.Context, name string) error {
	if !unitName.MatchString(name) {
		return fmt.Errorf("unit %q: the name must be made of a-z, 0-9 and -", name)
	}
	_, err := s.machine.Run(ctx, "/bin/sh", "-c", `[ ! -e "$2" ] || systemctl stop "$1"`, "jomctl", serviceName(name), unitPath(name))
	if err != nil {
		return s.errorf(name, "stop", err)
	}
	return nil
}

const removeScript = `service=$1 unit=$2 env=$3 recorded=$4
[ -e "$unit" ] || [ -L "$unit" ] || [ -e "$env" ] || exit 0
systemctl disable -q --now "$service" 2>/dev/null || systemctl stop "$service" || exit 1
rm -rf "$unit" "$unit.d" "$env" "$recorded" || exit 1
rm -f "/run/systemd/system/$service" "/etc/systemd/system/multi-user.target.wants/$service" || exit 1
systemctl daemon-reload || exit 1
systemctl reset-failed "$service" 2>/dev/null
exit 0`

// Remove stops the unit and deletes its files. The journal stays.
func (s *Systemd) Remove(ctx context.Context, name string) error {
	if !unitName.MatchString(name) {
		return fmt.Errorf("unit %q: the name must be made of a-z, 0-9 and -", name)
	}
	if _, err := s.machine.Run(ctx, "/bin/sh", "-c", removeScript, "jomctl", serviceName(name), unitPath(name), envPath(name), exitPath(name)); err != nil {
		return s.errorf(name, "remove", err)
	}
	return nil
}

// ForeignUnits are the services that the packages of ZooKeeper, Mesos, Marathon and HAProxy bring, which jomctl masks
// because it runs the programs by units of its own.
func ForeignUnits() []string {
	return []string{"zookeeper", "mesos-master", "mesos-slave", "mesos-agent", "marathon", "haproxy"}
}

const maskScript = `verb=$1; shift
changed=no
for unit in "$@"; do
	state=$(systemctl is-enabled "$unit.service" 2>/dev/null)
	case $verb:$state in
		mask:masked | unmask:enabled | unmask:disabled | unmask:static | unmask:) continue ;;
		unmask:masked* | mask:*) ;;
		*) continue ;;
	esac
	if [ "$verb" = mask ]; then
		systemctl stop "$unit.service" 2>/dev/null
		if [ -f "/etc/systemd/system/$unit.service" ] && [ ! -L "/etc/systemd/system/$unit.service" ]; then
			echo "/etc/systemd/system/$unit.service was written by hand and keeps $unit from being masked: move it away" >&2
			exit 1
		fi
	fi
	systemctl -q "$verb" "$unit.service" 2>/dev/null || systemctl "$verb" "$unit.service" || exit 1
	changed=yes
done
echo "$changed"`

// Mask stops services that are not jomctl's and keeps everything from starting them, also when they are only installed
// later. Names are without .service.
func (s *Systemd) Mask(ctx context.Context, names ...string) (changed bool, err error) {
	return s.mask(ctx, "mask", names)
}

// Unmask takes Mask back. It starts nothing.
func (s *Systemd) Unmask(ctx context.Context, names ...string) (changed bool, err error) {
	return s.mask(ctx, "unmask", names)
}

func (s *Systemd) mask(ctx context.Context, verb string, names []string) (bool, error) {
	for _, name := range names {
		if !unitName.MatchString(name) || strings.HasPrefix(name, unitPrefix) {
			return false, fmt.Errorf("%s unit %q: not the name of a service of others", verb, name)
		}
	}
	out, err := s.machine.Run(ctx, append([]string{"/bin/sh", "-c", maskScript, "jomctl", verb}, names...)...)
	if err != nil {
		return false, s.errorf(strings.Join(names, ", "), verb, err)
	}
	return strings.TrimSpace(out.Stdout) == "yes", nil
}

// Journal returns the last lines that a unit wrote, oldest first, each with its time. A unit that never ran has none.
func (s *Systemd) Journal(ctx context.Context, name string, lines int) (string, error) {
	out, err := s.machine.Run(ctx, "journalctl", "-q", "--no-pager", "-o", "short-iso", "-u", serviceName(name), "-n", strconv.Itoa(lines))
	if err != nil {
		return "", s.errorf(name, "read the journal of", err)
	}
	return out.Stdout, nil
}

// seconds renders a time for systemd, where 0 would mean without end.
func seconds(d time.Duration) string {
	return strconv.FormatInt(max(d.Milliseconds(), 1), 10) + "ms"
}
