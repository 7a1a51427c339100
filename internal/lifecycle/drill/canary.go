package drill

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/jenkins"
	"github.com/jomctl/jomctl/internal/pause"
)

// The canary jobs. The first is changed and built all the time, the second has the build that runs at the fault.
const (
	canaryJob  = "jomctl-drill"
	runningJob = "jomctl-drill-running"
)

// jobs is the canary of a real controller, or of its stand-in.
type jobs struct {
	client *jenkins.Client
	label  string
	// tasks are the Mesos tasks of Jenkins' framework.
	tasks func(context.Context) ([]string, error)
	tick  time.Duration
}

var _ Canary = (*jobs)(nil)

func (j *jobs) Save(ctx context.Context, mark string, n int) error {
	return j.client.EnsureJob(ctx, canaryJob, jenkins.FreestyleJob(j.label, "true", fmt.Sprintf("drill %s configuration %d", mark, n)))
}

var numbered = regexp.MustCompile(`drill (\S+) configuration (\d+)`)

func (j *jobs) Saved(ctx context.Context, mark string) (int, error) {
	text, err := j.client.JobConfig(ctx, canaryJob)
	if jenkins.IsNotFound(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	found := numbered.FindStringSubmatch(text)
	if found == nil || found[1] != mark {
		return 0, nil
	}
	return strconv.Atoi(found[2])
}

func (j *jobs) Build(ctx context.Context) (int64, error) {
	if config, err := j.client.JobConfig(ctx, canaryJob); jenkins.IsNotFound(err) || err == nil && config == "" {
		// It was lost, which is counted; that builds run must be seen nevertheless.
		if err := j.Save(ctx, "none", 0); err != nil {
			return 0, err
		}
	}
	number, err := j.begin(ctx, canaryJob)
	if err != nil {
		return 0, err
	}
	for {
		build, err := j.client.Build(ctx, canaryJob, number)
		switch {
		case err != nil:
			return 0, err
		case !build.Building && build.Result == "SUCCESS":
			return number, nil
		case !build.Building && build.Result != "":
			return 0, fmt.Errorf("build %d of %s ended with %s", number, canaryJob, build.Result)
		}
		if err := pause.For(ctx, j.tick); err != nil {
			return 0, err
		}
	}
}

// begin asks for a build and waits until it has a number.
func (j *jobs) begin(ctx context.Context, job string) (int64, error) {
	id, err := j.client.StartBuild(ctx, job)
	if err != nil {
		return 0, err
	}
	why := ""
	for {
		item, err := j.client.QueueItem(ctx, id)
		switch {
		case err != nil:
			return 0, err
		case item.Cancelled:
			return 0, fmt.Errorf("the build of %s was cancelled in the queue", job)
		case item.Build != 0:
			return item.Build, nil
		}
		why = item.Why
		if err := pause.For(ctx, j.tick); err != nil {
			return 0, fmt.Errorf("the build of %s waits (%s): %w", job, why, err)
		}
	}
}

func (j *jobs) Builds(ctx context.Context, numbers []int64) ([]int64, error) {
	var there []int64
	for _, number := range numbers {
		build, err := j.client.Build(ctx, canaryJob, number)
		switch {
		case jenkins.IsNotFound(err):
		case err != nil:
			return nil, err
		case build.Result == "SUCCESS":
			there = append(there, number)
		}
	}
	return there, nil
}

func (j *jobs) Begin(ctx context.Context, length time.Duration) (int64, string, error) {
	command := fmt.Sprintf("sleep %d", int(math.Ceil(length.Seconds())))
	if err := j.client.EnsureJob(ctx, runningJob, jenkins.FreestyleJob(j.label, command, "runs while a drill makes its fault")); err != nil {
		return 0, "", err
	}
	number, err := j.begin(ctx, runningJob)
	if err != nil {
		return 0, "", err
	}
	for {
		build, err := j.client.Build(ctx, runningJob, number)
		if err != nil {
			return 0, "", err
		}
		tasks, err := j.tasks(ctx)
		if err != nil {
			return 0, "", err
		}
		// The plugin names a build agent as its task.
		if build.Node != "" && slices.Contains(tasks, build.Node) {
			return number, build.Node, nil
		}
		if !build.Building && build.Result != "" {
			return 0, "", fmt.Errorf("build %d of %s ended at once with %s", number, runningJob, build.Result)
		}
		if len(tasks) == 1 && build.Building {
			return number, tasks[0], nil
		}
		if err := pause.For(ctx, j.tick); err != nil {
			return 0, "", fmt.Errorf("the build agent of build %d of %s, %q, is none of the tasks %v: %w", number, runningJob, build.Node, tasks, err)
		}
	}
}

func (j *jobs) Fate(ctx context.Context, number int64) (string, error) {
	build, err := j.client.Build(ctx, runningJob, number)
	switch {
	case jenkins.IsNotFound(err):
	case err != nil:
		return "", err
	case build.Building || build.Result == "":
		return "running", nil
	case build.Result == "SUCCESS":
		return "completed", nil
	default:
		return "failed", nil
	}
	// It has left no trace; it may have been put into the queue again.
	queue, err := j.client.Queue(ctx)
	if err != nil {
		return "", err
	}
	for _, item := range queue {
		if item.Job == runningJob {
			return "requeued", nil
		}
	}
	running, err := j.client.RunningBuilds(ctx)
	if err != nil {
		return "", err
	}
	for _, one := range running {
		if strings.HasPrefix(one.Name, runningJob+" ") {
			return "requeued", nil
		}
	}
	return "lost", nil
}

func (j *jobs) Remove(ctx context.Context) error {
	for _, job := range []string{runningJob, canaryJob} {
		if err := j.client.DeleteJob(ctx, job); err != nil {
			return err
		}
	}
	return nil
}
