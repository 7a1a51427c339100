package core

import (
	"encoding/json"
	"fmt"
	"math"
	"path"
	"strings"

	"github.com/jomctl/jomctl/internal/standin/marathon/spec"
)

// GroupEmbed chooses the parts of a group answer.
type GroupEmbed struct {
	Groups, Apps, Pods, Counts bool
	App                        Embed
}

// Group is a group as the API shows it. Apps holds app definitions, or AppViews where counts are embedded.
type Group struct {
	ID           string   `json:"id"`
	Apps         []any    `json:"apps"`
	Pods         []any    `json:"pods"`
	Groups       []*Group `json:"groups"`
	Dependencies []string `json:"dependencies"`
	Version      string   `json:"version"`
	EnforceRole  *bool    `json:"enforceRole,omitempty"`
}

// Group is one group with what is below it.
func (c *Core) Group(id string, embed GroupEmbed) (*Group, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id != "/" && !c.isGroup(id) {
		return nil, &NotFound{Message: fmt.Sprintf("Group '%s' does not exist", id), Details: true}
	}
	return c.group(id, embed), nil
}

func (c *Core) group(id string, embed GroupEmbed) *Group {
	g := &Group{ID: id, Apps: []any{}, Pods: []any{}, Groups: []*Group{}, Dependencies: []string{}, Version: c.rootVersion}
	if state := c.groups[id]; state != nil {
		g.Version = state.Version
		g.Dependencies = append(g.Dependencies, state.Depends...)
		if path.Dir(id) == "/" {
			g.EnforceRole = &state.EnforceRole
		}
	}
	if embed.Apps {
		for _, app := range sortedKeys(c.apps) {
			if path.Dir(app) != id {
				continue
			}
			if embed.Counts || embed.App != (Embed{}) {
				g.Apps = append(g.Apps, c.view(app, embed.App))
			} else {
				g.Apps = append(g.Apps, c.apps[app].app)
			}
		}
	}
	if embed.Groups {
		for _, child := range sortedKeys(c.groups) {
			if child != "/" && path.Dir(child) == id {
				g.Groups = append(g.Groups, c.group(child, embed))
			}
		}
	}
	return g
}

type groupBody struct {
	ID           *string            `json:"id"`
	Apps         *[]json.RawMessage `json:"apps"`
	Groups       *[]json.RawMessage `json:"groups"`
	Pods         *[]json.RawMessage `json:"pods"`
	Dependencies *[]string          `json:"dependencies"`
	Version      *string            `json:"version"`
	ScaleBy      *float64           `json:"scaleBy"`
	EnforceRole  *bool              `json:"enforceRole"`
}

func decodeGroup(body []byte) (groupBody, error) {
	var g groupBody
	if err := spec.CheckSyntax(body); err != nil {
		return g, err
	}
	if err := json.Unmarshal(body, &g); err != nil {
		return g, &spec.Invalid{Message: "Invalid JSON", Details: []spec.Detail{{Path: "/", Errors: []string{err.Error()}}}}
	}
	switch {
	case g.ID != nil && !spec.ValidID(*g.ID):
		return g, &spec.Invalid{Message: "Invalid JSON", Details: []spec.Detail{{Path: "/id", Errors: []string{"error.pattern"}}}}
	case g.ScaleBy != nil && *g.ScaleBy < 0:
		return g, &spec.Invalid{Message: "Invalid JSON", Details: []spec.Detail{{Path: "/scaleBy", Errors: []string{"error.min"}}}}
	case g.Pods != nil && len(*g.Pods) > 0:
		return g, &spec.Unsupported{What: "pods"}
	case g.EnforceRole != nil && *g.EnforceRole:
		return g, &spec.Unsupported{What: "enforceRole"}
	case g.Version != nil && (g.Apps != nil || g.Groups != nil):
		return g, &spec.Invalid{Message: "Object is not valid", Details: []spec.Detail{{Path: "/version", Errors: []string{"not allowed in conjunction with other properties."}}}}
	case g.Version != nil:
		return g, &spec.Unsupported{What: "the return of a group to a version"}
	}
	return g, nil
}

// collect lays the apps that a group document names into target, and nil for those that it leaves out.
func (c *Core) collect(id string, g groupBody, target map[string]*spec.App, groups map[string][]string) error {
	groups[id] = nil
	if g.Dependencies != nil {
		for _, dependency := range *g.Dependencies {
			groups[id] = append(groups[id], spec.AbsoluteID(id, dependency))
		}
	}
	if g.Apps != nil {
		if err := c.collectApps(id, *g.Apps, target); err != nil {
			return err
		}
	}
	if g.Groups == nil {
		return nil
	}
	for app := range c.apps {
		if below(app, id) && path.Dir(app) != id {
			target[app] = nil
		}
	}
	for _, body := range *g.Groups {
		child, err := decodeGroup(body)
		if err != nil {
			return err
		}
		if child.ID == nil {
			return &spec.Invalid{Message: "Object is not valid", Details: []spec.Detail{{Path: "/id", Errors: []string{"not defined"}}}}
		}
		if err := c.collect(spec.AbsoluteID(id, *child.ID), child, target, groups); err != nil {
			return err
		}
	}
	return nil
}

// collectApps lays the apps of one group into target, and nil for those that are not named any more.
func (c *Core) collectApps(id string, bodies []json.RawMessage, target map[string]*spec.App) error {
	for app := range c.apps {
		if path.Dir(app) == id {
			target[app] = nil
		}
	}
	for n, body := range bodies {
		options := c.cfg.Options
		options.Base = id
		app, err := spec.Parse(body, options)
		if invalid, ok := err.(*spec.Invalid); ok {
			for i := range invalid.Details {
				invalid.Details[i].Path = fmt.Sprintf("/apps(%d)%s", n, invalid.Details[i].Path)
			}
		}
		if err != nil {
			return err
		}
		if path.Dir(app.ID) != id {
			return &spec.Invalid{Message: "Object is not valid", Details: []spec.Detail{{Path: fmt.Sprintf("/apps(%d)/id", n), Errors: []string{"Identifier is not child of '" + id + "'"}}}}
		}
		target[app.ID] = app
	}
	return nil
}

func below(app, group string) bool {
	return group == "/" || strings.HasPrefix(app, group+"/")
}

// CreateGroup makes a group that does not exist yet, below base.
func (c *Core) CreateGroup(base string, body []byte, r Request) (Result, error) {
	g, err := decodeGroup(body)
	if err != nil {
		return Result{}, err
	}
	id := base
	if g.ID != nil {
		id = spec.AbsoluteID(base, *g.ID)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case id == "/" || c.isGroup(id):
		return Result{}, &Conflict{Message: fmt.Sprintf("Group %s is already created. Use PUT to change this group.", id)}
	case c.apps[id] != nil:
		return Result{}, &Conflict{Message: fmt.Sprintf("An app with the path %s already exists.", id)}
	}
	return c.putGroup(id, g, r)
}

// UpdateGroup changes or makes a group. Arrays that are there are complete lists.
func (c *Core) UpdateGroup(id string, body []byte, r Request) (Result, error) {
	g, err := decodeGroup(body)
	if err != nil {
		return Result{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.putGroup(id, g, r)
}

func (c *Core) groupTarget(id string, g groupBody) (map[string]*spec.App, map[string][]string, error) {
	target, groups := map[string]*spec.App{}, map[string][]string{}
	if g.ScaleBy != nil {
		for app, state := range c.apps {
			if below(app, id) {
				target[app] = state.app.Clone()
				target[app].Instances = int(math.Ceil(float64(state.app.Instances) * *g.ScaleBy))
			}
		}
		return target, groups, nil
	}
	err := c.collect(id, g, target, groups)
	return target, groups, err
}

func (c *Core) putGroup(id string, g groupBody, r Request) (Result, error) {
	target, groups, err := c.groupTarget(id, g)
	if err != nil {
		return Result{}, err
	}
	version := c.newVersion()
	result, err := c.submit(change{version: version, target: target, force: r.Force, group: id}, nil)
	if err != nil {
		return Result{}, err
	}
	for named, depends := range groups {
		for group := named; group != "/"; group = path.Dir(group) {
			if c.groups[group] == nil {
				c.groups[group] = &groupState{}
			}
			c.groups[group].Version = version
		}
		if state := c.groups[named]; state != nil {
			state.Depends = depends
		}
	}
	if g.Groups != nil {
		for group := range c.groups {
			if _, named := groups[group]; !named && below(group, id) && !c.hasApps(group) {
				delete(c.groups, group)
			}
		}
	}
	c.saveRoot()
	return result, nil
}

func (c *Core) hasApps(group string) bool {
	for app := range c.apps {
		if below(app, group) {
			return true
		}
	}
	return false
}

// DryRunGroup is the plan that an UpdateGroup would make.
func (c *Core) DryRunGroup(id string, body []byte) ([]Step, error) {
	g, err := decodeGroup(body)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	target, _, err := c.groupTarget(id, g)
	if err != nil {
		return nil, err
	}
	original := map[string]*spec.App{}
	version := c.newVersion()
	for app := range target {
		if state := c.apps[app]; state != nil {
			original[app] = state.app
		}
		if target[app] != nil {
			c.stampVersion(target[app], original[app], version)
		}
	}
	return newPlan(version, c.rootVersion, original, target, c.now()).info().Steps, nil
}

// DeleteGroup removes a group with everything below it.
func (c *Core) DeleteGroup(id string, r Request) (Result, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id != "/" && !c.isGroup(id) {
		return Result{}, &NotFound{Message: fmt.Sprintf("Group '%s' does not exist", id)}
	}
	target := map[string]*spec.App{}
	for app := range c.apps {
		if below(app, id) {
			target[app] = nil
		}
	}
	return c.submit(change{version: c.newVersion(), target: target, force: r.Force, group: "/", dropGroup: id}, nil)
}

// Metrics is a small part of Marathon's metrics, under its names.
func (c *Core) Metrics() map[string]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	states := map[string]int{}
	for _, i := range c.insts {
		states[i.Condition]++
	}
	gauge := func(n int) map[string]any { return map[string]any{"value": spec.Float(n)} }
	return map[string]any{"version": "4.0.0", "counters": map[string]any{}, "histograms": map[string]any{}, "meters": map[string]any{}, "timers": map[string]any{},
		"gauges": map[string]any{"marathon.apps.active.gauge": gauge(len(c.apps)), "marathon.groups.active.gauge": gauge(len(c.groups) + 1),
			"marathon.deployments.active.gauge": gauge(len(c.plans)), "marathon.instances.running.gauge": gauge(states[running]),
			"marathon.instances.staged.gauge": gauge(states[staging] + states[provisioned])}}
}
