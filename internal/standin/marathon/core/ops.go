package core

import (
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/standin/marathon/spec"
)

// NotFound is answered with 404. Details says whether the body carries an empty details list, as reads do.
type NotFound struct {
	Message string
	Details bool
}

func (e *NotFound) Error() string { return e.Message }

// Conflict is answered with 409; Locks names the plans that stand in the way.
type Conflict struct {
	Message string
	Locks   []string
}

func (e *Conflict) Error() string { return e.Message }

// Refused is answered with Status and Message.
type Refused struct {
	Status  int
	Message string
}

func (e *Refused) Error() string { return e.Message }

const locked = "App is locked by one or more deployments. Override with the option '?force=true'. View details at '/v2/deployments/<DEPLOYMENT_ID>'."

// Request is what a change needs to know of the HTTP request.
type Request struct {
	Force    bool
	ClientIP string
	URI      string
}

// Result is the answer to a change.
type Result struct {
	DeploymentID string `json:"deploymentId"`
	Version      string `json:"version"`
}

func appMissing(id string, details bool) error {
	return &NotFound{Message: fmt.Sprintf("App '%s' does not exist", id), Details: details}
}

// newVersion is the present time, but never a version that was given before.
func (c *Core) newVersion() string {
	v := spec.Timestamp(c.now())
	if v <= c.rootVersion {
		if last, err := time.Parse(time.RFC3339, c.rootVersion); err == nil {
			v = spec.Timestamp(last.Add(time.Millisecond))
		}
	}
	return v
}

// change is a set of apps to be replaced (nil: removed) and how it is announced.
type change struct {
	version   string
	target    map[string]*spec.App
	force     bool
	group     string // groupId of the group_change event
	keep      bool   // target apps carry their versions already (rollback)
	dropGroup string
}

// submit turns a change into a plan. announce runs between the plan's first events and the work itself. The lock is held.
func (c *Core) submit(ch change, announce func()) (Result, error) {
	original, target := map[string]*spec.App{}, map[string]*spec.App{}
	for id, state := range c.apps {
		original[id], target[id] = state.app, state.app
	}
	for id, app := range ch.target {
		if app == nil {
			delete(target, id)
			continue
		}
		target[id] = app
	}
	if err := c.checkTree(target, ch); err != nil {
		return Result{}, err
	}
	if err := c.assignPorts(ch, target); err != nil {
		return Result{}, err
	}
	if !ch.keep {
		for id, app := range ch.target {
			if app != nil {
				c.stampVersion(app, original[id], ch.version)
			}
		}
	}
	before, after := map[string]*spec.App{}, map[string]*spec.App{}
	for id := range ch.target {
		before[id], after[id] = original[id], target[id]
	}
	d := newPlan(ch.version, c.rootVersion, before, after, c.now())
	if err := c.admit(d, ch); err != nil {
		return Result{}, err
	}
	c.commit(ch, d)
	c.begin(d)
	c.bus.Publish("group_change_success", map[string]any{"groupId": ch.group, "version": ch.version})
	if announce != nil {
		announce()
	}
	c.progress()
	c.reviveTick(c.now())
	return Result{DeploymentID: d.ID, Version: ch.version}, nil
}

func (c *Core) admit(d *deployment, ch change) error {
	fail := func(reason string) {
		c.bus.Publish("deployment_failed", deploymentEnd{ID: d.ID, Plan: d.info(), Reason: reason})
		c.bus.Publish("group_change_failed", map[string]any{"groupId": ch.group, "version": ch.version, "reason": reason})
	}
	others := c.conflicts(d)
	if len(others) > 0 && !ch.force {
		fail(locked)
		err := &Conflict{Message: locked}
		for _, other := range others {
			err.Locks = append(err.Locks, other.ID)
		}
		return err
	}
	if len(d.Steps) > 0 && len(c.plans)-len(others) >= c.cfg.MaxRunningDeployments {
		text := fmt.Sprintf("Max number (%d) of running deployments is achieved. Wait for existing deployments to complete or cancel one using force=true parameter. "+
			"You can increase max deployment number by using --max_running_deployments parameter but be advised that this can have negative effects on the performance.", c.cfg.MaxRunningDeployments)
		fail(text)
		return &Refused{Status: 403, Message: text}
	}
	for _, other := range others {
		c.cancel(other)
	}
	return nil
}

func (c *Core) checkTree(target map[string]*spec.App, ch change) error {
	if c.cfg.MaxApps > 0 && len(target) > c.cfg.MaxApps {
		return &spec.Invalid{Message: "Object is not valid", Details: []spec.Detail{{Path: "/", Errors: []string{fmt.Sprintf("This Marathon instance may only handle up to %d Apps!", c.cfg.MaxApps)}}}}
	}
	for id := range ch.target {
		if ch.target[id] == nil {
			continue
		}
		if c.isGroup(id) {
			return &spec.Invalid{Message: "Object is not valid", Details: []spec.Detail{{Path: "/", Errors: []string{"Groups and Applications may not have the same identifier."}}}}
		}
		for parent := path.Dir(id); parent != "/"; parent = path.Dir(parent) {
			if target[parent] != nil {
				return &spec.Invalid{Message: "Object is not valid", Details: []spec.Detail{{Path: "/", Errors: []string{"Groups and Applications may not have the same identifier."}}}}
			}
		}
	}
	if cyclic(target) {
		return &spec.Invalid{Message: "Object is not valid", Details: []spec.Detail{{Path: "/", Errors: []string{"Dependency graph has cyclic dependencies."}}}}
	}
	return nil
}

func cyclic(apps map[string]*spec.App) bool {
	state := map[string]int{}
	var visit func(id string) bool
	visit = func(id string) bool {
		app := apps[id]
		if app == nil || state[id] == 2 {
			return false
		}
		if state[id] == 1 {
			return true
		}
		state[id] = 1
		for _, dependency := range app.Dependencies {
			if visit(dependency) {
				return true
			}
		}
		state[id] = 2
		return false
	}
	for id := range apps {
		if visit(id) {
			return true
		}
	}
	return false
}

func (c *Core) assignPorts(ch change, target map[string]*spec.App) error {
	used := map[int]bool{}
	for _, app := range target {
		for _, port := range app.ServicePorts() {
			used[port] = true
		}
	}
	for _, id := range sortedKeys(ch.target) {
		app := ch.target[id]
		if app == nil {
			continue
		}
		var old *spec.App
		if state := c.apps[id]; state != nil {
			old = state.app
		}
		if !spec.AssignServicePorts(app, old, used, c.cfg.LocalPortMin, c.cfg.LocalPortMax) {
			return &Refused{Status: 500, Message: fmt.Sprintf("All ports in the range [%d-%d) are already in use", c.cfg.LocalPortMin, c.cfg.LocalPortMax)}
		}
		for _, port := range app.ServicePorts() {
			used[port] = true
		}
	}
	return nil
}

func (c *Core) stampVersion(app, old *spec.App, version string) {
	switch {
	case old == nil || app.VersionInfo != nil && app.VersionInfo.LastConfigChangeAt == "restart":
		app.Version, app.VersionInfo = version, &spec.VersionInfo{LastScalingAt: version, LastConfigChangeAt: version}
	case !spec.SameButScale(app, old):
		app.Version, app.VersionInfo = version, &spec.VersionInfo{LastScalingAt: version, LastConfigChangeAt: version}
	case app.Instances != old.Instances:
		app.Version, app.VersionInfo = version, &spec.VersionInfo{LastScalingAt: version, LastConfigChangeAt: old.VersionInfo.LastConfigChangeAt}
	default:
		app.Version, app.VersionInfo = old.Version, old.VersionInfo
	}
}

// commit makes the change the present state and stores it.
func (c *Core) commit(ch change, d *deployment) {
	c.rootVersion = ch.version
	if ch.keep {
		c.rootVersion = d.Root
	}
	for id, app := range ch.target {
		if app == nil {
			c.dropApp(id)
			continue
		}
		state := c.apps[id]
		if state == nil {
			state = &appState{versions: map[string]*spec.App{}}
			c.apps[id] = state
		}
		if state.app == nil || state.app.VersionInfo.LastConfigChangeAt != app.VersionInfo.LastConfigChangeAt {
			state.backoff = backoff{config: app.VersionInfo.LastConfigChangeAt}
		}
		state.app = app
		state.versions[app.Version] = app
		c.putJSON("apps", underscored(id), app)
		c.putJSON("apps", underscored(id)+"/"+app.Version, app)
		c.trimVersions(id, state)
		for parent := path.Dir(id); parent != "/"; parent = path.Dir(parent) {
			if c.groups[parent] == nil {
				c.groups[parent] = &groupState{}
			}
			c.groups[parent].Version = ch.version
		}
	}
	if ch.dropGroup != "" {
		for id := range c.groups {
			if id == ch.dropGroup || ch.dropGroup == "/" || strings.HasPrefix(id, ch.dropGroup+"/") {
				delete(c.groups, id)
			}
		}
	}
	c.saveRoot()
}

func (c *Core) dropApp(id string) {
	state := c.apps[id]
	if state == nil {
		return
	}
	for version := range state.versions {
		c.store.Delete("apps", underscored(id)+"/"+version)
	}
	c.store.Delete("apps", underscored(id))
	c.store.Delete("taskFailures", underscored(id))
	delete(c.apps, id)
	for parent := path.Dir(id); parent != "/"; parent = path.Dir(parent) {
		if g := c.groups[parent]; g != nil {
			g.Version = c.rootVersion
		}
	}
}

func (c *Core) trimVersions(id string, state *appState) {
	versions := sortedKeys(state.versions)
	for len(versions) > c.cfg.MaxVersions {
		oldest := versions[0]
		versions = versions[1:]
		inUse := oldest == state.app.Version
		for _, i := range c.insts {
			inUse = inUse || (i.App == id && i.Version == oldest)
		}
		if !inUse {
			delete(state.versions, oldest)
			c.store.Delete("apps", underscored(id)+"/"+oldest)
		}
	}
}

func (c *Core) isGroup(id string) bool {
	if c.groups[id] != nil {
		return true
	}
	for app := range c.apps {
		if strings.HasPrefix(app, id+"/") {
			return true
		}
	}
	return false
}

func (c *Core) announcePost(r Request, app *spec.App) func() {
	return func() {
		c.bus.Publish("api_post_event", map[string]any{"clientIp": r.ClientIP, "uri": r.URI, "appDefinition": app})
	}
}
