package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jomctl/jomctl/bundles/version"
	"github.com/jomctl/jomctl/internal/backup"
	"github.com/jomctl/jomctl/internal/lifecycle/clusterfile"
	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
	"github.com/jomctl/jomctl/internal/op"
)

// Check looks for everything that stands against beginning now.
func (u *Upgrade) Check(ctx context.Context) []upgrade.Reason {
	var found []upgrade.Reason
	add := func(subject, problem, fix string) {
		found = append(found, upgrade.Reason{Subject: subject, Problem: problem, Fix: fix})
	}
	e := u.Old
	if err := e.ZooKeeper.Healthy(ctx); err != nil {
		add("ZooKeeper", err.Error(), "bring its servers back: `jomctl install`")
	}
	mesos := e.Mesos
	mesos.Patience = time.Second
	if err := mesos.Ready(ctx); err != nil {
		add("Mesos", err.Error(), "bring its masters back: `jomctl install`")
	}
	u.checkMarathon(ctx, add)
	u.checkController(ctx, add)
	u.checkResources(ctx, add)
	u.checkRelease(add)
	if u.Old.own != nil {
		u.checkHosts(ctx, add)
	} else if err := u.backups.Repository.Ready(); err != nil && (u.backups.known() || !errors.Is(err, backup.ErrWrongPassword)) { // the first backup makes the password
		add("backup", err.Error(), hint(err, "see docs/backup.md"))
	}
	if err := u.left(ctx, backup.VerbSpace, u.space); err != nil {
		add("backup", err.Error(), hint(err, "make room: the way back needs it"))
	}
	for _, finding := range u.New.findings {
		add(finding.Subject, finding.Problem, finding.Fix)
	}
	for _, finding := range u.New.controller().preflight() {
		add(finding.Subject, finding.Problem, finding.Fix)
	}
	return found
}

func hint(err error, otherwise string) string {
	var hinter interface{ Hint() string }
	if errors.As(err, &hinter) && hinter.Hint() != "" {
		return hinter.Hint()
	}
	return otherwise
}

func (u *Upgrade) checkMarathon(ctx context.Context, add func(subject, problem, fix string)) {
	marathon := u.Old.Marathon
	marathon.Patience = time.Second
	info, err := marathon.Info(ctx)
	if err != nil || info.Leader == "" {
		add("Marathon", fmt.Sprintf("it has no leader: %v", err), "bring it back: `jomctl install`")
		return
	}
	deployments, err := marathon.Deployments(ctx)
	if err != nil {
		add("Marathon", err.Error(), "")
	} else if len(deployments) > 0 {
		add("Marathon", fmt.Sprintf("a deployment of %v is under way", deployments[0].Apps), "wait for its end, or end it")
	}
	app, err := marathon.App(ctx, u.Old.AppID())
	switch {
	case err != nil:
		add("controller", err.Error(), "bring it back: `jomctl install`")
	case app.Instances != 1 || len(app.Current()) != 1 || len(app.Tasks) != 1:
		add("controller", fmt.Sprintf("%d of %d wanted tasks run", len(app.Current()), app.Instances), "see `jomctl status`")
	}
}

func (u *Upgrade) checkController(ctx context.Context, add func(subject, problem, fix string)) {
	client, err := u.Old.Jenkins()
	if err != nil {
		add("controller", err.Error(), "")
		return
	}
	defer client.Close()
	want := u.Old.controller().want()
	if _, err := client.Ready(ctx, want); err != nil {
		add("controller", err.Error(), "bring it to what the cluster file says first: `jomctl install`")
	}
}

// checkRelease finds what no upgrade of this program can carry out.
func (u *Upgrade) checkRelease(add func(subject, problem, fix string)) {
	set := u.New.Cluster.Jenkins
	if set.War != "" && set.War != "standin" {
		add("jenkins.war", set.War+" is a file of your own, and an upgrade goes from release to release",
			"make a release of it (`jomctl release new`), name that in `release`, leave jenkins.war out, and run `jomctl install`")
	}
	if u.Store.State.HomeOf == nil && version.Older(u.New.Release.Core.Version, u.Old.Release.Core.Version) {
		add("release "+u.New.Release.Name, fmt.Sprintf("its core %s is older than %s, which runs: Jenkins does not read what a newer one has written", u.New.Release.Core.Version, u.Old.Release.Core.Version),
			"`jomctl rollback --to "+u.New.Cluster.Release+"` goes back to it, with the home of then")
	}
	for name, e := range map[string]*Env{"the release that runs": u.Old, "release " + u.New.Release.Name: u.New} {
		if !e.controller().hasPlugin(pluginCasc) {
			add("plugins", name+" has no "+pluginCasc+", by which an upgrade keeps the queue shut", "put it into the release's plugins.txt and lock it again")
		}
	}
	for _, problem := range u.New.Release.Audit() {
		if !u.New.controller().war.Real() {
			break // a stand-in runs none of them
		}
		add("release "+u.New.Release.Name, problem, "`jomctl release check "+u.New.Cluster.Release+"`")
	}
}

// BringNear fetches and verifies war and plugins of the new release; on hosts of their own it makes its images, or brings its files there.
func (u *Upgrade) BringNear(ctx context.Context, say op.Say) error {
	war := u.New.controller().war
	if war.Real() && !war.Cached() {
		if err := war.Fetch(ctx, say); err != nil {
			return err
		}
	}
	if u.New.own == nil {
		return nil
	}
	return u.bringThere(ctx, say)
}

// Record makes the cluster file, what is known as installed, and the proof those of the new version.
func (u *Upgrade) Record(ctx context.Context, say op.Say) error {
	if err := clusterfile.SetRelease(u.New.Cluster.File, u.New.Cluster.Release); err != nil {
		return err
	}
	if err := u.New.recordStep().Do(ctx, say); err != nil {
		return err
	}
	if err := u.recordThere(ctx, say); err != nil {
		return err
	}
	return u.recordProof(ctx)
}
