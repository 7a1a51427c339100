package master

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler"
)

// defaultRefuse is the time that a DECLINE without filters keeps the resources away, in seconds.
const defaultRefuse = 5.0

// maxRefuse is the longest filter that the real master takes, in seconds (a year).
const maxRefuse = 31536000.0

// allocate offers what is free to the frameworks that have the least, all that is free of one agent to one of them.
func (c *core) allocate() {
	c.counters["allocator/mesos/allocation_runs"]++
	takers := c.takers()
	if len(takers) == 0 {
		return
	}
	total := bag{}
	for _, a := range c.agents {
		total.add(a.total)
	}
	for _, t := range takers {
		t.share = t.fw.share(total)
	}
	batch := map[*framework][]*offer{}
	for _, a := range c.agents {
		if !a.active() {
			continue
		}
		free := a.total.clone()
		free.subtract(a.used)
		free.subtract(a.offered)
		for !free.empty() {
			slices.SortStableFunc(takers, func(x, y *taker) int {
				return cmp.Or(cmp.Compare(x.share, y.share), cmp.Compare(x.fw.id, y.fw.id))
			})
			o := c.firstOffer(takers, a, free, total)
			if o == nil {
				break
			}
			batch[o.fw] = append(batch[o.fw], o)
			free.subtract(o.amount)
		}
	}
	for fw, offers := range batch {
		c.sendOffers(fw, offers)
	}
}

// taker is a framework in one of its roles.
type taker struct {
	fw    *framework
	role  string
	share float64
}

func (c *core) takers() []*taker {
	var takers []*taker
	for _, fw := range c.frameworks {
		if !fw.active || fw.sub == nil {
			continue
		}
		for _, role := range fw.roles() {
			if !fw.suppressed[role] {
				takers = append(takers, &taker{fw: fw, role: role})
			}
		}
	}
	return takers
}

// share is the framework's largest part of any of the cluster's resources.
func (fw *framework) share(total bag) float64 {
	var dominant float64
	for _, name := range []string{"cpus", "mem", "disk", "gpus"} {
		if all := total.scalar(name); all > 0 {
			dominant = max(dominant, (fw.used.scalar(name)+fw.offered.scalar(name))/all)
		}
	}
	return dominant
}

func (c *core) firstOffer(takers []*taker, a *agent, free, total bag) *offer {
	for _, t := range takers {
		amount := free.forRole(t.role)
		if amount.empty() || !c.allocatable(amount) || !c.mayHave(t.fw, a) || t.fw.refuses(a, t.role, amount) {
			continue
		}
		o := &offer{id: fmt.Sprintf("%s-O%d", c.info.ID, c.nextOffer), fw: t.fw, agent: a, role: t.role, amount: amount, unavailable: c.unavailability(a.machine())}
		c.nextOffer++
		c.offers[o.id], t.fw.offers[o.id], a.offers[o.id] = o, o, o
		a.offered.add(amount)
		t.fw.offered.add(amount)
		t.share = t.fw.share(total)
		return o
	}
	return nil
}

// allocatable says that there is enough of anything for an offer (--min_allocatable_resources).
func (c *core) allocatable(amount bag) bool {
	for _, least := range c.set.minAllocatable {
		enough := true
		for key := range least {
			enough = enough && amount.scalar(key.name) >= least.scalar(key.name)
		}
		if enough {
			return true
		}
	}
	return len(c.set.minAllocatable) == 0
}

func (c *core) mayHave(fw *framework, a *agent) bool {
	return !c.set.hideGPUs || a.total.scalar("gpus") == 0 || fw.can(mesos.FrameworkInfo_Capability_GPU_RESOURCES)
}

func (fw *framework) refuses(a *agent, role string, amount bag) bool {
	at := time.Now()
	fw.filters = slices.DeleteFunc(fw.filters, func(f filter) bool { return at.After(f.until) })
	return slices.ContainsFunc(fw.filters, func(f filter) bool {
		return f.agent == a.id && f.role == role && f.amount.contains(amount)
	})
}

func (c *core) sendOffers(fw *framework, offers []*offer) {
	event := &scheduler.Event{Type: scheduler.Event_OFFERS, Offers: &scheduler.Event_Offers{}}
	for _, o := range offers {
		event.Offers.Offers = append(event.Offers.Offers, o.message())
	}
	fw.counters["offers/sent"] += float64(len(offers))
	fw.event(event)
	if c.set.offerTimeout > 0 {
		time.AfterFunc(c.set.offerTimeout, func() { c.timeOut(offers) })
	}
}

// timeOut rescinds those of the offers that are still open (--offer_timeout).
func (c *core) timeOut(offers []*offer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range offers {
		if c.offers[o.id] == o {
			c.rescind(o)
		}
	}
}

func (o *offer) message() mesos.Offer {
	role := o.fw.shownRole(o.role)
	m := mesos.Offer{
		ID: mesos.OfferID{Value: o.id}, FrameworkID: mesos.FrameworkID{Value: o.fw.id}, AgentID: mesos.AgentID{Value: o.agent.id},
		Hostname: o.agent.info.Hostname, Resources: o.amount.list(role), Attributes: o.agent.info.Attributes, Domain: o.agent.info.Domain, Unavailability: o.unavailable,
		URL: &mesos.URL{Scheme: "http", Path: ptr("/slave(1)"), Address: mesos.Address{
			Hostname: &o.agent.info.Hostname, IP: &o.agent.ip, Port: o.agent.info.GetPort(),
		}},
	}
	if role != "" {
		m.AllocationInfo = &mesos.Resource_AllocationInfo{Role: &role}
	}
	return m
}

// takeBack ends an offer without telling the framework.
func (c *core) takeBack(o *offer) {
	delete(c.offers, o.id)
	delete(o.fw.offers, o.id)
	delete(o.agent.offers, o.id)
	o.agent.offered.subtract(o.amount)
	o.fw.offered.subtract(o.amount)
}

func (c *core) rescind(o *offer) {
	c.takeBack(o)
	o.fw.counters["offers/rescinded"]++
	o.fw.event(&scheduler.Event{Type: scheduler.Event_RESCIND, Rescind: &scheduler.Event_Rescind{OfferID: mesos.OfferID{Value: o.id}}})
}

// dropOffers rescinds the offers of an agent.
func (c *core) dropOffers(a *agent) {
	for _, o := range a.offers {
		c.rescind(o)
	}
}

// withdraw ends the offers of a framework without telling it.
func (c *core) withdraw(fw *framework) {
	for _, o := range fw.offers {
		c.takeBack(o)
	}
}

// refuse keeps amount of the agent away from the framework for the time that the filters say, 5 s if they are absent.
func (fw *framework) refuse(a *agent, role string, amount bag, filters *mesos.Filters) {
	wait := defaultRefuse
	if filters != nil && filters.RefuseSeconds != nil {
		wait = *filters.RefuseSeconds
	}
	if wait < 0 || math.IsNaN(wait) {
		wait = defaultRefuse
	}
	if wait == 0 || amount.empty() {
		return
	}
	until := time.Now().Add(time.Duration(min(wait, maxRefuse) * float64(time.Second)))
	fw.filters = append(fw.filters, filter{agent: a.id, role: role, amount: amount, until: until})
}

func (c *core) decline(fw *framework, call *scheduler.Call_Decline) {
	c.counters["master/messages_decline_offers"]++
	for _, id := range call.OfferIDs {
		if o := fw.offers[id.Value]; o != nil {
			c.takeBack(o)
			fw.counters["offers/declined"]++
			fw.refuse(o.agent, o.role, o.amount, call.Filters)
		}
	}
}

// revive forgets the refusals of the roles, of all if none is named, and ends their suppression.
func (c *core) revive(fw *framework, roles []string) {
	c.counters["master/messages_revive_offers"]++
	fw.filters = slices.DeleteFunc(fw.filters, func(f filter) bool { return len(roles) == 0 || contains(roles, f.role) })
	for role := range fw.suppressed {
		if len(roles) == 0 || contains(roles, role) {
			delete(fw.suppressed, role)
		}
	}
	c.allocate()
}

func (c *core) suppress(fw *framework, roles []string) {
	c.counters["master/messages_suppress_offers"]++
	if len(roles) == 0 {
		roles = fw.roles()
	}
	for _, role := range roles {
		fw.suppressed[role] = true
	}
}

// parseMinAllocatable reads `cpus:0.01|mem:32`: either is enough.
func parseMinAllocatable(text string) []bag {
	var out []bag
	for _, alternative := range strings.Split(text, "|") {
		if b := parseScalars(alternative); len(b) > 0 {
			out = append(out, b)
		}
	}
	return out
}

func parseScalars(text string) bag {
	b := bag{}
	for _, part := range strings.Split(text, ";") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), ":")
		var number float64
		if _, err := fmt.Sscanf(value, "%g", &number); ok && err == nil {
			b[bagKey{name, anyRole}] = amount{milli: int64(math.Round(number * 1000))}
		}
	}
	return b
}
