package core

import (
	"sort"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	sched "github.com/mesos/mesos-go/api/v1/lib/scheduler"

	"github.com/jomctl/jomctl/internal/standin/marathon/spec"
)

// Reasons why an offer was not used, in the order of Marathon's funnel.
var funnel = [...]string{"UnfulfilledRole", "UnfulfilledConstraint", "NoCorrespondingReservationFound", "AgentMaintenance", "InsufficientCpus", "InsufficientMemory",
	"InsufficientDisk", "InsufficientGpus", "InsufficientPorts", "DeclinedScarceResources"}

// Row is one row of a reject summary.
type Row struct {
	Reason    string `json:"reason"`
	Declined  int    `json:"declined"`
	Processed int    `json:"processed"`
}

type unused struct {
	offer   mesos.Offer
	reasons []string
	at      time.Time
}

// offerStats is what the launch queue remembers of the offers that it looked at for an app.
type offerStats struct {
	processed, unused    int
	lastUnused, lastUsed time.Time
	last                 map[string]unused // by agent
	attempt              [][]string        // reasons of each unused offer since the last launch
	since                time.Time
}

func (s *offerStats) refuse(offer mesos.Offer, reasons []string, now time.Time) {
	s.processed++
	s.unused++
	s.lastUnused = now
	if s.last == nil {
		s.last = map[string]unused{}
	}
	s.last[offer.AgentID.Value] = unused{offer: offer, reasons: reasons, at: now}
	s.attempt = append(s.attempt, reasons)
}

func (s *offerStats) use(offer mesos.Offer, now time.Time) {
	s.processed++
	s.lastUsed = now
	delete(s.last, offer.AgentID.Value)
	s.attempt = nil
}

func summary(all [][]string) []Row {
	rows := make([]Row, len(funnel))
	for r, reason := range funnel {
		rows[r] = Row{Reason: reason, Processed: len(all)}
		var rest [][]string
		for _, reasons := range all {
			if contains(reasons, reason) {
				rows[r].Declined++
			} else {
				rest = append(rest, reasons)
			}
		}
		all = rest
	}
	return rows
}

func contains(list []string, s string) bool {
	for _, item := range list {
		if item == s {
			return true
		}
	}
	return false
}

// Offers uses what fits and declines the rest.
func (c *Core) Offers(offers []mesos.Offer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return
	}
	var declined []mesos.OfferID
	for _, offer := range offers {
		ops := c.match(offer)
		if len(ops) == 0 {
			declined = append(declined, offer.ID)
			continue
		}
		refuse := 0.0
		c.send(&sched.Call{Type: sched.Call_ACCEPT, Accept: &sched.Call_Accept{OfferIDs: []mesos.OfferID{offer.ID},
			Operations: []mesos.Offer_Operation{{Type: mesos.Offer_Operation_LAUNCH, Launch: &mesos.Offer_Operation_Launch{TaskInfos: ops}}},
			Filters:    &mesos.Filters{RefuseSeconds: &refuse}}})
	}
	if len(declined) > 0 {
		seconds := c.cfg.Decline.Seconds()
		c.send(&sched.Call{Type: sched.Call_DECLINE, Decline: &sched.Call_Decline{OfferIDs: declined, Filters: &mesos.Filters{RefuseSeconds: &seconds}}})
	}
	c.reviveTick(c.now())
}

// match launches waiting instances on one offer, an app after the other, and returns their tasks.
func (c *Core) match(offer mesos.Offer) []mesos.TaskInfo {
	now := c.now()
	pool := newPool(offer)
	var tasks []mesos.TaskInfo
	refused, counted := map[string]bool{}, map[string]bool{}
	for len(tasks) < c.cfg.MaxInstancesPerOffer {
		launched := false
		for _, i := range c.launchable(now, refused) {
			if len(tasks) >= c.cfg.MaxInstancesPerOffer || len(c.mesos.inFlight) >= c.cfg.LaunchTokens {
				return tasks
			}
			state := c.apps[i.App]
			app := c.specOf(i)
			taken, reasons := c.fit(app, i, pool)
			if c.queueDead {
				return tasks
			}
			if len(reasons) > 0 {
				if !counted[i.App] {
					state.offers.refuse(offer, reasons, now)
				}
				refused[i.App], counted[i.App] = true, true
				continue
			}
			if !counted[i.App] {
				state.offers.use(offer, now)
				counted[i.App] = true
			}
			tasks = append(tasks, c.provision(i, app, offer, taken, now))
			launched = true
		}
		if !launched {
			break
		}
	}
	return tasks
}

// launchable is the next waiting instance of every app that may launch now, the longest waiting app first.
func (c *Core) launchable(now time.Time, refused map[string]bool) []*Instance {
	next := map[string]*Instance{}
	for _, i := range c.insts {
		if !i.waiting() || refused[i.App] || c.delayed(i.App, now) || c.apps[i.App] == nil || c.queueDead {
			continue
		}
		if best := next[i.App]; best == nil || i.Since.Before(best.Since) || (i.Since.Equal(best.Since) && i.ID < best.ID) {
			next[i.App] = i
		}
	}
	out := make([]*Instance, 0, len(next))
	for _, i := range next {
		out = append(out, i)
	}
	sort.Slice(out, func(a, b int) bool { return out[a].Since.Before(out[b].Since) })
	return out
}

func (c *Core) provision(i *Instance, app *spec.App, offer mesos.Offer, taken taken, now time.Time) mesos.TaskInfo {
	i.Incarnation++
	i.TaskID = taskID(i)
	i.Condition, i.Since, i.TaskState = provisioned, now, "TASK_STAGING"
	i.AgentID, i.Host, i.Attributes = offer.AgentID.Value, offer.Hostname, attributes(offer)
	i.Region, i.Zone = "", ""
	if offer.Domain != nil && offer.Domain.FaultDomain != nil {
		i.Region, i.Zone = offer.Domain.FaultDomain.Region.Name, offer.Domain.FaultDomain.Zone.Name
	}
	i.Ports, i.IPs = taken.ports, nil
	i.StagedAt, i.StartedAt, i.killSent = spec.Timestamp(now), "", time.Time{}
	c.mesos.inFlight[i.ID] = true
	c.advanceBackoff(i, now)
	c.changed(i, provisioned)
	return buildTask(app, i, taken, c.cfg.EnvPrefix)
}
