package drill

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/pause"
)

// controllerScript finds the controllers whose environment has the line $1: what a jomhome has started and is neither its watchdog nor
// a program of the home's history, as $found.
const controllerScript = `found=
for file in $(grep -lzxF -- "$1" /proc/[0-9]*/environ 2>/dev/null); do
	pid=${file#/proc/}; pid=${pid%/environ}
	parent=$(sed -n 's/^PPid:[^0-9]*//p' /proc/$pid/status 2>/dev/null)
	case "$(tr '\0' ' ' <"/proc/${parent:-0}/cmdline" 2>/dev/null)" in *jomhome*' run '*) ;; *) continue ;; esac
	case "$(cat "/proc/$pid/comm" 2>/dev/null)" in jomhome | git* | restic | '') continue ;; esac
	found="$found $pid"
done
`

const signalController = controllerScript + `[ -n "$found" ] || { echo "the controller does not run here" >&2; exit 1; }
kill -s "$2" $found`

// continueController is for an undo: a controller that is not there any more needs none.
const continueController = controllerScript + `[ -z "$found" ] || kill -s CONT $found 2>/dev/null || true`

// killTask ends whatever carries the task's id. It is tried twice, as a process may just be starting another one.
const killTask = `none=1
for turn in 1 2; do
	for file in $(grep -lzxF -e "MESOS_EXECUTOR_ID=$1" -e "MESOS_TASK_ID=$1" /proc/[0-9]*/environ 2>/dev/null); do
		pid=${file#/proc/}; kill -s KILL "${pid%/environ}" 2>/dev/null && none=0
	done
done
exit $none`

func (w *real) run(ctx context.Context, name string, argv ...string) error {
	m, err := w.machine(name)
	if err != nil {
		return err
	}
	_, err = m.Run(ctx, argv...)
	return err
}

func (w *real) sh(ctx context.Context, name, script string, args ...string) error {
	return w.run(ctx, name, append([]string{"/bin/sh", "-c", script, "jomctl"}, args...)...)
}

// Inject makes a fault.
func (w *real) Inject(ctx context.Context, i Injection) error {
	switch i.Kind {
	case KillUnit:
		return w.signal(ctx, i, "KILL")
	case StopUnit:
		return w.signal(ctx, i, "STOP")
	case KillController:
		return w.sh(ctx, i.Host, signalController, "MESOS_TASK_ID="+i.Task, "KILL")
	case StopController:
		return w.sh(ctx, i.Host, signalController, "MESOS_TASK_ID="+i.Task, "STOP")
	case KillTask:
		return w.sh(ctx, i.Host, killTask, i.Task)
	case PowerOff:
		return w.powerOff(ctx, i.Host)
	case Cut:
		return w.cut(ctx, i)
	case Move:
		return w.move(ctx, i.Host, i.Path, i.To)
	case HomeAway:
		return w.homeAway(ctx, i)
	case FillDisk:
		return w.sh(ctx, i.Host, fillDisk, i.Path)
	case Command:
		return w.Command(ctx, i.Host, i.Command)
	}
	return fmt.Errorf("unknown fault %q", i.Kind)
}

// Undo takes a fault back; what is not there is taken back.
func (w *real) Undo(ctx context.Context, i Injection) error {
	switch i.Kind {
	case StopUnit:
		err := w.signal(ctx, i, "CONT")
		if errors.Is(err, errGone) {
			return nil
		}
		return err
	case StopController:
		return w.sh(ctx, i.Host, continueController, "MESOS_TASK_ID="+i.Task)
	case PowerOff:
		return w.powerOn(ctx, i.Host)
	case Cut:
		return w.mend(ctx, i.Host)
	case Move:
		return w.move(ctx, i.Host, i.To, i.Path)
	case HomeAway:
		return w.homeBack(ctx, i)
	case FillDisk:
		return w.sh(ctx, i.Host, `rm -f -- "$1/.jomctl-drill-ballast"`, i.Path)
	case Command:
		if i.Undo == "" {
			return nil
		}
		return w.Command(ctx, i.Host, i.Undo)
	}
	return nil
}

func (w *real) signal(ctx context.Context, i Injection, signal string) error {
	m, err := w.machine(i.Host)
	if err != nil {
		return err
	}
	status, err := m.Units().Status(ctx, i.Unit)
	if err != nil {
		return err
	}
	if !status.Running || status.PID <= 1 {
		return fmt.Errorf("%s on %s: %w", i.Unit, i.Host, errGone)
	}
	_, err = m.Run(ctx, "/bin/kill", "-s", signal, strconv.Itoa(status.PID))
	return err
}

// powered is a host of target local.
type powered interface {
	PowerOff(ctx context.Context) error
	PowerOn(ctx context.Context) error
}

var _ powered = (*host.Local)(nil)

func (w *real) powerOff(ctx context.Context, name string) error { return w.switched(ctx, name, false) }

func (w *real) powerOn(ctx context.Context, name string) error {
	if err := w.switched(ctx, name, true); err != nil || w.local() {
		return err
	}
	m, err := w.machine(name)
	if err != nil {
		return err
	}
	for {
		asked, cancel := context.WithTimeout(ctx, perHost)
		_, err := host.Ask(asked, m, "true")
		cancel()
		if err == nil {
			return nil
		}
		if stop := pause.For(ctx, time.Second); stop != nil {
			return fmt.Errorf("%s does not come up: %w", name, err)
		}
	}
}

func (w *real) switched(ctx context.Context, name string, on bool) error {
	m, err := w.machine(name)
	if err != nil {
		return err
	}
	if local, ok := m.(powered); ok {
		if on {
			return local.PowerOn(ctx)
		}
		return local.PowerOff(ctx)
	}
	command := w.power.Off
	if on {
		command = w.power.On
	}
	if command == "" {
		return errors.New(w.canPower())
	}
	return w.here(ctx, command, map[string]string{"HOST": name, "ADDRESS": m.Address()})
}

// moveScript moves $1 to $2 and never onto something that is there; where only $2 is there it is done already.
const moveScript = `[ -e "$1" ] || { [ -e "$2" ] && exit 0; echo "$1 is not there" >&2; exit 1; }
[ ! -e "$2" ] || { echo "$2 is there already" >&2; exit 1; }
mv -T -- "$1" "$2"`

func (w *real) move(ctx context.Context, on, from, to string) error {
	if on == "" {
		return w.here(ctx, moveHere, map[string]string{"FROM": from, "TO": to})
	}
	return w.sh(ctx, on, moveScript, from, to)
}

const moveHere = `set -- "$FROM" "$TO"
` + moveScript

// fillDisk leaves nothing free for users that are not root, and at most a block for root.
const fillDisk = `file=$1/.jomctl-drill-ballast
free=$(df --output=avail -B1 "$1" | tail -n 1)
fallocate -l "$free" "$file" 2>/dev/null
dd if=/dev/zero of="$file" oflag=append conv=notrunc bs=64k 2>/dev/null
true`

const (
	filterTable = "jomctl_drill"
	filterChain = "JOMCTL-DRILL"
	undoTimer   = "jomctl-drill-undo"
)

// mendScript takes the rules away, whichever program made them. It is also what the host does by itself when the time is up.
const mendScript = `PATH=$PATH:/usr/sbin:/sbin
if command -v nft >/dev/null 2>&1; then nft delete table inet ` + filterTable + ` 2>/dev/null; fi
for program in iptables ip6tables; do
	command -v $program >/dev/null 2>&1 || continue
	for chain in INPUT OUTPUT FORWARD; do
		while $program -w -D $chain -j ` + filterChain + ` 2>/dev/null; do :; done
	done
	$program -w -F ` + filterChain + ` 2>/dev/null; $program -w -X ` + filterChain + ` 2>/dev/null
done
true`

// cutScript sets the timer that mends first ($1 seconds, $2 the mending), then drops everything from and to the addresses that follow; where
// $3 is a TCP port and not 0, what goes to that port of theirs and comes from it.
const cutScript = `PATH=$PATH:/usr/sbin:/sbin
limit=$1 mend=$2 port=$3; shift 3
from= to= tcp=
[ "$port" = 0 ] || { from="tcp sport $port" to="tcp dport $port" tcp="-p tcp"; }
systemctl stop ` + undoTimer + `.timer ` + undoTimer + `.service 2>/dev/null
systemctl reset-failed ` + undoTimer + `.service 2>/dev/null
systemd-run --quiet --collect --unit=` + undoTimer + ` --on-active="$limit" --timer-property=AccuracySec=1s /bin/sh -c "$mend" || exit 1
if command -v nft >/dev/null 2>&1; then
	{
		echo "table inet ` + filterTable + ` {"
		for hook in input output forward; do
			echo "chain $hook { type filter hook $hook priority -300; policy accept;"
			for peer in "$@"; do
				family=ip; case $peer in *:*) family=ip6 ;; esac
				echo "$family saddr $peer $from drop; $family daddr $peer $to drop;"
			done
			echo "}"
		done
		echo "}"
	} | nft -f - || exit 1
	exit 0
fi
for program in iptables ip6tables; do
	command -v $program >/dev/null 2>&1 || continue
	if ! $program -w -N ` + filterChain + ` 2>/dev/null && ! $program -w -F ` + filterChain + `; then
		# A kernel may lack a family, which matters only where a peer is of it.
		for peer in "$@"; do
			case $program:$peer in iptables:*:* ) ;; iptables:* | ip6tables:*:*) exit 1 ;; esac
		done
		continue
	fi
	for peer in "$@"; do
		case $program:$peer in iptables:*:* ) continue ;; ip6tables:*:*) ;; ip6tables:*) continue ;; esac
		$program -w -A ` + filterChain + ` -s "$peer" ${tcp:+$tcp --sport $port} -j DROP || exit 1
		$program -w -A ` + filterChain + ` -d "$peer" ${tcp:+$tcp --dport $port} -j DROP || exit 1
	done
	for chain in INPUT OUTPUT FORWARD; do
		$program -w -C $chain -j ` + filterChain + ` 2>/dev/null || $program -w -I $chain -j ` + filterChain + ` || exit 1
	done
done`

func (w *real) cut(ctx context.Context, i Injection) error {
	if len(i.Peers) == 0 {
		return errors.New("there is nothing to cut it from")
	}
	args := append([]string{strconv.Itoa(int(i.Limit.Seconds())), mendScript, strconv.Itoa(i.Port)}, i.Peers...)
	return w.sh(ctx, i.Host, cutScript, args...)
}

// mend tries for a while: what was cut off may be slow to hear.
func (w *real) mend(ctx context.Context, name string) error {
	return w.sh(ctx, name, mendScript+`
systemctl stop `+undoTimer+`.timer `+undoTimer+`.service 2>/dev/null
true`)
}

// canCut says why the controller's host cannot be cut off.
func (w *real) canCut(ctx context.Context, name string) string {
	if w.local() {
		return "the hosts of target local share one loopback network, so that no packet filter can tell them apart"
	}
	m, err := w.machine(name)
	if err != nil {
		return "it is not known where the controller is"
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if why, known := w.cuts[name]; known {
		return why
	}
	ctx, cancel := context.WithTimeout(ctx, perHost)
	defer cancel()
	out, err := host.Ask(ctx, m, "/bin/sh", "-c", `PATH=$PATH:/usr/sbin:/sbin; command -v nft || command -v iptables || echo none; command -v systemd-run || echo no-timer`)
	why := ""
	switch {
	case err != nil:
		return fmt.Sprintf("%s does not answer: %v", name, err)
	case strings.Contains(out.Stdout, "none\n"):
		why = "neither nft nor iptables is on " + name + " (apt-get install nftables)"
	case strings.Contains(out.Stdout, "no-timer"):
		why = "there is no systemd-run on " + name + ", which would take the cut away if jomctl did not come back"
	}
	w.cuts[name] = why
	return why
}
