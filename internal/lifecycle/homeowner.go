package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/op"
)

// What a host has at the home's path, for a controller that does not run as root.
const (
	homeHistory = "history" // the folder of its history is missing, or another user's
	homeMissing = "missing"
	homeEmpty   = "empty"
	homeReady   = "ready"   // all of it is the user's
	homeOurs    = "ours"    // another user's, and kept by a controller of jomctl
	homeForeign = "foreign" // another user's, and nobody knows whose
)

// lookAtHome looks three levels deep: what lies deeper was made by whoever made those.
const lookAtHome = `home=$1 user=$2
[ -z "$3" ] || [ "$(stat -c %u "$3" 2>/dev/null)" = "$user" ] || { echo history; exit 0; }
[ -e "$home" ] || { echo missing; exit 0; }
[ "$(ls -A "$home" | head -c 1)" ] || { [ "$(stat -c %u "$home")" = "$user" ] && echo ready || echo empty; exit 0; }
other=$(find "$home" -maxdepth 3 ! -uid "$user" -printf '%U %p\n' -quit)
[ "$other" ] || { echo ready; exit 0; }
if [ -e "$home/.jomctl/owner" ]; then echo "ours $other"; else echo "foreign $other"; fi`

// historyDir is where jomhome keeps the history on a host, "" where it keeps none.
func (c controller) historyDir() string {
	if kept := c.history(); kept != nil {
		return kept.State
	}
	return ""
}

// homeState is one of the words above, and an example of what is another's: its user and its path.
func (c controller) homeState(ctx context.Context, m host.Machine) (state, user, path string, err error) {
	out, err := host.Ask(ctx, m, "sh", "-c", lookAtHome, "sh", c.home, strconv.Itoa(c.user()), c.historyDir())
	if err != nil {
		return "", "", "", fmt.Errorf("look at the home on host %s: %w", m.Name(), err)
	}
	state, rest, _ := strings.Cut(strings.TrimSpace(out.Stdout), " ")
	user, path, _ = strings.Cut(rest, " ")
	return state, user, path, nil
}

// homeSteps give the home to the user that the controller runs as; none where that is root.
func (e *Env) homeSteps() []op.Step {
	key := e.wantsController()
	if key == "" {
		return nil
	}
	if image, err := e.runs(key); key != madeController && err == nil && image.User == 0 {
		return nil
	}
	return []op.Step{e.homeOwnerStep()}
}

func (e *Env) homeOwnerStep() op.Step {
	c := e.controller()
	look := func(ctx context.Context) (done bool, lines []string, err error) {
		done = true
		for _, m := range c.on {
			state, user, path, err := c.homeState(ctx, m)
			if err != nil {
				return false, lines, err
			}
			done = done && state == homeReady
			switch state {
			case homeHistory:
				lines = append(lines, fmt.Sprintf("%s: make %s, for the user %d", m.Name(), c.historyDir(), c.user()))
			case homeMissing, homeEmpty:
				lines = append(lines, fmt.Sprintf("%s: make %s, for the user %d", m.Name(), c.home, c.user()))
			case homeOurs:
				lines = append(lines, fmt.Sprintf("%s: stop the controller, and give %s with all that is in it to the user %d, as which it will run (now: user %s, %s)", m.Name(), c.home, c.user(), user, path))
			case homeForeign:
				lines = append(lines, c.foreign(m, user, path).Problem)
			}
		}
		return done, lines, nil
	}
	return op.Step{ID: "controller-home", Title: "Home can be written by the controller's user", Budget: e.controllerBudget(0),
		Probe: func(ctx context.Context) (op.State, error) {
			if !e.own.known() {
				return op.Later, nil
			}
			if !c.selfContained() {
				return op.Done, nil
			}
			done, _, err := look(ctx)
			return op.NeededUnless(done), err
		},
		Changes: func(ctx context.Context) []string {
			_, lines, _ := look(ctx) // the probe has said what is wrong
			return lines
		},
		Do: func(ctx context.Context, say op.Say) error {
			for _, m := range c.on {
				if err := e.giveHome(ctx, c, m, say); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func (c controller) foreign(m host.Machine, user, path string) *Refusal {
	return &Refusal{
		Problem: fmt.Sprintf("the home %s on %s is not this cluster's: %s belongs to the user %s, no controller of jomctl has kept it, and the controller runs as the user %d", c.home, m.Name(), path, user, c.user()),
		Fix:     fmt.Sprintf("if it is to be this cluster's, `chown -R %s %s` on %s, then once more; if not, name another folder in jenkins.home.path", c.owner(), c.home, m.Name()),
	}
}

// giveHome makes the home the user's. A home of this cluster that has been another user's is given over while nobody works on it; what
// nobody knows the owner of is left alone.
func (e *Env) giveHome(ctx context.Context, c controller, m host.Machine, say op.Say) error {
	if !c.selfContained() {
		return nil
	}
	if dir := c.historyDir(); dir != "" { // all of it is ours, and can be made anew
		if _, err := m.Run(ctx, "sh", "-c", `mkdir -p "$1" && chown -R --no-dereference "$2" -- "$1"`, "sh", dir, c.owner()); err != nil {
			return fmt.Errorf("give the history of the home to the controller's user: %w", err)
		}
	}
	state, user, path, err := c.homeState(ctx, m)
	if err != nil {
		return err
	}
	argv := []string{"chown", c.owner(), "--", c.home}
	switch state {
	case homeReady:
		return nil
	case homeForeign:
		return c.foreign(m, user, path)
	case homeMissing:
		if err := m.MkdirAll(ctx, c.home, 0o755); err != nil {
			return &Refusal{Problem: fmt.Sprintf("making the home: %v", err), Fix: "set jenkins.home.path to a folder that can be written to"}
		}
	case homeOurs:
		if err := e.suspend(ctx, say); err != nil {
			return err
		}
		say("giving %s to the user %d", c.home, c.user())
		argv = []string{"chown", "-R", "--no-dereference", c.owner(), "--", c.home}
	}
	if _, err := m.Run(ctx, argv...); err != nil {
		return &Refusal{Problem: fmt.Sprintf("give the home to the controller's user: %v", err),
			Fix: fmt.Sprintf("a network file system may not let root do that: `chown -R %s %s` where it is kept", c.owner(), c.home)}
	}
	return nil
}

// suspend ends the controller, where one is deployed.
func (e *Env) suspend(ctx context.Context, say op.Say) error {
	app, err := e.Marathon.App(ctx, e.AppID())
	if errors.Is(err, cluster.ErrNotFound) {
		return nil
	}
	if err != nil || len(app.Tasks) == 0 && app.Instances == 0 {
		return err
	}
	say("stopping the controller")
	if err := e.settle(ctx, say); err != nil {
		return err
	}
	deployed, err := e.Marathon.Scale(ctx, e.AppID(), 0, false)
	if err != nil {
		return err
	}
	return e.awaitDeployed(ctx, deployed.Version, stuckAfter, say)
}
