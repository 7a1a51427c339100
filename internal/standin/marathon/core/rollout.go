package core

import (
	"math"
	"sort"

	"github.com/jomctl/jomctl/internal/standin/marathon/spec"
)

// restart is what a RestartApplication remembers: how many old instances it may kill before any new one is ready.
type restart struct {
	kill, capacity, old int
}

// live are the instances that count towards the wanted number.
func live(all []*Instance) []*Instance {
	var out []*Instance
	for _, i := range all {
		if i.Goal == goalRunning && i.Condition != unreachableInactive {
			out = append(out, i)
		}
	}
	return out
}

func (c *Core) startInstances(app *spec.App, n int) {
	for range n {
		i := newInstance(app, c.now())
		c.insts[i.ID] = i
		c.changed(i, scheduled)
	}
	if n > 0 {
		c.wantOffers()
	}
}

// up says whether an instance counts as started for a deployment.
func (c *Core) up(d *deployment, app *spec.App, i *Instance) bool {
	if i.waiting() && d.inherited[i.ID] && len(app.HealthChecks) == 0 {
		return true // the fault of the real program after a change of leader
	}
	if i.Condition != running {
		return false
	}
	for n := range app.HealthChecks {
		if n >= len(i.health) || !i.health[n].alive() {
			return false
		}
	}
	return len(app.ReadinessChecks) == 0 || i.ready
}

func (c *Core) scaleApp(d *deployment, id string) bool {
	app := d.Target[id]
	all := c.instancesOf(id)
	count := live(all)
	if missing := app.Instances - len(count); missing > 0 {
		c.startInstances(app, missing)
		return false
	}
	c.scaleDown(app, count)
	up := 0
	for _, i := range c.instancesOf(id) {
		switch {
		case i.Goal == goalDecommissioned:
			return false
		case c.up(d, app, i):
			up++
		}
	}
	return up >= app.Instances
}

// keepCount brings an app without deployment to its number of instances.
func (c *Core) keepCount(app *spec.App) {
	count := live(c.instancesOf(app.ID))
	if missing := app.Instances - len(count); missing > 0 {
		c.startInstances(app, missing)
		return
	}
	c.scaleDown(app, count)
}

func (c *Core) scaleDown(app *spec.App, count []*Instance) {
	excess := len(count) - app.Instances
	if excess <= 0 {
		return
	}
	c.sortForKill(app, count)
	for _, i := range count[:excess] {
		c.decommission(i)
	}
}

// sortForKill puts the instances that are killed first in front. Those that wait for an offer go first.
func (c *Core) sortForKill(app *spec.App, list []*Instance) {
	rank := map[string]int{scheduled: 0, provisioned: 1, unreachable: 1, staging: 2, starting: 3}
	of := func(i *Instance) int {
		if n, ok := rank[i.Condition]; ok {
			return n
		}
		return 4
	}
	sort.SliceStable(list, func(a, b int) bool {
		if of(list[a]) != of(list[b]) {
			return of(list[a]) < of(list[b])
		}
		if app.KillSelection == "OLDEST_FIRST" {
			return list[a].Created.Before(list[b].Created)
		}
		return list[b].Created.Before(list[a].Created)
	})
}

func (c *Core) restartApp(d *deployment, id string) bool {
	app := d.Target[id]
	old, fresh, alive := c.generations(app)
	r := d.restarts[id]
	if r == nil {
		r = c.beginRestart(app, old)
		if d.restarts == nil {
			d.restarts = map[string]*restart{}
		}
		d.restarts[id] = r
		old, fresh, alive = c.generations(app)
	}
	ready := 0
	for _, i := range fresh {
		if c.up(d, app, i) {
			ready++
		}
	}
	var keep []*Instance
	for _, i := range old {
		if i.Goal == goalRunning {
			keep = append(keep, i)
		}
	}
	quota := r.kill + ready - (r.old - len(keep))
	c.sortForKill(app, keep)
	for n := 0; n < quota && n < len(keep); n++ {
		c.decommission(keep[n])
	}
	missing := app.Instances - len(fresh)
	if missing < 0 {
		c.sortForKill(app, fresh)
		for _, i := range fresh[:-missing] {
			c.decommission(i)
		}
	}
	if start := min(missing, r.capacity-alive); start > 0 {
		c.startInstances(app, start)
		return false
	}
	gone, _, _ := c.generations(app)
	return ready >= app.Instances && len(gone) == 0 && missing == 0
}

// generations splits an app's instances into those of older configurations and the wanted new ones, and counts what runs or will.
func (c *Core) generations(app *spec.App) (old, fresh []*Instance, alive int) {
	for _, i := range c.instancesOf(app.ID) {
		switch {
		case i.ConfigVersion != app.VersionInfo.LastConfigChangeAt || i.Goal != goalRunning:
			old = append(old, i)
			if i.active() {
				alive++
			}
		case i.Condition != unreachableInactive:
			fresh = append(fresh, i)
			alive++
		}
	}
	return old, fresh, alive
}

// beginRestart computes how a rolling restart moves. Old instances without a task go at once. Instances of apps with checks that
// Marathon makes itself never count as healthy here, which is why such an app cannot be replaced within 0 extra capacity.
func (c *Core) beginRestart(app *spec.App, old []*Instance) *restart {
	r := &restart{}
	healthy := 0
	for _, i := range old {
		if i.Goal == goalRunning && !i.active() {
			c.decommission(i)
			continue
		}
		if i.Goal != goalRunning {
			continue
		}
		r.old++
		if i.Condition == running && c.countsAsHealthy(i) {
			healthy++
		}
	}
	n := float64(app.Instances)
	floor := int(math.Ceil(n * float64(app.UpgradeStrategy.MinimumHealthCapacity)))
	r.capacity = int(math.Floor(n * (1 + float64(app.UpgradeStrategy.MaximumOverCapacity))))
	if floor == r.capacity && r.capacity <= healthy {
		r.capacity++
	}
	r.kill = max(0, healthy-floor)
	return r
}

func (c *Core) countsAsHealthy(i *Instance) bool {
	app := c.specOf(i)
	if app == nil || len(app.HealthChecks) == 0 {
		return true
	}
	return i.MesosHealth != nil && *i.MesosHealth
}
