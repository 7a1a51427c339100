package core

import (
	"time"

	"github.com/jomctl/jomctl/internal/standin/jenkins/agent"
)

// End is what happens to builds that run when the controller stops.
type End int

// Lost builds leave no build.xml (SIGTERM, exit: what was seen most); Aborted ones are recorded (restart).
const (
	Lost End = iota
	Aborted
)

// Stop ends everything: the queue is saved, running builds end as said, connected agents are dropped, nothing is said to Mesos.
func (c *Controller) Stop(end End) {
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return
	}
	c.ended = true
	c.saveQueue()
	var channels []*agent.Channel
	for _, n := range c.nodes {
		for _, b := range n.running {
			if b == nil {
				continue
			}
			// Builds on agents end with a record because their connection breaks first; the controller's own vanish.
			b.lost = end == Lost && !n.ephemeral && n.Name == ""
			if end == Aborted {
				b.abortedBy = "SYSTEM"
			}
			if n.Name == "" || end == Aborted {
				b.cancel()
			}
		}
		if n.channel != nil {
			channels = append(channels, n.channel)
		}
	}
	c.cloud = nil
	c.mu.Unlock()
	for _, ch := range channels {
		ch.Close()
	}
	c.waitBuilds(time.Second)
	c.stop()
	c.wg.Wait()
}

// waitBuilds gives ending builds a moment; those that ignore SIGTERM die with the process.
func (c *Controller) waitBuilds(limit time.Duration) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.builds.Wait()
	}()
	select {
	case <-ended:
	case <-time.After(limit):
	}
}
