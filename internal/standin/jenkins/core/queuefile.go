package core

import (
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/standin/jenkins/home"
	"github.com/jomctl/jomctl/internal/standin/jenkins/xmltree"
)

const queueRoot = "hudson.model.Queue_-State"

// queueChanged plans the next writing of queue.xml, which is up to a minute late, as in the real one.
func (c *Controller) queueChanged() {
	if c.queueDirty.IsZero() {
		c.queueDirty = time.Now().Add(c.opt.QueueSaveAfter)
	}
}

func (c *Controller) saveQueue() {
	c.queueDirty = time.Time{}
	items := xmltree.Elem("items")
	for _, item := range c.Items() {
		items.Add(item.xml())
	}
	last := c.nextItem - 1
	state := xmltree.Elem(queueRoot, items, xmltree.Elem("properties", xmltree.Elem("entry",
		xmltree.Text("string", "jenkins.model.queue.QueueIdStrategy$DefaultStrategy"), xmltree.Text("long", last))))
	if err := home.Save(c.path("queue.xml"), state); err != nil {
		c.logf("save the queue: %v", err)
	}
}

func (i *Item) xml() *xmltree.Node {
	text := xmltree.Text
	n := xmltree.Elem("hudson.model.Queue_-"+strings.TrimPrefix(i.Class(), "hudson.model.Queue$"),
		xmltree.Elem("actions", actionNodes(i.Params, i.User)...), text("id", i.ID),
		text("task", i.job.Name).With("class", "hudson.model.FreeStyleProject"), text("inQueueSince", i.Since.UnixMilli()))
	if i.state == waiting {
		return n.Add(xmltree.Elem("timestamp", text("time", i.Until.UnixMilli()), text("timezone", "Etc/UTC")))
	}
	n.Add(text("buildableStartMilliseconds", i.Ready.UnixMilli()))
	if i.state == buildable {
		n.Add(text("isPending", false))
	}
	return n
}

// loadQueue reads queue.xml and makes it queue.xml.bak. Items of jobs that are gone are dropped.
func (c *Controller) loadQueue() {
	n, err := home.Load(c.path("queue.xml"))
	_ = os.Rename(c.path("queue.xml"), c.path("queue.xml.bak"))
	if err != nil || n == nil {
		if err != nil {
			c.logf("the queue is not restored: %v", err)
		}
		return
	}
	c.nextItem = n.Int("properties/entry/long", 0) + 1
	for _, x := range children(n.Child("items")) {
		job := c.Job(x.Trimmed("task"))
		if job == nil {
			continue
		}
		params, user := readActions(x)
		item := &Item{ID: x.Int("id", 0), job: job, Since: millis(x, "inQueueSince"), Until: millis(x, "timestamp/time"),
			Ready: millis(x, "buildableStartMilliseconds"), Params: params, User: user}
		c.nextItem = max(c.nextItem, item.ID+1)
		c.queue = append(c.queue, item)
	}
	// The file has the newest first.
	for a, b := 0, len(c.queue)-1; a < b; a, b = a+1, b-1 {
		c.queue[a], c.queue[b] = c.queue[b], c.queue[a]
	}
}

func millis(n *xmltree.Node, path string) time.Time {
	ms, err := strconv.ParseInt(n.Trimmed(path), 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
