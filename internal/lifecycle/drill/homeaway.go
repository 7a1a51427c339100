package drill

import (
	"context"
	"fmt"
	"time"

	"github.com/jomctl/jomctl/internal/pause"
)

// aside is what a home, or its local history, is called while a drill has it away.
const aside = ".jomctl-drill"

// homeAwayScript ends all processes of the task $1, and takes the home $2 and its local history $3 away before Marathon can begin anew. One that
// is aside already stays so.
const homeAwayScript = `for file in $(grep -lzxF -- "MESOS_TASK_ID=$1" /proc/[0-9]*/environ 2>/dev/null); do
	pid=${file#/proc/}; kill -s KILL "${pid%/environ}" 2>/dev/null
done
for path in "$2" "$3"; do
	[ -n "$path" ] && [ -e "$path" ] && [ ! -e "$path` + aside + `" ] || continue
	mv -T -- "$path" "$path` + aside + `" || exit 1
done`

// homeBackScript puts the home $1 and its local history $2 back. The history is the newer one's, as it has gone on; the home says that it belongs
// to it, so that its next start goes on with it. Where an earlier try was cut off, the newer home may have been set aside already.
const homeBackScript = `set -e
home=$1 history=$2
if [ -e "$home` + aside + `" ]; then
	if [ -e "$home/.jomctl/home.json" ]; then
		mkdir -p "$home` + aside + `/.jomctl"
		cp -p "$home/.jomctl/home.json" "$home` + aside + `/.jomctl/home.json"
	elif [ -n "$history" ] && [ -e "$history` + aside + `" ] && [ ! -e "$home` + aside + `.new/.jomctl/home.json" ]; then
		rm -rf -- "$history"; mv -T -- "$history` + aside + `" "$history"
	fi
	rm -rf -- "$home` + aside + `.new"
	[ ! -e "$home" ] || mv -T -- "$home" "$home` + aside + `.new"
	mv -T -- "$home` + aside + `" "$home"
fi
rm -rf -- "$home` + aside + `.new"
[ -z "$history" ] || { [ -e "$history" ] || [ ! -e "$history` + aside + `" ] || mv -T -- "$history` + aside + `" "$history"; rm -rf -- "$history` + aside + `"; }`

func (w *real) homeAway(ctx context.Context, i Injection) error {
	return w.sh(ctx, i.Host, homeAwayScript, i.Task, i.Path, i.To)
}

// homeBack stops the controller, puts its home back, and starts it.
func (w *real) homeBack(ctx context.Context, i Injection) error {
	scale := func(instances int) error {
		if _, err := w.env.Marathon.Scale(ctx, w.env.AppID(), instances, true); err != nil {
			return err
		}
		for {
			app, err := w.env.Marathon.App(ctx, w.env.AppID())
			if err == nil && app.Instances == instances && (instances > 0 || len(app.Current())+len(app.Outdated()) == 0) {
				return nil
			}
			if stop := pause.For(ctx, 200*time.Millisecond); stop != nil {
				return fmt.Errorf("waiting until the controller has %d instances: %w", instances, stop)
			}
		}
	}
	there := w.sh(ctx, i.Host, `[ -e "$1`+aside+`" ]`, i.Path) == nil
	if !there { // it was put back, or never taken away; a run that was cut off may have left the controller stopped
		return scale(1)
	}
	if err := scale(0); err != nil {
		return err
	}
	if err := w.gone(ctx, i.Host); err != nil {
		return err
	}
	if err := w.sh(ctx, i.Host, homeBackScript, i.Path, i.To); err != nil {
		return err
	}
	return scale(1)
}

// gone waits until nothing of the controller runs on a host: also its first process, which pushes what is left.
func (w *real) gone(ctx context.Context, name string) error {
	for {
		err := w.sh(ctx, name, `! grep -qlzxF -- "$1" /proc/[0-9]*/environ 2>/dev/null`, "MARATHON_APP_ID="+w.env.AppID())
		if err == nil {
			return nil
		}
		if stop := pause.For(ctx, 200*time.Millisecond); stop != nil {
			return fmt.Errorf("waiting until the controller on %s has ended: %w", name, stop)
		}
	}
}
