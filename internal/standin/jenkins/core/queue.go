package core

import (
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"time"
)

type itemState int

const (
	waiting itemState = iota
	blocked
	buildable
	leftQueue
)

// Item is one entry of the queue. Its fields belong to the controller's lock.
type Item struct {
	ID     int
	job    *Job
	state  itemState
	Since  time.Time
	Until  time.Time // end of the quiet period
	Ready  time.Time // when it became buildable or blocked
	Params []Param
	User   string // who asked; "" = nobody
	// Cancelled and Build say how it left.
	Cancelled bool
	Build     *Build
	leftAt    time.Time
}

// Job is what is to be built.
func (i *Item) Job() *Job { return i.job }

// Class is the item's class name.
func (i *Item) Class() string {
	return "hudson.model.Queue$" + [...]string{"WaitingItem", "BlockedItem", "BuildableItem", "LeftItem"}[i.state]
}

// Blocked says that something keeps the item from being buildable.
func (i *Item) Blocked() bool { return i.state == blocked }

// Buildable says that the item only needs an executor.
func (i *Item) Buildable() bool { return i.state == buildable }

// Waiting says that the quiet period is not yet over, or that its end has not been noticed.
func (i *Item) Waiting() bool { return i.state == waiting }

// Left says that the item is no longer in the queue.
func (i *Item) Left() bool { return i.state == leftQueue }

// Schedule puts a build in the queue, or gives the item that is there already. delay < 0 means the quiet period. Call it under
// Locked.
func (c *Controller) Schedule(j *Job, params []Param, user string, delay time.Duration) (*Item, error) {
	if !j.Buildable() {
		return nil, fmt.Errorf("%s: %w", j.Name, ErrConflict)
	}
	for _, item := range c.queue {
		if item.job == j && sameParams(item.Params, params) {
			return item, nil
		}
	}
	if delay < 0 {
		delay = time.Duration(c.cfg.QuietPeriod) * time.Second
		if j.Config.QuietPeriod >= 0 {
			delay = time.Duration(j.Config.QuietPeriod) * time.Second
		}
	}
	now := time.Now()
	item := &Item{ID: c.nextItem, job: j, Since: now, Until: now.Add(delay), Params: params, User: user}
	c.nextItem++
	c.queue = append(c.queue, item)
	c.queueChanged()
	c.look()
	return item, nil
}

func sameParams(a, b []Param) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Name != b[i].Name || a[i].Value != b[i].Value {
			return false
		}
	}
	return true
}

// Items are the queued items, newest first as Jenkins lists them. Call it under Locked.
func (c *Controller) Items() []*Item {
	out := append([]*Item(nil), c.queue...)
	sort.SliceStable(out, func(a, b int) bool {
		if (out[a].state == waiting) != (out[b].state == waiting) {
			return out[a].state == waiting
		}
		return out[a].ID > out[b].ID
	})
	return out
}

// Item finds a queued item, or one that left less than five minutes ago. Call it under Locked.
func (c *Controller) Item(id int) *Item {
	for _, item := range c.queue {
		if item.ID == id {
			return item
		}
	}
	return c.left[id]
}

// ItemOf is the job's item in the queue, or nil. Call it under Locked.
func (c *Controller) ItemOf(j *Job) *Item {
	for _, item := range c.queue {
		if item.job == j {
			return item
		}
	}
	return nil
}

// Cancel takes an item out of the queue. Call it under Locked.
func (c *Controller) Cancel(item *Item) {
	item.Cancelled = true
	c.leave(item)
	c.look()
}

func (c *Controller) cancelItems(j *Job) {
	for _, item := range append([]*Item(nil), c.queue...) {
		if item.job == j {
			c.Cancel(item)
		}
	}
}

func (c *Controller) leave(item *Item) {
	for i, other := range c.queue {
		if other == item {
			c.queue = append(c.queue[:i:i], c.queue[i+1:]...)
			break
		}
	}
	item.state, item.leftAt = leftQueue, time.Now()
	c.left[item.ID] = item
	for id, old := range c.left {
		if time.Since(old.leftAt) > 5*time.Minute {
			delete(c.left, id)
		}
	}
	c.queueChanged()
}

// maintain moves items on and starts what can start. The lock is held.
func (c *Controller) maintain() {
	if c.ended {
		return
	}
	now := time.Now()
	for _, item := range append([]*Item(nil), c.queue...) {
		if item.state == waiting && !c.quiet && !now.Before(item.Until) {
			item.state, item.Ready = buildable, now
			if c.isBlocked(item) {
				item.state = blocked
			}
		} else if item.state == blocked && !c.quiet && !c.isBlocked(item) {
			item.state = buildable
		} else if item.state == buildable && c.isBlocked(item) {
			item.state = blocked
		}
	}
	if c.quiet {
		return
	}
	for _, item := range append([]*Item(nil), c.queue...) {
		if item.state != buildable || c.isBlocked(item) {
			continue
		}
		if n := c.freeNode(item.job); n != nil {
			c.startBuild(item, n)
		}
	}
}

func (c *Controller) isBlocked(item *Item) bool {
	return item.job.Running() != nil && !item.job.Config.Concurrent
}

func (c *Controller) freeNode(j *Job) *Node {
	for _, n := range c.nodes {
		if n.online() && !n.TempOffline && n.acceptsMore() && n.takes(j.Config.Label) {
			return n
		}
	}
	return nil
}

// Why says why an item waits, in Jenkins' words; nil once it has left. Call it under Locked.
func (c *Controller) Why(item *Item) any {
	switch item.state {
	case waiting:
		if left := time.Until(item.Until); left > 0 {
			return "In the quiet period. Expires in " + seconds(left)
		}
		return "Finished waiting"
	case blocked:
		number := 0
		if b := item.job.Running(); b != nil {
			number = b.Number
		}
		return fmt.Sprintf("Build #%d is already in progress (ETA: %s)", number, c.eta(item.job))
	case buildable:
		return c.whyBuildable(item.job.Config.Label)
	}
	return nil
}

func seconds(d time.Duration) string {
	s := d.Seconds()
	switch {
	case s >= 60:
		return fmt.Sprintf("%d min %d sec", int(s)/60, int(s)%60)
	case s >= 10:
		return fmt.Sprintf("%d sec", int(s))
	case s >= 1:
		return strconv.FormatFloat(math.Floor(s*10)/10, 'f', -1, 64) + " sec"
	}
	return strconv.FormatFloat(math.Floor(s*100)/100, 'f', -1, 64) + " sec"
}

func (c *Controller) eta(j *Job) string {
	b := j.Running()
	estimate := j.Estimate()
	if b == nil || estimate < 0 {
		return "N/A"
	}
	if left := time.Duration(estimate)*time.Millisecond - time.Since(b.Start); left > 0 {
		return seconds(left)
	}
	return "N/A"
}

// ParamText is the `params` field: a line per parameter.
func (i *Item) ParamText() string {
	var b strings.Builder
	for _, p := range i.Params {
		b.WriteString("\n" + p.Name + "=" + p.Value)
	}
	return b.String()
}
