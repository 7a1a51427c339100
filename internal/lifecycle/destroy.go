package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jomctl/jomctl/internal/backup"
	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/lifecycle/inventory"
	runprogress "github.com/jomctl/jomctl/internal/lifecycle/progress"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/wholefile"
	"github.com/jomctl/jomctl/provision"
)

// DestroyOptions say what goes besides what jomctl has installed.
type DestroyOptions struct {
	// Home is the path of the home, which goes only when it is named. On target local it goes with the state folder.
	Home string
}

// Destroy is the plan that stops exactly what was started and removes it. What the user keeps: cluster.yaml, journals and
// logs, and a home that lies outside the state folder.
func Destroy(e *Env, opts DestroyOptions) op.Plan {
	if e.own != nil {
		return e.destroyHosts(opts)
	}
	var stop []op.Stage
	for _, role := range []string{provision.RoleEdge, provision.RoleMarathon, provision.RoleMesosAgent, provision.RoleMesosMaster, provision.RoleZooKeeper} {
		var steps []op.Step
		for _, s := range e.Fleet.Services(role) {
			steps = append(steps, removeStep(s))
		}
		stop = append(stop, op.Stage{Name: "Stop " + role, Parallel: true, Steps: steps})
	}
	stages := []op.Stage{{Name: "Controller", Steps: []op.Step{e.deleteAppStep()}}}
	stages = append(stages, stop...)
	stages = append(stages, e.leftoverStages()...)
	return op.Plan{Verb: "destroy", Stages: append(stages, op.Stage{Name: "Clean up", Steps: []op.Step{
		e.reapStep(),
		e.filesGoneStep(opts),
	}})}
}

// KeptHome is the home that a destroy leaves alone, empty when it goes with the rest.
func (e *Env) KeptHome() string {
	home := e.controller().home
	if e.own != nil {
		return home
	}
	if rel, err := filepath.Rel(e.Cluster.StateDir(), home); err == nil && !strings.HasPrefix(rel, "..") {
		return ""
	}
	return home
}

// deleteAppStep lets the controller end as it should while there is a Marathon that can tell it. Without one the steps
// after it end it all the same.
func (e *Env) deleteAppStep() op.Step {
	m := e.Marathon
	m.Patience = time.Millisecond
	skip := false
	gone := func(ctx context.Context) error {
		_, err := m.App(ctx, e.AppID())
		if errors.Is(err, cluster.ErrNotFound) {
			return e.noTasks(ctx)
		}
		if err != nil {
			return fmt.Errorf("Marathon is not there to be asked: %w", err)
		}
		return errors.New("the controller's app is still there")
	}
	return op.Step{ID: "controller-app", Title: "Controller " + e.AppID() + " stopped", Budget: time.Minute,
		Probe: func(ctx context.Context) (op.State, error) {
			if skip || !e.anyActive(ctx, provision.RoleMarathon) {
				return op.Done, nil
			}
			return op.NeededUnless(gone(ctx) == nil), nil
		},
		Changes: func(context.Context) []string {
			return []string{"delete " + e.AppID() + " and wait until its task has ended"}
		},
		Do: func(ctx context.Context, say op.Say) error {
			defer func() { skip = true }()
			limited, cancel := context.WithTimeout(ctx, 45*time.Second)
			defer cancel()
			if err := m.Delete(limited, e.AppID()); err != nil && !errors.Is(err, cluster.ErrNotFound) {
				say("Marathon cannot stop the controller (%v): it is ended with its host", err)
				return ctx.Err()
			}
			if err := wait(limited, say, gone); err != nil {
				say("the controller does not end (%v): it is ended with its host", err)
			}
			return ctx.Err()
		},
	}
}

// noTasks is nil when no task of the controller's app runs any more.
func (e *Env) noTasks(ctx context.Context) error {
	m := e.Mesos
	m.Patience = time.Millisecond
	state, err := m.State(ctx)
	if err != nil {
		return err
	}
	prefix := strings.ReplaceAll(strings.TrimPrefix(e.AppID(), "/"), "/", "_") + "."
	for _, framework := range state.Frameworks {
		for _, task := range framework.Tasks {
			if strings.HasPrefix(task.ID, prefix) {
				return fmt.Errorf("task %s is %s", task.ID, task.State)
			}
		}
	}
	return nil
}

func (e *Env) anyActive(ctx context.Context, role string) bool {
	return slices.ContainsFunc(e.Fleet.Services(role), func(s provision.Service) bool {
		status, err := s.Host.Units().Status(ctx, s.Unit.Name)
		return err == nil && status.Active
	})
}

func removeStep(s provision.Service) op.Step {
	return op.Step{ID: s.Role + "-" + s.Host.Name(), Title: s.Title() + " stopped", Budget: time.Minute,
		Probe: func(ctx context.Context) (op.State, error) {
			units, err := s.Host.Units().List(ctx)
			return op.NeededUnless(!slices.ContainsFunc(units, func(u host.Status) bool { return u.Name == s.Unit.Name })), err
		},
		Changes: func(context.Context) []string { return []string{"stop " + s.Title() + " and remove its data"} },
		Do:      func(ctx context.Context, _ op.Say) error { return s.Remove(ctx) },
	}
}

// reapStep ends what Mesos agents have left behind: executors live on when their agent goes.
func (e *Env) reapStep() op.Step {
	done := false
	return op.Step{ID: "left-over-tasks", Title: "No task left over", Budget: time.Minute,
		Probe: func(context.Context) (op.State, error) {
			_, err := os.Stat(e.hostsDir())
			return op.NeededUnless(done || errors.Is(err, fs.ErrNotExist)), nil
		},
		Changes: func(context.Context) []string {
			return []string{"end every task whose sandbox is below " + e.hostsDir()}
		},
		Do: func(ctx context.Context, say op.Say) error {
			reaped, err := host.ReapUnder(ctx, e.hostsDir())
			if err != nil {
				return err
			}
			if len(reaped) > 0 {
				say("ended %d left-over processes", len(reaped))
			}
			done = true
			return nil
		},
	}
}

// partsOfHome are the files of the home that upgrades on this machine have kept for a way back. Their reports stay.
func (e *Env) partsOfHome() (paths []string) {
	runs, _ := os.ReadDir(UpgradeDir(e.Cluster)) // none where there is no such folder
	for _, run := range runs {
		if run.IsDir() {
			paths = append(paths, backup.Left{Folder: filepath.Join(UpgradeDir(e.Cluster), run.Name())}.Paths()...)
		}
	}
	return paths
}

func (e *Env) hostsDir() string { return filepath.Join(e.Cluster.StateDir(), "hosts") }

// homesAt are a home on this machine, and what restores and upgrades have kept beside it.
func homesAt(home string) []string {
	paths := []string{home}
	beside, _ := os.ReadDir(filepath.Dir(home)) // where the folder is gone, so is everything in it
	for _, entry := range beside {
		if at := filepath.Join(filepath.Dir(home), entry.Name()); config.GoesWithHome(home, at) {
			paths = append(paths, at)
		}
	}
	return paths
}

// emptyBehindLink removes what is in the folder that a home's path is a link to. The folder stays: somebody has made it, or it is a disk.
func emptyBehindLink(home string) error {
	info, err := os.Lstat(home)
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		return nil // there is none, or it goes itself
	}
	if err := wholefile.Empty(home); !errors.Is(err, fs.ErrNotExist) { // which is a link that leads nowhere
		return err
	}
	return nil
}

// filesGoneStep removes what installing has made in the state folder, and nothing else.
func (e *Env) filesGoneStep(opts DestroyOptions) op.Step {
	keepsHome := e.KeptHome() != opts.Home
	state := e.Cluster.StateDir()
	paths := []string{e.hostsDir(), filepath.Join(state, "shared"), e.proofFile(), imageFile(e.Cluster)}
	generated := e.Cluster.Generated()
	if keepsHome { // the account in a home that stays has the admin's password
		generated = generated[1:]
	} else {
		paths = append(paths, filepath.Join(state, "secrets", "admin.hash"))
		paths = append(paths, e.partsOfHome()...)
		if e.own == nil && opts.Home != "" {
			paths = append(paths, homesAt(opts.Home)...)
		}
	}
	for _, secret := range generated {
		if secret == e.Cluster.Jenkins.Home.MasterKey { // backups, which stay, cannot be opened without it
			continue
		}
		if path, isFile := secret.Path(e.Cluster); isFile && filepath.Dir(path) == filepath.Join(state, "secrets") {
			paths = append(paths, path)
		}
	}
	// A cluster that is gone is not half-way through an upgrade, nor has the next one in this folder what this one was proven with.
	paths = append(paths, runprogress.File(UpgradeDir(e.Cluster)), runprogress.File(PlatformDir(e.Cluster)))
	paths = append(paths, record.IDFile(e.Cluster), record.ControlChangeFile(state), record.InstalledFile(state)) // last, as a destroy goes by them
	if e.Cluster.HostsFrom != nil {
		paths = append(paths, inventory.File(e.Cluster))
	}
	secrets := filepath.Join(state, "secrets") // it goes when nothing of the user is in it
	left := func() []string {
		left := record.Present(paths)
		if inside, err := os.ReadDir(secrets); err == nil && len(inside) == 0 {
			left = append(left, secrets)
		}
		return left
	}
	return op.Step{ID: "files", Title: "Files removed",
		Probe:   func(context.Context) (op.State, error) { return op.NeededUnless(len(left()) == 0), nil },
		Changes: func(context.Context) []string { return record.Removals(left()) },
		Do: func(context.Context, op.Say) error {
			if e.own == nil {
				if err := emptyBehindLink(opts.Home); err != nil {
					return err
				}
			}
			for _, path := range paths {
				err := os.RemoveAll(path)
				if err != nil && (path != opts.Home || !errors.Is(err, syscall.EBUSY)) { // a folder that something is mounted on is emptied, and stays
					return err
				}
			}
			// A link that somebody has put in its place is no empty folder.
			if err := syscall.Rmdir(secrets); err != nil && !errors.Is(err, fs.ErrNotExist) && err != syscall.ENOTEMPTY && err != syscall.ENOTDIR { //nolint:errorlint // an errno
				return fmt.Errorf("removing %s: %w", secrets, err)
			}
			return nil
		},
	}
}
