package core

import (
	"sort"
	"time"

	"github.com/google/uuid"

	"github.com/jomctl/jomctl/internal/standin/marathon/spec"
)

// Action is one action of a step.
type Action struct {
	Action string `json:"action"`
	App    string `json:"app"`
}

// Step holds actions that run side by side.
type Step struct {
	Actions []Action `json:"actions"`
}

// deployment is a running plan. Original and Target hold the affected apps; a nil there is an absent app.
type deployment struct {
	ID       string               `json:"id"`
	Version  string               `json:"version"`
	Steps    []Step               `json:"steps"`
	Original map[string]*spec.App `json:"original"`
	Target   map[string]*spec.App `json:"target"`
	Root     string               `json:"originalVersion"`
	Current  int                  `json:"current"` // index of the running step
	Created  time.Time            `json:"created"`

	restarts   map[string]*restart
	terminated map[string]bool // apps whose end was announced
	// inherited are instances that were waiting when another leader took the plan over.
	inherited map[string]bool
}

type planInfo struct {
	ID      string `json:"id"`
	Steps   []Step `json:"steps"`
	Version string `json:"version"`
}

func (d *deployment) info() planInfo {
	steps := d.Steps
	if steps == nil {
		steps = []Step{}
	}
	return planInfo{ID: d.ID, Steps: steps, Version: d.Version}
}

type deploymentStep struct {
	Plan        planInfo `json:"plan"`
	CurrentStep Step     `json:"currentStep"`
}

type deploymentEnd struct {
	ID     string   `json:"id"`
	Plan   planInfo `json:"plan"`
	Reason string   `json:"reason,omitempty"`
}

// newPlan compares two states of the affected apps and lays out the steps.
func newPlan(version, root string, original, target map[string]*spec.App, now time.Time) *deployment {
	d := &deployment{ID: uuid.NewString(), Version: version, Root: root, Original: original, Target: target, Created: now}
	var stop, start []Action
	changed := map[string]string{}
	for _, id := range sortedKeys(target) {
		before, after := original[id], target[id]
		switch {
		case after == nil && before != nil:
			stop = append(stop, Action{"StopApplication", id})
		case after == nil:
		case before == nil:
			start = append(start, Action{"StartApplication", id})
			changed[id] = "ScaleApplication"
		case before.VersionInfo.LastConfigChangeAt != after.VersionInfo.LastConfigChangeAt && after.Instances > 0:
			changed[id] = "RestartApplication"
		case before.VersionInfo.LastConfigChangeAt != after.VersionInfo.LastConfigChangeAt, before.Instances != after.Instances:
			changed[id] = "ScaleApplication"
		}
	}
	for _, actions := range [][]Action{stop, start} {
		if len(actions) > 0 {
			d.Steps = append(d.Steps, Step{Actions: actions})
		}
	}
	d.Steps = append(d.Steps, layers(changed, target)...)
	return d
}

// layers orders actions by the longest chain of dependencies below each app.
func layers(changed map[string]string, target map[string]*spec.App) []Step {
	depths := map[string]int{}
	var depth func(id string) int
	depth = func(id string) int {
		if n, ok := depths[id]; ok {
			return n
		}
		depths[id] = 0
		n := 0
		if app := target[id]; app != nil {
			for _, dependency := range app.Dependencies {
				if target[dependency] != nil {
					n = max(n, depth(dependency)+1)
				}
			}
		}
		depths[id] = n
		return n
	}
	byDepth := map[int][]Action{}
	for _, id := range sortedKeys(changed) {
		byDepth[depth(id)] = append(byDepth[depth(id)], Action{changed[id], id})
	}
	var order []int
	for n := range byDepth {
		order = append(order, n)
	}
	sort.Ints(order)
	var out []Step
	for _, n := range order {
		out = append(out, Step{Actions: byDepth[n]})
	}
	return out
}

func (d *deployment) affected() []string {
	seen := map[string]bool{}
	out := []string{}
	for _, step := range d.Steps {
		for _, action := range step.Actions {
			if !seen[action.App] {
				seen[action.App] = true
				out = append(out, action.App)
			}
		}
	}
	return out
}

// conflicts lists running plans that touch an app of the plan.
func (c *Core) conflicts(d *deployment) []*deployment {
	mine := map[string]bool{}
	for _, id := range d.affected() {
		mine[id] = true
	}
	var out []*deployment
	for _, other := range c.plans {
		for _, id := range other.affected() {
			if mine[id] {
				out = append(out, other)
				break
			}
		}
	}
	return out
}

func (c *Core) endPlan(d *deployment) {
	for n, other := range c.plans {
		if other == d {
			c.plans = append(c.plans[:n:n], c.plans[n+1:]...)
			break
		}
	}
	c.store.Delete("deployment", d.ID)
}

func (c *Core) cancel(d *deployment) {
	c.endPlan(d)
	c.bus.Publish("deployment_failed", deploymentEnd{ID: d.ID, Plan: d.info(), Reason: "The upgrade has been cancelled"})
}

// begin stores a plan and announces its first steps; the work itself is done by progress.
func (c *Core) begin(d *deployment) {
	if len(d.Steps) == 0 {
		c.bus.Publish("deployment_success", deploymentEnd{ID: d.ID, Plan: d.info()})
		return
	}
	c.plans = append(c.plans, d)
	c.announce(d)
	for d.Current < len(d.Steps) && d.Steps[d.Current].Actions[0].Action == "StartApplication" {
		c.nextStep(d)
	}
	c.putJSON("deployment", d.ID, d)
}

func (c *Core) announce(d *deployment) {
	c.bus.Publish("deployment_info", deploymentStep{Plan: d.info(), CurrentStep: d.Steps[d.Current]})
	for _, action := range d.Steps[d.Current].Actions {
		switch before, after := d.Original[action.App], d.Target[action.App]; action.Action {
		case "StartApplication", "RestartApplication":
			for _, h := range after.HealthChecks {
				c.bus.Publish("add_health_check_event", map[string]any{"appId": action.App, "version": after.Version, "healthCheck": h})
			}
		case "StopApplication":
			for range before.HealthChecks {
				c.bus.Publish("remove_health_check_event", map[string]any{"appId": action.App})
			}
		}
	}
}

// nextStep closes the running step; it returns false when it was the last.
func (c *Core) nextStep(d *deployment) bool {
	c.bus.Publish("deployment_step_success", deploymentStep{Plan: d.info(), CurrentStep: d.Steps[d.Current]})
	d.Current++
	d.restarts = nil
	if d.Current < len(d.Steps) {
		c.announce(d)
		c.putJSON("deployment", d.ID, d)
		return true
	}
	c.endPlan(d)
	c.bus.Publish("deployment_success", deploymentEnd{ID: d.ID, Plan: d.info()})
	return false
}

// progress does whatever the running plans can do now, and keeps the number of instances of all other apps.
func (c *Core) progress() {
	for _, d := range append([]*deployment(nil), c.plans...) {
		for c.stepDone(d) && c.nextStep(d) {
			continue
		}
	}
	busy := map[string]bool{}
	for _, d := range c.plans {
		for _, id := range d.affected() {
			busy[id] = true
		}
	}
	for id, state := range c.apps {
		if !busy[id] {
			c.keepCount(state.app)
		}
	}
}

func (c *Core) stepDone(d *deployment) bool {
	done := true
	for _, action := range d.Steps[d.Current].Actions {
		switch action.Action {
		case "StopApplication":
			done = c.stopApp(d, action.App) && done
		case "ScaleApplication":
			done = c.scaleApp(d, action.App) && done
		case "RestartApplication":
			done = c.restartApp(d, action.App) && done
		}
	}
	return done
}

func (c *Core) stopApp(d *deployment, id string) bool {
	left := false
	for _, i := range c.instancesOf(id) {
		c.decommission(i)
		left = left || c.insts[i.ID] != nil
	}
	if left {
		return false
	}
	if d.terminated[id] {
		return true
	}
	if d.terminated == nil {
		d.terminated = map[string]bool{}
	}
	d.terminated[id] = true
	c.bus.Publish("app_terminated_event", map[string]any{"appId": id})
	return true
}

// resumePlans takes over the plans of an earlier leader.
func (c *Core) resumePlans() {
	for _, d := range c.plans {
		d.inherited = map[string]bool{}
		for _, id := range d.affected() {
			app := d.Target[id]
			if app == nil || len(app.HealthChecks) > 0 {
				continue
			}
			for _, i := range c.instancesOf(id) {
				if i.waiting() {
					d.inherited[i.ID] = true
				}
			}
		}
	}
}
