package core

import (
	"math"
	"time"

	sched "github.com/mesos/mesos-go/api/v1/lib/scheduler"
)

// backoff delays launches of an app whose tasks end badly. It lives in memory only: a new leader starts without.
type backoff struct {
	config  string // lastConfigChangeAt that it belongs to
	delay   time.Duration
	until   time.Time
	expired bool // the end of the delay has been noticed
}

func (c *Core) backoffOf(i *Instance) (*backoff, *appState) {
	state := c.apps[i.App]
	if state == nil || state.app.VersionInfo == nil {
		return nil, nil
	}
	if state.backoff.config != i.ConfigVersion {
		if i.ConfigVersion != state.app.VersionInfo.LastConfigChangeAt {
			return nil, nil
		}
		state.backoff = backoff{config: i.ConfigVersion}
	}
	return &state.backoff, state
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

func (c *Core) failBackoff(i *Instance, now time.Time) {
	b, state := c.backoffOf(i)
	if b == nil {
		return
	}
	limit := seconds(state.app.MaxLaunchDelaySeconds)
	if b.delay == 0 {
		b.delay = min(seconds(state.app.BackoffSeconds), limit)
	} else {
		b.delay = min(time.Duration(math.Round(float64(b.delay)*float64(state.app.BackoffFactor))), limit)
	}
	b.until, b.expired = now.Add(b.delay), false
}

func (c *Core) advanceBackoff(i *Instance, now time.Time) {
	if b, _ := c.backoffOf(i); b != nil && b.delay > 0 {
		b.until = now.Add(b.delay)
	}
}

// backoffTick forgets old delays and asks for offers when one ends.
func (c *Core) backoffTick(now time.Time) {
	for id, state := range c.apps {
		b := &state.backoff
		if b.delay == 0 || now.Before(b.until) {
			continue
		}
		if !b.expired {
			b.expired = true
			if c.waitingOf(id) > 0 {
				c.wantOffers()
			}
		}
		if now.After(b.until.Add(seconds(state.app.MaxLaunchDelaySeconds))) {
			state.backoff = backoff{config: b.config}
		}
	}
}

func (c *Core) delayed(app string, now time.Time) bool {
	state := c.apps[app]
	return state != nil && state.backoff.delay > 0 && now.Before(state.backoff.until)
}

func (c *Core) waitingOf(app string) int {
	n := 0
	for _, i := range c.insts {
		if i.App == app && i.waiting() {
			n++
		}
	}
	return n
}

// wantOffers asks for offers twice, as the first answer may come before everything is ready to be launched.
func (c *Core) wantOffers() { c.mesos.revive = 2 }

func (c *Core) wanting(now time.Time) bool {
	for _, i := range c.insts {
		if i.waiting() && !c.delayed(i.App, now) && c.apps[i.App] != nil {
			return true
		}
	}
	return false
}

func (c *Core) reviveTick(now time.Time) {
	m := &c.mesos
	if !m.subscribed {
		return
	}
	if !c.wanting(now) {
		m.revive = 0
		if !m.suppressed && c.cfg.Suppress {
			m.suppressed = true
			c.send(&sched.Call{Type: sched.Call_SUPPRESS, Suppress: &sched.Call_Suppress{}})
		}
		return
	}
	if m.suppressed && m.revive == 0 {
		m.revive = 1
	}
	if m.revive > 0 && now.Sub(m.lastRevive) >= c.cfg.MinRevive {
		m.revive--
		m.lastRevive, m.suppressed = now, false
		c.send(&sched.Call{Type: sched.Call_REVIVE, Revive: &sched.Call_Revive{}})
	}
}
