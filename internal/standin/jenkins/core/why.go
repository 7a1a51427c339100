package core

import (
	"strings"
	"time"
)

// whyBuildable is Queue.BuildableItem.getCauseOfBlockage of core 2.568: labels are talked about only where there are nodes
// beside the built-in one.
func (c *Controller) whyBuildable(label string) string {
	if c.quiet {
		return "Jenkins is about to shut down"
	}
	causes := c.refusals(label)
	if label == "" || len(c.nodes) == 1 {
		if len(causes) > 0 {
			return strings.Join(causes, "; ")
		}
		return "Waiting for next available executor"
	}
	nodes, offline := c.labelled(label)
	switch {
	case offline && len(nodes) == 0:
		return "There are no nodes with the label ‘" + label + "’"
	case offline && len(nodes) == 1:
		return "‘" + nodes[0].Display() + "’ is offline"
	case offline:
		return "All nodes of label ‘" + label + "’ are offline"
	case len(causes) > 0 && idleExecutors(nodes) > 0:
		return strings.Join(causes, "; ")
	case len(nodes) == 1:
		return "Waiting for next available executor on ‘" + nodes[0].Display() + "’"
	}
	return "Waiting for next available executor on ‘" + label + "’"
}

// refusals say why each node with an idle executor does not take a build with that label.
func (c *Controller) refusals(label string) []string {
	var out []string
	for _, n := range c.nodes {
		if !n.Online() || n.Busy() >= n.NumExecutors {
			continue
		}
		switch {
		case label != "" && !n.hasLabel(label):
			out = append(out, "‘"+n.shortName()+"’ doesn’t have label ‘"+label+"’")
		case label == "" && n.Mode == "EXCLUSIVE":
			out = append(out, "‘"+n.shortName()+"’ is reserved for jobs with matching label expression")
		case !n.acceptsMore():
			out = append(out, "‘"+n.shortName()+"’ is not accepting tasks")
		}
	}
	return out
}

// labelled are the nodes with a label; offline says that none of them is online.
func (c *Controller) labelled(label string) (nodes []*Node, offline bool) {
	offline = true
	for _, n := range c.nodes {
		if n.hasLabel(label) {
			nodes = append(nodes, n)
			offline = offline && !n.Online()
		}
	}
	return nodes, offline
}

func idleExecutors(nodes []*Node) int {
	idle := 0
	for _, n := range nodes {
		if n.Online() {
			idle += n.NumExecutors - n.Busy()
		}
	}
	return idle
}

// Stuck says that no node of the label is online, or that the item has waited for ten times its build, or for a day. Call it
// under Locked.
func (c *Controller) Stuck(item *Item) bool {
	if item.state != buildable {
		return false
	}
	if label := item.job.Config.Label; label != "" {
		if _, offline := c.labelled(label); offline {
			return true
		}
	}
	waited := time.Since(item.Ready)
	if estimate := item.job.Estimate(); estimate >= 0 {
		return waited > 10*max(time.Duration(estimate)*time.Millisecond, time.Minute)
	}
	return waited > 24*time.Hour
}
