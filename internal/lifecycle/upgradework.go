package lifecycle

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jomctl/jomctl/internal/jenkins"
	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
	"github.com/jomctl/jomctl/internal/op"
)

// Message is what is shown above every page.
func (u *Upgrade) Message(ctx context.Context) (string, error) {
	client, err := u.client()
	if err != nil {
		return "", err
	}
	defer client.Close()
	return client.SystemMessage(ctx)
}

// Announce shows a message above every page.
func (u *Upgrade) Announce(ctx context.Context, message string) error {
	client, err := u.client()
	if err != nil {
		return err
	}
	defer client.Close()
	return client.SetSystemMessage(ctx, message)
}

// Quiet lets nothing new start.
func (u *Upgrade) Quiet(ctx context.Context, message string) error {
	client, err := u.client()
	if err != nil {
		return err
	}
	defer client.Close()
	return client.QuietDown(ctx, message)
}

// Loud ends quiet mode.
func (u *Upgrade) Loud(ctx context.Context) error {
	client, err := u.client()
	if err != nil {
		return err
	}
	defer client.Close()
	return client.CancelQuietDown(ctx)
}

// Work lists what runs and what waits.
func (u *Upgrade) Work(ctx context.Context) (upgrade.Work, error) {
	client, err := u.client()
	if err != nil {
		return upgrade.Work{}, err
	}
	defer client.Close()
	running, queued, err := client.Work(ctx)
	return upgrade.Work{Running: buildsOf(running), Queued: buildsOf(queued)}, err
}

func buildsOf(pending []jenkins.Pending) []upgrade.Build {
	var all []upgrade.Build
	for _, p := range pending {
		all = append(all, upgrade.Build{Job: p.Job, Number: p.Number, Item: p.Item, Params: p.Params, Causes: p.Causes, Secret: p.Secret, Resumes: p.Resumes})
	}
	return all
}

// StopBuild ends a build.
func (u *Upgrade) StopBuild(ctx context.Context, build upgrade.Build) error {
	client, err := u.client()
	if err != nil {
		return err
	}
	defer client.Close()
	return client.StopBuild(ctx, build.Job, build.Number)
}

// Requeue asks for builds again, oldest first, unless they wait already.
func (u *Upgrade) Requeue(ctx context.Context, builds []upgrade.Build, say op.Say) ([]string, error) {
	if len(builds) == 0 {
		return nil, nil
	}
	client, err := u.client()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	_, queued, err := client.Work(ctx)
	if err != nil {
		return nil, err
	}
	there := buildsOf(queued)
	var left []string
	for _, build := range slices.Backward(builds) { // Jenkins lists the newest first
		if slices.ContainsFunc(there, func(b upgrade.Build) bool { return b.Job == build.Job && maps.Equal(b.Params, build.Params) }) {
			continue
		}
		if build.Secret {
			left = append(left, build.Job+": one of its parameters is a secret that Jenkins does not show")
			continue
		}
		carried, err := client.AskAgain(ctx, build.Job, build.Params, again(build.Causes))
		switch {
		case jenkins.IsNotFound(err):
			left = append(left, build.Job+": the job is not there any more")
		case jenkins.IsConflict(err):
			left = append(left, build.Job+": the job is disabled")
		case err != nil:
			return left, err
		default:
			say("asked for %s again%s", build.Job, causesText(build.Causes, carried))
		}
	}
	return left, nil
}

// again are the causes that a build gets which is asked for anew.
func again(causes []string) (all []string) {
	for _, cause := range causes {
		all = append(all, "asked for again after an upgrade; before: "+cause)
	}
	return all
}

func causesText(causes []string, carried bool) string {
	switch {
	case len(causes) == 0:
		return ""
	case carried:
		return fmt.Sprintf(" (%s)", strings.Join(causes, "; "))
	}
	return fmt.Sprintf(" (it was: %s; now its cause is the user of jomctl)", strings.Join(causes, "; "))
}
