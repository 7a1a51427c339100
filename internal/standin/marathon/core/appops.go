package core

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"github.com/jomctl/jomctl/internal/standin/marathon/spec"
)

// Created is the answer to a new app: the definition as it was before ports and version info were known, and the plan's id.
type Created struct {
	App *spec.App
	Result
}

// CreateApp makes a new app.
func (c *Core) CreateApp(body []byte, r Request) (Created, error) {
	app, err := spec.Parse(body, c.cfg.Options)
	if err != nil {
		return Created{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.create(app, r)
}

func (c *Core) create(app *spec.App, r Request) (Created, error) {
	version := c.newVersion()
	group := path.Dir(app.ID)
	if c.apps[app.ID] != nil {
		reason := fmt.Sprintf("An app with id [%s] already exists.", app.ID)
		c.bus.Publish("group_change_failed", map[string]any{"groupId": group, "version": version, "reason": reason})
		return Created{}, &Conflict{Message: reason}
	}
	shown := app.Clone()
	shown.Version = version
	result, err := c.submit(change{version: version, target: map[string]*spec.App{app.ID: app}, force: r.Force, group: group}, c.announcePost(r, shown))
	return Created{App: shown, Result: result}, err
}

// UpdateApp merges a body into an app (or replaces it), creates it when allowed, or rolls it back to a version.
func (c *Core) UpdateApp(id string, body []byte, partial, mayCreate bool, r Request) (result Result, created *Created, err error) {
	if isEmptyArray(body) {
		body = []byte("{}")
	}
	if err := spec.CheckUpdate(body); err != nil {
		return Result{}, nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	state := c.apps[id]
	var current *spec.App
	if state != nil && partial {
		current = state.app
	}
	wanted, err := c.rollbackVersion(id, body)
	if err != nil {
		return Result{}, nil, err
	}
	var app *spec.App
	if wanted != nil {
		app = wanted
	} else if app, err = spec.Merge(current, id, body, c.cfg.Options); err != nil {
		return Result{}, nil, err
	}
	if state == nil {
		if !mayCreate {
			return Result{}, nil, appMissing(id, false)
		}
		made, err := c.create(app, r)
		return made.Result, &made, err
	}
	version := c.newVersion()
	result, err = c.submit(change{version: version, target: map[string]*spec.App{id: app}, force: r.Force, group: path.Dir(id)}, c.announcePost(r, app))
	return result, nil, err
}

func isEmptyArray(body []byte) bool {
	var list []json.RawMessage
	return json.Unmarshal(body, &list) == nil && list != nil && len(list) == 0
}

// rollbackVersion returns the app of an older version when the body asks for one.
func (c *Core) rollbackVersion(id string, body []byte) (*spec.App, error) {
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(body, &fields)
	var version *string
	_ = json.Unmarshal(fields["version"], &version)
	if version == nil {
		return nil, nil
	}
	for name := range fields {
		if name != "id" && name != "version" && string(fields[name]) != "null" {
			return nil, &spec.Invalid{Message: "Object is not valid", Details: []spec.Detail{{Path: "/", Errors: []string{"The 'version' field may only be combined with the 'id' field."}}}}
		}
	}
	old, err := c.version(id, *version)
	if err != nil {
		return nil, err
	}
	old = old.Clone()
	old.Version, old.VersionInfo = "", nil
	return old, nil
}

// UpdateApps changes several apps in one plan.
func (c *Core) UpdateApps(bodies []json.RawMessage, partial, mayCreate bool, r Request) (Result, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	version := c.newVersion()
	target := map[string]*spec.App{}
	for n, body := range bodies {
		var head struct {
			ID *string `json:"id"`
		}
		if err := spec.CheckUpdate(body); err != nil {
			return Result{}, indexed(err, n)
		}
		if json.Unmarshal(body, &head) != nil || head.ID == nil {
			return Result{}, &spec.Invalid{Message: "Object is not valid", Details: []spec.Detail{{Path: fmt.Sprintf("(%d)/id", n), Errors: []string{"not defined"}}}}
		}
		id := spec.AbsoluteID("", *head.ID)
		var current *spec.App
		if state := c.apps[id]; state != nil && partial {
			current = state.app
		} else if state == nil && !mayCreate {
			return Result{}, appMissing(id, false)
		}
		app, err := c.rollbackVersion(id, body)
		if err == nil && app == nil {
			app, err = spec.Merge(current, id, body, c.cfg.Options)
		}
		if err != nil {
			return Result{}, err
		}
		target[id] = app
	}
	return c.submit(change{version: version, target: target, force: r.Force, group: "/"}, func() {
		for _, id := range sortedKeys(target) {
			c.announcePost(r, target[id])()
		}
	})
}

func indexed(err error, n int) error {
	if invalid, ok := err.(*spec.Invalid); ok {
		for i := range invalid.Details {
			invalid.Details[i].Path = fmt.Sprintf("(%d)%s", n, invalid.Details[i].Path)
		}
	}
	return err
}

// DeleteApp removes an app.
func (c *Core) DeleteApp(id string, r Request) (Result, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.apps[id] == nil {
		return Result{}, appMissing(id, false)
	}
	return c.submit(change{version: c.newVersion(), target: map[string]*spec.App{id: nil}, force: r.Force, group: path.Dir(id)}, nil)
}

// RestartApp replaces every instance of an app by the same definition.
func (c *Core) RestartApp(id string, r Request) (Result, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	state := c.apps[id]
	if state == nil {
		return Result{}, appMissing(id, false)
	}
	state.backoff = backoff{}
	app := state.app.Clone()
	app.VersionInfo = &spec.VersionInfo{LastConfigChangeAt: "restart"}
	return c.submit(change{version: c.newVersion(), target: map[string]*spec.App{id: app}, force: r.Force, group: path.Dir(id)}, nil)
}

// KillTasks kills the given tasks, or all of an app (host narrows it down). With scale the apps get as many instances less.
func (c *Core) KillTasks(tasks []string, scale, wipe bool, r Request) ([]Task, *Result, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var chosen []*Instance
	for _, id := range tasks {
		if i := c.byTask(id); i != nil {
			chosen = append(chosen, i)
		}
	}
	return c.killChosen(chosen, scale, wipe, r)
}

// KillAppTasks kills the tasks of an app; task and host narrow it down when they are not empty.
func (c *Core) KillAppTasks(app, task, host string, scale, wipe bool, r Request) ([]Task, *Result, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.apps[app] == nil {
		return nil, nil, appMissing(app, true)
	}
	var chosen []*Instance
	for _, i := range c.instancesOf(app) {
		if i.TaskID != "" && (task == "" || i.TaskID == task) && (host == "" || i.Host == host) {
			chosen = append(chosen, i)
		}
	}
	if task != "" && len(chosen) == 0 {
		return nil, nil, &NotFound{Message: fmt.Sprintf("Task '%s' does not exist", task), Details: true}
	}
	return c.killChosen(chosen, scale, wipe, r)
}

func (c *Core) killChosen(chosen []*Instance, scale, wipe bool, r Request) ([]Task, *Result, error) {
	tasks := []Task{}
	for _, i := range chosen {
		tasks = append(tasks, c.taskView(i, false))
	}
	if !scale {
		for _, i := range chosen {
			if wipe {
				c.decommission(i)
			} else {
				c.kill(i)
			}
		}
		c.progress()
		c.reviveTick(c.now())
		return tasks, nil, nil
	}
	target := map[string]*spec.App{}
	for _, i := range chosen {
		state := c.apps[i.App]
		if state == nil {
			continue
		}
		if target[i.App] == nil {
			target[i.App] = state.app.Clone()
		}
		target[i.App].Instances = max(0, target[i.App].Instances-1)
	}
	result, err := c.scaleAfterKill(target, chosen, r)
	return tasks, result, err
}

func (c *Core) scaleAfterKill(target map[string]*spec.App, chosen []*Instance, r Request) (*Result, error) {
	goals := map[*Instance]string{}
	for _, i := range chosen {
		goals[i] = i.Goal
		i.Goal = goalDecommissioned
	}
	result, err := c.submit(change{version: c.newVersion(), target: target, force: r.Force, group: "/"}, func() {
		for _, i := range chosen {
			c.changed(i, i.Condition)
			c.kill(i)
		}
	})
	if err != nil {
		for i, goal := range goals {
			i.Goal = goal
		}
		return nil, err
	}
	return &result, nil
}

// ParseTaskID says whether a text has the form of a task id.
func ParseTaskID(id string) bool {
	instance, rest, ok := strings.Cut(id, ".instance-")
	return (ok && instance != "" && strings.Contains(rest, "._app")) || legacyTaskID(id)
}

func legacyTaskID(id string) bool {
	n := strings.LastIndex(id, ".")
	return n > 0 && len(id)-n-1 == 36 && strings.Count(id[n:], "-") == 4
}
