package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/jenkins"
	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
)

// goneBudget is how long the parts of a controller that was stopped may take to be gone.
const goneBudget = time.Minute

// Stop suspends the app and proves that no controller is left: Marathon has no task, nobody owns the home.
func (u *Upgrade) Stop(ctx context.Context, say op.Say) error {
	e := u.Old
	for _, side := range []upgrade.Side{upgrade.New, upgrade.Old} {
		_, _ = u.prepared(side) // what can be worked out while a controller serves; Deploy tells what stands against it
	}
	deployed, err := e.Marathon.Scale(ctx, e.AppID(), 0, true)
	if err != nil {
		return err
	}
	if err := e.awaitDeployed(ctx, deployed.Version, stuckAfter, say); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, goneBudget)
	defer cancel()
	return wait(ctx, say, func(ctx context.Context) error {
		app, err := e.Marathon.App(ctx, e.AppID())
		if err != nil {
			return err
		}
		if len(app.Tasks) > 0 {
			return fmt.Errorf("Marathon still has %d tasks of the controller", len(app.Tasks))
		}
		return u.backups.unowned(ctx)
	})
}

// Deploy starts a version. The new one comes up without queue, cloud and executors; what it will be in the end is what Marathon knows it by.
func (u *Upgrade) Deploy(ctx context.Context, side upgrade.Side, say op.Say) error {
	e := u.env(side)
	c := e.controller()
	start, err := u.prepared(side)
	if err != nil {
		return err
	}
	files, shut := start.files, make(chan error, 1)
	if side == upgrade.New {
		if err := u.earlierHome(ctx, say); err != nil {
			return err
		}
		files = withCasc(files, c.cascFile(), jenkins.ShutCasc(e.URL(), e.Cluster.Jenkins.App.AgentPort))
		go func() { shut <- u.shutQueue(ctx) }() // nobody has a controller meanwhile
	} else {
		shut <- nil
	}
	written := c.write(ctx, files)
	if err := errors.Join(<-shut, written); err != nil {
		return err
	}
	return u.watched(ctx, e, say, func(ctx context.Context) error { return e.rollOut(ctx, start.doc, say) })
}

// start is what a controller is started with: the files that it reads, and its app.
type start struct {
	files []provision.File
	doc   []byte
}

// prepared works out how a version is started, once in a run.
func (u *Upgrade) prepared(side upgrade.Side) (start, error) {
	if known, ok := u.starts[side]; ok {
		return known, nil
	}
	e := u.env(side)
	if err := e.described(); err != nil {
		return start{}, err
	}
	c := e.controller()
	files, err := c.files()
	if err != nil {
		return start{}, err
	}
	doc, err := c.document(files)
	if err != nil {
		return start{}, err
	}
	if u.starts == nil {
		u.starts = map[upgrade.Side]start{}
	}
	u.starts[side] = start{files, doc}
	return u.starts[side], nil
}

// withCasc replaces the content of the JCasC file.
func withCasc(files []provision.File, path string, casc []byte) []provision.File {
	out := append([]provision.File{}, files...)
	for i := range out {
		if out[i].Path == path {
			out[i].Data = casc
		}
	}
	return out
}

// watched ends work as soon as a task of the controller has ended by itself: the next try would end in the same way, and costs time in
// which nobody has a controller.
func (u *Upgrade) watched(ctx context.Context, e *Env, say op.Say, work func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	before := ""
	if app, err := e.Marathon.App(ctx, e.AppID()); err == nil && app.LastFailure != nil {
		before = app.LastFailure.TaskID
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(2 * tick)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			app, err := e.Marathon.App(ctx, e.AppID())
			if err != nil || app.LastFailure == nil || app.LastFailure.TaskID == before || !endedByItself(app.LastFailure.State) {
				continue
			}
			text := fmt.Sprintf("the controller ended on %s: %s", e.hostName(app.LastFailure.Host), app.LastFailure.Message)
			if stderr, err := e.Mesos.TaskLog(ctx, app.LastFailure.TaskID, "stderr", 2000); err == nil {
				text += "; its last words: " + lastWords(stderr)
			}
			cancel(errors.New(text))
			return
		}
	}()
	err := work(ctx)
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	cancel(nil)
	<-ended
	return err
}

// endedByItself says that the next task would end in the same way: the others end by their host or by somebody's wish.
func endedByItself(state string) bool { return state == "TASK_FAILED" || state == "TASK_ERROR" }

var executorLine = regexp.MustCompile(`^[IWE]\d{4,8} .*executor(\.cpp:\d+)?\] `)

// lastWords is the last line that is the program's own and not its executor's.
func lastWords(text string) string {
	lines := slices.DeleteFunc(strings.Split(strings.TrimSpace(text), "\n"), executorLine.MatchString)
	if len(lines) == 0 {
		return "none"
	}
	return lines[len(lines)-1]
}

// Ready is the gate after a start.
func (u *Upgrade) Ready(ctx context.Context, side upgrade.Side, say op.Say) error {
	e := u.env(side)
	client, err := e.Jenkins()
	if err != nil {
		return err
	}
	defer client.Close()
	want := e.controller().want()
	if side == upgrade.New {
		want.FrameworkID = "" // it has no cloud yet
	}
	err = u.watched(ctx, e, say, func(ctx context.Context) error {
		_, err := client.WaitReady(ctx, want, tick, func(text string) { say("%s", text) })
		return err
	})
	if err != nil {
		return err
	}
	if side == upgrade.Old {
		return nil
	}
	if err := client.QuietDown(ctx, "The new version is being looked at."); err != nil {
		return err
	}
	running, _, err := client.Work(ctx)
	if err == nil && len(running) > 0 {
		err = fmt.Errorf("%d builds run although the queue is shut: %s", len(running), running[0].Job)
	}
	if err != nil {
		return err
	}
	return u.pluginsLoaded(ctx, client)
}

// mostWrong is how many plugins a message names.
const mostWrong = 8

// pluginsLoaded compares what is loaded with the release's lock.
func (u *Upgrade) pluginsLoaded(ctx context.Context, client *jenkins.Client) error {
	failed, err := client.FailedPlugins(ctx)
	if err != nil {
		return err
	}
	if len(failed) > 0 {
		return fmt.Errorf("plugins could not be loaded: %s", strings.Join(failed, ", "))
	}
	wanted := u.New.lockedPlugins()
	if wanted == nil {
		return nil
	}
	loaded, err := client.Plugins(ctx)
	if err != nil {
		return err
	}
	have := map[string]jenkins.Plugin{}
	for _, plugin := range loaded {
		have[plugin.Name] = plugin
	}
	var wrong []string
	for _, want := range wanted {
		switch is, there := have[want.Name]; {
		case !there:
			wrong = append(wrong, want.Name+" was not loaded")
		case !is.Active:
			wrong = append(wrong, want.Name+" is not active")
		case is.Version != want.Version:
			wrong = append(wrong, fmt.Sprintf("%s is %s and not %s", want.Name, is.Version, want.Version))
		}
	}
	if n := len(wrong); n > mostWrong {
		wrong = append(wrong[:mostWrong], fmt.Sprintf("and %d more", n-mostWrong))
	}
	if len(wrong) > 0 {
		return fmt.Errorf("the plugins are not those of the release: %s", strings.Join(wrong, ", "))
	}
	return nil
}

// load makes the JCasC file say something and lets the controller read it.
func (u *Upgrade) load(ctx context.Context, client *jenkins.Client, casc []byte) error {
	c := u.New.controller()
	if err := c.write(ctx, []provision.File{{Path: c.cascFile(), Data: casc, Mode: 0o644}}); err != nil {
		return err
	}
	if err := client.CascReload(ctx); err != nil {
		return err
	}
	export, err := client.CascExport(ctx)
	if err != nil {
		return err
	}
	if strings.Contains(export, "jenkins:") && !strings.Contains(export, u.New.frameworkID()) {
		return &jenkins.CloudError{Problem: "the Mesos cloud was not loaded: " + c.cascFile() + " was not applied"}
	}
	return nil
}

// Open gives the new version what the cluster file says.
func (u *Upgrade) Open(ctx context.Context, say op.Say) error {
	c := u.New.controller()
	files, err := c.files()
	if err != nil {
		return err
	}
	client, err := u.New.Jenkins()
	if err != nil {
		return err
	}
	defer client.Close()
	for _, file := range files {
		if file.Path == c.cascFile() {
			if err := u.load(ctx, client, file.Data); err != nil {
				return err
			}
		}
	}
	_, err = client.WaitReady(ctx, c.want(), tick, func(text string) { say("%s", text) })
	if err != nil {
		return err
	}
	if state, err := client.Info(ctx); err != nil || !state.QuietingDown {
		return errors.Join(err, client.QuietDown(ctx, "The queue opens at once.")) // it was started anew meanwhile
	}
	return nil
}
