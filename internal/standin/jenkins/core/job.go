package core

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"github.com/jomctl/jomctl/internal/standin/jenkins/home"
	"github.com/jomctl/jomctl/internal/standin/jenkins/xmltree"
)

// Job is a freestyle job. Its fields belong to the controller's lock.
type Job struct {
	Name   string
	Config *JobConfig
	// HoldOff is set on a copy until it is saved once: it is not buildable.
	HoldOff   bool
	NextBuild int
	Builds    []*Build // newest first
}

// UserError is an error that Jenkins answers with 400 and X-Error.
type UserError string

// Error is the text as people see it.
func (e UserError) Error() string { return string(e) }

// ErrNotFound says that what was named does not exist.
var ErrNotFound = errors.New("not found")

// ErrConflict says that a job cannot be built now (409).
var ErrConflict = errors.New("not buildable")

func (c *Controller) loadJobs() error {
	entries, err := os.ReadDir(c.path("jobs"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read jobs: %w", err)
	}
	old := c.jobs
	c.jobs = map[string]*Job{}
	for _, e := range entries {
		data, err := os.ReadFile(c.path("jobs", e.Name(), "config.xml"))
		if err != nil {
			continue
		}
		cfg, err := ParseJob(data)
		if err != nil {
			c.logf("failed to load job %s: %v", e.Name(), err)
			continue
		}
		j := old[strings.ToLower(e.Name())]
		if j == nil {
			j = &Job{Name: e.Name(), NextBuild: 1}
		}
		j.Config = cfg
		c.loadBuilds(j)
		c.jobs[strings.ToLower(e.Name())] = j
	}
	return nil
}

func (c *Controller) loadBuilds(j *Job) {
	running := map[int]*Build{}
	for _, b := range j.Builds {
		if b.Building {
			running[b.Number] = b
		}
	}
	j.Builds = nil
	entries, _ := os.ReadDir(c.path("jobs", j.Name, "builds"))
	for _, e := range entries {
		number, err := strconv.Atoi(e.Name())
		if err != nil || number < 1 {
			continue
		}
		b := running[number]
		if b == nil {
			b = loadBuild(c.buildDir(j.Name, number), number)
		}
		if b != nil {
			b.Job = j
			j.Builds = append(j.Builds, b)
		}
		j.NextBuild = max(j.NextBuild, number+1)
	}
	sort.Slice(j.Builds, func(a, b int) bool { return j.Builds[a].Number > j.Builds[b].Number })
	if data, err := os.ReadFile(c.path("jobs", j.Name, "nextBuildNumber")); err == nil {
		if n, err := strconv.Atoi(string(bytes.TrimSpace(data))); err == nil {
			j.NextBuild = max(j.NextBuild, n)
		}
	}
}

func (c *Controller) buildDir(job string, number int) string {
	return c.path("jobs", job, "builds", strconv.Itoa(number))
}

// Job finds a job by its name in any case. Call it under Locked.
func (c *Controller) Job(name string) *Job { return c.jobs[strings.ToLower(name)] }

// Jobs are all jobs by name. Call it under Locked.
func (c *Controller) Jobs() []*Job {
	out := make([]*Job, 0, len(c.jobs))
	for _, j := range c.jobs {
		out = append(out, j)
	}
	sort.Slice(out, func(a, b int) bool { return out[a].Name < out[b].Name })
	return out
}

// ReloadJob reads one job's configuration and builds again; one that cannot be read stays as it is. Call it under Locked.
func (c *Controller) ReloadJob(j *Job) error {
	data, err := os.ReadFile(c.path("jobs", j.Name, "config.xml"))
	if err != nil {
		return fmt.Errorf("reload job %s: %w", j.Name, err)
	}
	cfg, err := ParseJob(data)
	if err != nil {
		return fmt.Errorf("reload job %s: %w", j.Name, err)
	}
	j.Config = cfg
	c.loadBuilds(j)
	return nil
}

// CheckName says what Jenkins has against a new job's name. Call it under Locked.
func (c *Controller) CheckName(name string) error {
	if err := checkCharacters(name); err != nil {
		return err
	}
	if c.Job(name) != nil {
		return UserError("A job already exists with the name ‘" + name + "’")
	}
	return nil
}

// checkCharacters refuses names that cannot be folders.
func checkCharacters(name string) error {
	switch {
	case name == "":
		return UserError("No name is specified")
	case name == "." || name == "..":
		return UserError("‘" + name + "’ is not an allowed name")
	case strings.HasSuffix(name, "."):
		return UserError("A name cannot end with ‘.’")
	}
	if i := strings.IndexAny(name, "?*/\\%!@#$^&|<>[]:;"); i >= 0 {
		return UserError("‘" + name[i:i+1] + "’ is an unsafe character")
	}
	return nil
}

// CreateJob stores the posted text as it is. Call it under Locked.
func (c *Controller) CreateJob(name string, data []byte) error {
	if err := c.CheckName(name); err != nil {
		return err
	}
	cfg, err := ParseJob(data)
	if err != nil {
		return err
	}
	if !cfg.labelIsPlain() {
		return ErrLabel
	}
	if err := home.WriteFile(c.path("jobs", name, "config.xml"), data, 0o644); err != nil {
		return err
	}
	c.jobs[strings.ToLower(name)] = &Job{Name: name, Config: cfg, NextBuild: 1}
	return nil
}

// CopyJob makes a job from another; it is not buildable until it is saved. Call it under Locked.
func (c *Controller) CopyJob(from, name string) error {
	if err := c.CheckName(name); err != nil {
		return err
	}
	src := c.Job(from)
	if src == nil {
		return UserError("No such job: " + from)
	}
	if err := c.CreateJob(name, src.Config.XML().Render(xmltree.FileHeader)); err != nil {
		return err
	}
	c.Job(name).HoldOff = true
	return nil
}

// UpdateJob replaces a job's configuration; a broken one changes nothing. Call it under Locked.
func (c *Controller) UpdateJob(j *Job, data []byte) error {
	cfg, err := ParseJob(data)
	if err != nil {
		return err
	}
	if !cfg.labelIsPlain() {
		return ErrLabel
	}
	j.Config, j.HoldOff = cfg, false
	return c.SaveJob(j)
}

// SaveJob writes config.xml after a change of j.Config. Call it under Locked.
func (c *Controller) SaveJob(j *Job) error {
	if j.Config.Disabled {
		c.cancelItems(j)
	}
	c.look()
	return home.Save(c.path("jobs", j.Name, "config.xml"), j.Config.XML())
}

// RenameJob moves a job. Call it under Locked.
func (c *Controller) RenameJob(j *Job, name string) error {
	if name == j.Name {
		return UserError("The new name is the same as the current name.")
	}
	if other := c.Job(name); other != nil && other != j {
		return UserError("The name ‘" + name + "’ is already in use.")
	}
	if err := c.CheckName(name); err != nil && !strings.EqualFold(name, j.Name) {
		return err
	}
	if err := os.Rename(c.path("jobs", j.Name), c.path("jobs", name)); err != nil {
		return fmt.Errorf("rename job %s: %w", j.Name, err)
	}
	delete(c.jobs, strings.ToLower(j.Name))
	j.Name = name
	c.jobs[strings.ToLower(name)] = j
	return nil
}

// DeleteJob cancels its queue item, aborts its builds and removes it from disk. Call it under Locked.
func (c *Controller) DeleteJob(j *Job) error {
	c.cancelItems(j)
	delete(c.jobs, strings.ToLower(j.Name))
	for _, b := range j.Builds {
		if b.Building {
			b.lost = true
			b.cancel()
		}
	}
	if err := os.RemoveAll(c.path("jobs", j.Name)); err != nil {
		return fmt.Errorf("delete job %s: %w", j.Name, err)
	}
	return nil
}

// DeleteBuild renames the folder to .N first, as Jenkins does. Call it under Locked.
func (c *Controller) DeleteBuild(b *Build) error {
	dir := c.buildDir(b.Job.Name, b.Number)
	hidden := filepath.Join(filepath.Dir(dir), "."+strconv.Itoa(b.Number))
	if err := os.Rename(dir, hidden); err != nil {
		return fmt.Errorf("delete build %s #%d: %w", b.Job.Name, b.Number, err)
	}
	for i, other := range b.Job.Builds {
		if other == b {
			b.Job.Builds = append(b.Job.Builds[:i:i], b.Job.Builds[i+1:]...)
			break
		}
	}
	return os.RemoveAll(hidden)
}

// Buildable says whether the job takes builds.
func (j *Job) Buildable() bool { return !j.Config.Disabled && !j.HoldOff }

// Last is the newest build that fits, or nil.
func (j *Job) Last(fits func(*Build) bool) *Build {
	for _, b := range j.Builds {
		if fits(b) {
			return b
		}
	}
	return nil
}

// Build finds a build by its number.
func (j *Job) Build(number int) *Build {
	return j.Last(func(b *Build) bool { return b.Number == number })
}

// Color is the ball of the job: that of its last completed build, with _anime while one runs.
func (j *Job) Color() string {
	color := "notbuilt"
	if b := j.Last(func(b *Build) bool { return !b.Building }); b != nil {
		color = resultColor(b.Result)
	}
	if j.Config.Disabled {
		color = "disabled"
	}
	if j.Running() != nil {
		color += "_anime"
	}
	return color
}

// Running is the newest running build, or nil.
func (j *Job) Running() *Build { return j.Last(func(b *Build) bool { return b.Building }) }

func resultColor(result string) string {
	switch result {
	case "SUCCESS":
		return "blue"
	case "UNSTABLE":
		return "yellow"
	case "FAILURE":
		return "red"
	case "ABORTED":
		return "aborted"
	}
	return "notbuilt"
}
