package lifecycle

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jomctl/jomctl/internal/jenkins"
	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
	"github.com/jomctl/jomctl/internal/op"
)

const rehearsalHost = "127.0.0.1"

// Rehearse boots the new version on a restored backup, as a process of this machine that no build agent and no Mesos can reach.
func (u *Upgrade) Rehearse(ctx context.Context, id string, say op.Say) (found upgrade.Rehearsal, err error) {
	dir := u.file("rehearsal")
	if err := os.RemoveAll(dir); err != nil {
		return found, fmt.Errorf("removing an earlier rehearsal: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	say("restoring backup %s for the rehearsal", id[:8])
	if _, err := u.backups.Repository.Restore(ctx, id, filepath.Join(dir, "home")); err != nil {
		return found, err
	}
	if err := os.RemoveAll(filepath.Join(dir, "home", "queue.xml")); err != nil {
		return found, fmt.Errorf("shutting the rehearsal's queue: %w", err)
	}
	run, err := u.startRehearsal(dir)
	if err != nil {
		return found, err
	}
	defer run.stop()
	seconds, err := u.judge(ctx, run, say)
	if err != nil {
		return found, &Refusal{Problem: fmt.Sprintf("the rehearsal of %s on a copy of the home has failed: %v%s", u.New.Release.Core.Version, err, run.lastWords()),
			Fix: "the old version serves as before; mend the release, or take another one"}
	}
	return upgrade.Rehearsal{Seconds: seconds}, nil
}

// rehearsal is a controller that runs on a copy.
type rehearsal struct {
	url    string
	began  time.Time
	output *bytes.Buffer
	cmd    *exec.Cmd
	ended  chan struct{}
}

func (u *Upgrade) startRehearsal(dir string) (*rehearsal, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	c := u.New.controller()
	run := c.run()
	run.Home, run.AgentPort, run.History, run.Owner, run.Clouds = filepath.Join(dir, "home"), false, nil, "", ""
	url := "http://" + net.JoinHostPort(rehearsalHost, strconv.Itoa(port))
	files := map[string][]byte{"jenkins.yaml": jenkins.ShutCasc(url, -1)}
	casc := []string{filepath.Join(dir, "jenkins.yaml")}
	for _, file := range c.cascFiles() { // the release's own are tried, too
		name := filepath.Join("casc", filepath.Base(file.Path))
		files[name], casc = file.Data, append(casc, filepath.Join(dir, name))
	}
	run.Env = []string{"CASC_JENKINS_CONFIG=" + strings.Join(casc, ",")}
	// The list beside the home is still that of the old version.
	if list, err := c.standinPlugins(); err != nil {
		return nil, err
	} else if list != nil {
		files["plugins.json"] = list
		for i := range run.Argv {
			run.Argv[i] = strings.ReplaceAll(run.Argv[i], c.standinPluginsFile(), filepath.Join(dir, "plugins.json"))
		}
	}
	if files["controller.json"], err = json.Marshal(run); err != nil {
		return nil, fmt.Errorf("writing the rehearsal: %w", err)
	}
	for name, data := range files {
		if err := writeHere(filepath.Join(dir, name), data, 0o600); err != nil {
			return nil, err
		}
	}
	r := &rehearsal{url: url, output: &bytes.Buffer{}, began: time.Now(), ended: make(chan struct{})}
	r.cmd = exec.Command(c.program("jomhome"), "run", "--config", filepath.Join(dir, "controller.json"))
	r.cmd.Dir = dir
	r.cmd.Env = append(os.Environ(), "HOST="+rehearsalHost, "PORT0="+strconv.Itoa(port), "PORT1=0", "MESOS_SANDBOX="+dir)
	r.cmd.Stdout, r.cmd.Stderr = r.output, r.output
	// It must not outlive this run, however that ends.
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	go func() {
		defer close(r.ended)
		runtime.LockOSThread() // the parent-death signal is tied to the thread
		err := r.cmd.Start()
		started <- err
		if err == nil {
			_ = r.cmd.Wait() // how it ended is read from the process
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting the rehearsal: %w", err)
	}
	return r, nil
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(rehearsalHost, "0"))
	if err != nil {
		return 0, fmt.Errorf("finding a port for the rehearsal: %w", err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

func (r *rehearsal) stop() {
	_ = r.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-r.ended:
	case <-time.After(10 * time.Second):
		_ = r.cmd.Process.Kill()
		<-r.ended
	}
}

// lastWords are the end of what a rehearsal said; it must have been stopped, or have ended.
func (r *rehearsal) lastWords() string {
	r.stop()
	var said []string
	for line := range strings.Lines(r.output.String()) {
		if strings.Contains(line, "SEVERE") || strings.Contains(line, "jomhome:") || strings.Contains(line, "Failed Loading plugin") {
			said = append(said, strings.TrimSpace(line))
		}
	}
	if len(said) == 0 {
		return ""
	}
	return "; its log says: " + strings.Join(said[max(0, len(said)-3):], " / ")
}

// judge waits until the new version is up and looks at it; the result is the seconds of the start.
func (u *Upgrade) judge(ctx context.Context, run *rehearsal, say op.Say) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, u.startLimit)
	defer cancel()
	admin := u.New.Cluster.Jenkins.Admin
	password, err := admin.Password.Resolve(u.New.Cluster)
	if err != nil {
		return 0, fmt.Errorf("reading the admin's password: %w", err)
	}
	client := jenkins.New(run.url, admin.User, password)
	defer client.Close()
	err = wait(ctx, say, func(ctx context.Context) error {
		select {
		case <-run.ended:
			cancel()
			return fmt.Errorf("it has ended with code %d", run.cmd.ProcessState.ExitCode())
		default:
		}
		state := client.State(ctx)
		if state.Phase == jenkins.PhaseBootFailed {
			cancel()
		}
		if state.Phase != jenkins.PhaseUp {
			return fmt.Errorf("the rehearsal is %s", state.Phase)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	seconds := time.Since(run.began).Seconds()
	state := client.State(ctx)
	if want := u.New.controller().version(); want != "" && state.Version != want {
		return 0, fmt.Errorf("it is version %s, want %s", state.Version, want)
	}
	if err := client.AnonymousRefused(ctx); err != nil {
		return 0, err
	}
	if _, err := client.WhoAmI(ctx); err != nil {
		return 0, err
	}
	running, queued, err := client.Work(ctx)
	if err != nil {
		return 0, err
	}
	if len(running)+len(queued) > 0 {
		return 0, fmt.Errorf("it has %d builds and %d items in the queue, although it is shut", len(running), len(queued))
	}
	return seconds, u.pluginsLoaded(ctx, client)
}
