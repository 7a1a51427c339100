package core

import (
	"context"
	"fmt"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"github.com/jomctl/jomctl/internal/standin/marathon/health"
	"github.com/jomctl/jomctl/internal/standin/marathon/spec"
)

// healthResult is what is known of one check of one instance. It outlives a relaunch of the instance that is faster than one
// interval of the check, with its count of failures: the real program does the same.
type healthResult struct {
	firstSuccess, lastSuccess, lastFailure time.Time
	cause                                  string
	failures                               int
}

func (h *healthResult) alive() bool {
	return !h.lastSuccess.IsZero() && h.lastSuccess.After(h.lastFailure)
}

func (h *healthResult) known() bool { return !h.lastSuccess.IsZero() || !h.lastFailure.IsZero() }

func (i *Instance) allAlive() bool {
	for _, h := range i.health {
		if !h.alive() {
			return false
		}
	}
	return len(i.health) > 0
}

func (c *Core) dropStaleHealth(i *Instance, now time.Time) {
	app := c.specOf(i)
	if app == nil || i.endedAt.IsZero() {
		return
	}
	for n, h := range app.HealthChecks {
		if n < len(i.health) && now.Sub(i.endedAt) > seconds(h.IntervalSeconds) {
			i.health[n] = &healthResult{}
		}
	}
}

// startChecks begins what Marathon itself asks of a running instance. The lock is held.
func (c *Core) startChecks(i *Instance) {
	app := c.specOf(i)
	c.stopChecks(i)
	if app == nil || c.stopped {
		return
	}
	for len(i.health) < len(app.HealthChecks) {
		i.health = append(i.health, &healthResult{})
	}
	if len(app.HealthChecks) == 0 && len(app.ReadinessChecks) == 0 {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	i.stopChecks = cancel
	task := i.TaskID
	for n, h := range app.HealthChecks {
		if !h.Mesos() {
			target := health.Target{Protocol: h.Protocol, Host: i.checkHost(app), Port: checkPort(app, &app.HealthChecks[n], i.Ports), Timeout: seconds(h.TimeoutSeconds),
				Ignore1xx: h.IgnoreHTTP1xx != nil && *h.IgnoreHTTP1xx}
			if h.Path != nil {
				target.Path = *h.Path
			}
			go health.Every(ctx, seconds(h.IntervalSeconds), func() {
				result := health.Probe(ctx, target)
				if ctx.Err() == nil && !result.Ignored {
					c.probed(i.ID, task, n, result.OK, result.Cause)
				}
			})
		}
	}
	if len(app.ReadinessChecks) > 0 && c.deploying(i.App) {
		c.startReadiness(ctx, i, app, task)
	}
}

func (i *Instance) checkHost(app *spec.App) string {
	if !app.HostMode() && app.Networks[0].Mode == "container" && len(i.IPs) > 0 {
		return i.IPs[0]
	}
	return i.Host
}

func (c *Core) deploying(app string) bool {
	for _, d := range c.plans {
		for _, id := range d.affected() {
			if id == app {
				return true
			}
		}
	}
	return false
}

func (c *Core) startReadiness(ctx context.Context, i *Instance, app *spec.App, task string) {
	check := app.ReadinessChecks[0]
	port := 0
	if n := app.PortIndexByName(check.PortName); n >= 0 && n < len(i.Ports) {
		port = i.Ports[n]
	}
	target := health.Target{Protocol: check.Protocol, Host: i.checkHost(app), Port: port, Path: check.Path, Timeout: seconds(check.TimeoutSeconds)}
	id := i.ID
	go health.Every(ctx, seconds(check.IntervalSeconds), func() {
		result := health.Probe(ctx, target)
		c.mu.Lock()
		defer c.mu.Unlock()
		i := c.insts[id]
		if ctx.Err() != nil || i == nil || i.TaskID != task || i.ready {
			return
		}
		for _, code := range check.HTTPStatusCodesForReady {
			i.ready = i.ready || code == result.Status
		}
		i.readyResults = map[string]any{"name": check.Name, "taskId": task, "ready": i.ready}
		if check.PreserveLastResponse && result.Status != 0 {
			i.readyResults["lastResponse"] = map[string]any{"status": result.Status, "contentType": result.ContentType, "body": result.Body}
		}
		c.progress()
	})
}

// inheritHealth fills in what an earlier leader has stored about a running instance.
func (c *Core) inheritHealth(i *Instance) {
	app := c.specOf(i)
	if app == nil || i.MesosHealth == nil {
		return
	}
	for n, h := range app.HealthChecks {
		switch {
		case !h.Mesos() || n >= len(i.health):
		case *i.MesosHealth:
			i.health[n].firstSuccess, i.health[n].lastSuccess = c.now(), c.now()
		default:
			i.health[n].lastFailure, i.health[n].failures = c.now(), 1
		}
	}
}

func (c *Core) stopChecks(i *Instance) {
	if i.stopChecks != nil {
		i.stopChecks()
		i.stopChecks = nil
	}
}

func (c *Core) probed(id, task string, n int, ok bool, cause string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.insts[id]
	if i == nil || i.TaskID != task || i.Condition != running || n >= len(i.health) {
		return
	}
	c.healthSeen(i, n, ok, cause)
	c.progress()
	c.reviveTick(c.now())
}

// mesosHealth takes the result of a check that the Mesos agent made. The agent counts and kills by itself.
func (c *Core) mesosHealth(i *Instance, status *mesos.TaskStatus) {
	if status.Healthy == nil {
		return
	}
	if i.MesosHealth == nil || *i.MesosHealth != *status.Healthy {
		i.MesosHealth = ptr(*status.Healthy)
		c.saveInstance(i)
	}
	app := c.specOf(i)
	if app == nil {
		return
	}
	for n, h := range app.HealthChecks {
		if h.Mesos() && n < len(i.health) {
			c.healthSeen(i, n, *status.Healthy, status.GetMessage())
		}
	}
}

func (c *Core) healthSeen(i *Instance, n int, ok bool, cause string) {
	app := c.specOf(i)
	if app == nil {
		return
	}
	check, h, now := app.HealthChecks[n], i.health[n], c.now()
	before, knownBefore := h.alive(), h.known()
	beforeAll := i.allAlive()
	if ok {
		h.lastSuccess, h.failures = now, 0
		if h.firstSuccess.IsZero() {
			h.firstSuccess = now
		}
	} else {
		if h.firstSuccess.IsZero() && now.Sub(i.Since) < seconds(check.GracePeriodSeconds) && !check.Mesos() {
			return
		}
		c.bus.Publish("failed_health_check_event", map[string]any{"appId": i.App, "healthCheck": check, "taskId": i.ID})
		kill := !check.Mesos() && check.MaxConsecutiveFailures > 0 && h.failures >= check.MaxConsecutiveFailures
		h.failures++
		h.lastFailure, h.cause = now, cause
		if kill && i.killSent.IsZero() {
			c.logf("task %s failed its health check %d times: %s", i.TaskID, h.failures, cause)
			c.bus.Publish("unhealthy_instance_kill_event", map[string]any{"appId": i.App, "taskId": i.TaskID, "instanceId": i.ID, "version": i.Version,
				"reason": cause, "host": i.Host, "slaveId": i.AgentID})
			c.sendKillOf(i)
		}
	}
	if h.alive() != before || !knownBefore {
		c.bus.Publish("health_status_changed_event", map[string]any{"appId": i.App, "instanceId": i.ID, "version": i.Version, "alive": h.alive()})
	}
	if all := i.allAlive(); all != beforeAll || !knownBefore {
		c.bus.Publish("instance_health_changed_event", map[string]any{"instanceId": i.ID, "runSpecId": i.App, "healthy": all, "runSpecVersion": i.Version})
	}
}

func (c *Core) healthResults(i *Instance) []map[string]any {
	out := []map[string]any{}
	for _, h := range i.health {
		r := map[string]any{"alive": h.alive(), "consecutiveFailures": h.failures, "instanceId": fmt.Sprintf("instance [%s]", i.ID)}
		for name, at := range map[string]time.Time{"firstSuccess": h.firstSuccess, "lastSuccess": h.lastSuccess, "lastFailure": h.lastFailure} {
			if !at.IsZero() {
				r[name] = spec.Timestamp(at)
			}
		}
		if !h.lastFailure.IsZero() && h.cause != "" {
			r["lastFailureCause"] = h.cause
		}
		out = append(out, r)
	}
	return out
}
