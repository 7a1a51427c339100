package core

import (
	"fmt"
	"math"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"github.com/jomctl/jomctl/internal/standin/marathon/spec"
)

// Deployment is a running plan as the API shows it.
type Deployment struct {
	ID             string          `json:"id"`
	Steps          []Step          `json:"steps"`
	Version        string          `json:"version"`
	AffectedApps   []string        `json:"affectedApps"`
	AffectedPods   []string        `json:"affectedPods"`
	CurrentActions []CurrentAction `json:"currentActions"`
	CurrentStep    int             `json:"currentStep"`
	TotalSteps     int             `json:"totalSteps"`
}

// CurrentAction is an action under way.
type CurrentAction struct {
	Action                string `json:"action"`
	App                   string `json:"app"`
	ReadinessCheckResults []any  `json:"readinessCheckResults"`
}

// Deployments lists the running plans, oldest first.
func (c *Core) Deployments() []Deployment {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := []Deployment{}
	for _, d := range c.plans {
		v := Deployment{ID: d.ID, Steps: d.info().Steps, Version: d.Version, AffectedApps: d.affected(), AffectedPods: []string{}, CurrentActions: []CurrentAction{},
			CurrentStep: d.Current + 1, TotalSteps: len(d.Steps)}
		for _, action := range d.Steps[d.Current].Actions {
			v.CurrentActions = append(v.CurrentActions, CurrentAction{Action: action.Action, App: action.App, ReadinessCheckResults: c.readiness(action.App)})
		}
		out = append(out, v)
	}
	return out
}

// CancelDeployment drops a plan (force: nothing is undone and the result is empty) or submits its inverse.
func (c *Core) CancelDeployment(id string, force bool) (Result, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.plans {
		if d.ID != id {
			continue
		}
		if force {
			c.cancel(d)
			return Result{}, nil
		}
		target := map[string]*spec.App{}
		for _, app := range d.affected() {
			before, now := d.Original[app], c.apps[app]
			wanted := d.Target[app]
			switch {
			case now != nil && wanted != nil && now.app.Version != wanted.Version:
				// Somebody else has changed it since.
			case before == nil && now != nil:
				target[app] = nil
			case before != nil:
				target[app] = before
			}
		}
		return c.submit(change{version: d.Root, target: target, force: true, group: "/", keep: true}, nil)
	}
	return Result{}, &NotFound{Message: fmt.Sprintf("DeploymentPlan %s does not exist", id), Details: true}
}

// Delay is the backoff of an app in the queue.
type Delay struct {
	TimeLeftSeconds int  `json:"timeLeftSeconds"`
	Overdue         bool `json:"overdue"`
}

// OfferSummary says what became of the offers looked at for an app.
type OfferSummary struct {
	ProcessedOffersCount       int    `json:"processedOffersCount"`
	UnusedOffersCount          int    `json:"unusedOffersCount"`
	LastUnusedOfferAt          string `json:"lastUnusedOfferAt,omitempty"`
	LastUsedOfferAt            string `json:"lastUsedOfferAt,omitempty"`
	RejectSummaryLastOffers    []Row  `json:"rejectSummaryLastOffers"`
	RejectSummaryLaunchAttempt []Row  `json:"rejectSummaryLaunchAttempt"`
}

// QueueItem is an app with instances that wait to be launched.
type QueueItem struct {
	Count                  int          `json:"count"`
	Role                   string       `json:"role"`
	Delay                  Delay        `json:"delay"`
	Since                  string       `json:"since"`
	ProcessedOffersSummary OfferSummary `json:"processedOffersSummary"`
	LastUnusedOffers       *[]any       `json:"lastUnusedOffers,omitempty"`
	App                    *spec.App    `json:"app"`
}

// Queue lists the apps that wait for launches.
func (c *Core) Queue(lastUnused bool) []QueueItem {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := []QueueItem{}
	now := c.now()
	for _, id := range sortedKeys(c.apps) {
		state := c.apps[id]
		count, since := 0, time.Time{}
		for _, i := range c.insts {
			if i.App == id && i.Goal == goalRunning && (i.Condition == scheduled || i.Condition == provisioned) {
				count++
				if since.IsZero() || i.Since.Before(since) {
					since = i.Since
				}
			}
		}
		if count == 0 {
			continue
		}
		s := &state.offers
		item := QueueItem{Count: count, Role: state.app.Role, Delay: Delay{Overdue: true}, Since: spec.Timestamp(since), App: state.app}
		if c.delayed(id, now) {
			item.Delay = Delay{TimeLeftSeconds: int(math.Floor(state.backoff.until.Sub(now).Seconds()))}
		}
		var last [][]string
		for _, agent := range sortedKeys(s.last) {
			last = append(last, s.last[agent].reasons)
		}
		item.ProcessedOffersSummary = OfferSummary{ProcessedOffersCount: s.processed, UnusedOffersCount: s.unused, LastUnusedOfferAt: stamp(s.lastUnused),
			LastUsedOfferAt: stamp(s.lastUsed), RejectSummaryLastOffers: summary(last), RejectSummaryLaunchAttempt: summary(s.attempt)}
		if lastUnused {
			offers := []any{}
			for _, agent := range sortedKeys(s.last) {
				offers = append(offers, unusedView(s.last[agent]))
			}
			item.LastUnusedOffers = &offers
		}
		out = append(out, item)
	}
	return out
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return spec.Timestamp(t)
}

func unusedView(u unused) map[string]any {
	resources := []map[string]any{}
	for _, r := range u.offer.Resources {
		v := map[string]any{"name": r.Name, "role": roleOf(r)}
		switch {
		case r.Scalar != nil:
			v["scalar"] = spec.Float(r.Scalar.Value)
		case r.Ranges != nil:
			spans := []map[string]any{}
			for _, span := range r.Ranges.Range {
				spans = append(spans, map[string]any{"begin": span.Begin, "end": span.End})
			}
			v["ranges"] = spans
		case r.Set != nil:
			v["set"] = r.Set.Item
		}
		resources = append(resources, v)
	}
	return map[string]any{"offer": map[string]any{"id": u.offer.ID.Value, "hostname": u.offer.Hostname, "agentId": u.offer.AgentID.Value, "resources": resources,
		"attributes": attributeViews(u.offer.Attributes)}, "reason": u.reasons, "timestamp": spec.Timestamp(u.at)}
}

func attributeViews(list []mesos.Attribute) []map[string]any {
	out := []map[string]any{}
	for _, a := range list {
		v := map[string]any{"name": a.Name}
		switch {
		case a.Text != nil:
			v["text"] = a.Text.Value
		case a.Scalar != nil:
			v["scalar"] = spec.Float(a.Scalar.Value)
		case a.Set != nil:
			v["set"] = a.Set.Item
		}
		out = append(out, v)
	}
	return out
}

// ResetDelay forgets an app's backoff.
func (c *Core) ResetDelay(id string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	state := c.apps[id]
	if state == nil || c.waitingOf(id) == 0 {
		return &NotFound{Message: fmt.Sprintf("Application %s not found in tasks queue.", id), Details: true}
	}
	state.backoff = backoff{}
	c.wantOffers()
	c.reviveTick(c.now())
	return nil
}

func (c *Core) stats(app string) map[string]any {
	all := c.instancesOf(app)
	info := c.apps[app].app.VersionInfo
	out := map[string]any{}
	add := func(name string, keep func(*Instance) bool) {
		counts := map[string]int{"staged": 0, "running": 0, "healthy": 0, "unhealthy": 0}
		var lifetimes []float64
		for _, i := range all {
			if !keep(i) || !i.active() {
				continue
			}
			switch i.Condition {
			case provisioned, staging:
				counts["staged"]++
			case running:
				counts["running"]++
				if i.allAlive() {
					counts["healthy"]++
				} else if len(i.health) > 0 && i.health[0].known() {
					counts["unhealthy"]++
				}
			}
			if started, err := time.Parse(time.RFC3339, i.StartedAt); err == nil {
				lifetimes = append(lifetimes, c.now().Sub(started).Seconds())
			}
		}
		if len(lifetimes) == 0 {
			return
		}
		sum := 0.0
		for _, l := range lifetimes {
			sum += l
		}
		out[name] = map[string]any{"stats": map[string]any{"counts": counts, "lifeTime": map[string]any{
			"averageSeconds": spec.Float(sum / float64(len(lifetimes))), "medianSeconds": spec.Float(lifetimes[len(lifetimes)/2])}}}
	}
	add("startedAfterLastScaling", func(i *Instance) bool { return i.Version >= info.LastScalingAt })
	add("withLatestConfig", func(i *Instance) bool { return i.ConfigVersion == info.LastConfigChangeAt })
	add("withOutdatedConfig", func(i *Instance) bool { return i.ConfigVersion != info.LastConfigChangeAt })
	add("totalSummary", func(*Instance) bool { return true })
	return out
}
