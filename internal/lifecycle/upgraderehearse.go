package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/home"
	"github.com/jomctl/jomctl/internal/jenkins"
	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
)

const rehearsalHost = "127.0.0.1"

// rehearsal is a controller that runs on a copy of the home, on a loopback address.
type rehearsal interface {
	url() string
	// dial is the way to it; nil is the direct one.
	dial() cluster.Dial
	// ended is an error as soon as it has ended by itself.
	ended(ctx context.Context) error
	// said is what it has written; it must have been stopped, or have ended.
	said(ctx context.Context) string
	stop()
}

// Rehearse boots the new version on a restored backup, where no build agent and no Mesos can reach it.
func (u *Upgrade) Rehearse(ctx context.Context, id string, say op.Say) (found upgrade.Rehearsal, err error) {
	begin := u.rehearseHere
	if u.New.own != nil {
		begin = u.rehearseThere
	}
	run, clean, err := begin(ctx, id, say)
	defer func() { err = errors.Join(err, clean()) }()
	if err != nil {
		return found, err
	}
	defer run.stop()
	seconds, err := u.judge(ctx, run, say)
	if err != nil {
		run.stop()
		return found, &Refusal{Problem: fmt.Sprintf("the rehearsal of %s on a copy of the home has failed: %v%s", u.New.Release.Core.Version, err, lastOf(run.said(ctx))),
			Fix: "the old version serves as before; mend the release, or take another one"}
	}
	return upgrade.Rehearsal{Seconds: seconds}, nil
}

// rehearsalOf is what jomhome is told of a rehearsal below a folder, and the files that belong to it.
func (u *Upgrade) rehearsalOf(dir, url string) (run home.Controller, files []provision.File, err error) {
	c := u.New.controller()
	run = c.run()
	run.Home, run.AgentPort, run.History, run.Owner, run.Clouds = filepath.Join(dir, "home"), false, nil, "", ""
	add := func(name string, data []byte) {
		files = append(files, provision.File{Path: filepath.Join(dir, name), Data: data, Mode: 0o600})
	}
	add("jenkins.yaml", jenkins.ShutCasc(url, -1))
	casc := []string{filepath.Join(dir, "jenkins.yaml")}
	for _, file := range c.cascFiles() { // the release's own are tried, too
		name := filepath.Join("casc", filepath.Base(file.Path))
		add(name, file.Data)
		casc = append(casc, filepath.Join(dir, name))
	}
	run.Env = []string{"CASC_JENKINS_CONFIG=" + strings.Join(casc, ",")}
	// The list beside the home is still that of the old version.
	list, err := c.standinPlugins()
	if err != nil {
		return run, nil, err
	}
	if list != nil {
		add("plugins.json", list)
		for i := range run.Argv {
			run.Argv[i] = strings.ReplaceAll(run.Argv[i], c.standinPluginsFile(), filepath.Join(dir, "plugins.json"))
		}
	}
	text, err := json.Marshal(run)
	if err != nil {
		return run, nil, fmt.Errorf("writing the rehearsal: %w", err)
	}
	add("controller.json", text)
	return run, files, nil
}

// lastOf are the lines at the end of what a rehearsal said that tell why it failed.
func lastOf(text string) string {
	var said []string
	for line := range strings.Lines(text) {
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
func (u *Upgrade) judge(ctx context.Context, run rehearsal, say op.Say) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, u.startLimit)
	defer cancel()
	admin := u.New.Cluster.Jenkins.Admin
	password, err := admin.Password.Resolve(u.New.Cluster)
	if err != nil {
		return 0, fmt.Errorf("reading the admin's password: %w", err)
	}
	client := jenkins.New(run.url(), admin.User, password).Through(run.dial())
	defer client.Close()
	began := time.Now()
	err = wait(ctx, say, func(ctx context.Context) error {
		if err := run.ended(ctx); err != nil {
			cancel()
			return err
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
	seconds := time.Since(began).Seconds()
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
