package core

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/jomctl/jomctl/internal/standin/jenkins/agent"
)

// AddEphemeral adds a cloud's node, which never reaches the disk. terminate is called (without the lock) when the node is removed.
func (c *Controller) AddEphemeral(n *Node, terminate func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	n.ephemeral, n.starting, n.created, n.idleSince, n.terminate = true, true, now, now, terminate
	n.resize()
	c.nodes = append(c.nodes, n)
}

// RemoveNode takes a node away: its connection is closed, its builds fail, its cloud ends the task. It says whether it was there.
func (c *Controller) RemoveNode(name string) bool {
	c.mu.Lock()
	n := c.Node(name)
	if n == nil || n.Name == "" {
		c.mu.Unlock()
		return false
	}
	c.nodes = slices.DeleteFunc(c.nodes, func(other *Node) bool { return other == n })
	channel := n.channel
	if !n.ephemeral {
		_ = os.RemoveAll(c.path("nodes", n.Name))
	}
	c.look()
	c.mu.Unlock()
	if channel != nil {
		channel.Close()
	}
	if n.terminate != nil {
		n.terminate()
	}
	return true
}

// Disconnect closes an agent's connection; the node stays.
func (c *Controller) Disconnect(n *Node) {
	c.mu.Lock()
	channel := n.channel
	c.mu.Unlock()
	if channel != nil {
		channel.Close()
	}
}

// LaunchFailed says that a cloud node's task ended; a node that never came online goes away, another one stays as offline.
func (c *Controller) LaunchFailed(name string) {
	c.mu.Lock()
	n := c.Node(name)
	never := n != nil && n.ephemeral && n.starting
	c.mu.Unlock()
	if never {
		c.RemoveNode(name)
	}
}

// IdleNode is what a cloud needs to know for taking idle nodes away.
type IdleNode struct {
	Name string
	// Idle is the time without a build since the last one, or since the node was made.
	Idle time.Duration
	// SinceOnline is the same, but counted from the connection at the earliest; negative while it has never been online.
	SinceOnline time.Duration
}

// IdleNodes are the cloud's nodes without a running build.
func (c *Controller) IdleNodes() []IdleNode {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []IdleNode
	for _, n := range c.nodes {
		if !n.ephemeral || n.Busy() > 0 {
			continue
		}
		idle := IdleNode{Name: n.Name, Idle: time.Since(n.idleSince), SinceOnline: -1}
		if !n.onlineAt.IsZero() {
			idle.SinceOnline = min(idle.Idle, time.Since(n.onlineAt))
		}
		out = append(out, idle)
	}
	return out
}

// AgentHooks connect the agent port with this controller; the banner is that of the real port.
func (c *Controller) AgentHooks() agent.Hooks {
	return agent.Hooks{Accept: c.acceptAgent, Gone: c.agentGone, Banner: func(client, server string) string {
		return fmt.Sprintf("Jenkins-Agent-Protocols: JNLP4-connect, Ping\r\nJenkins-Version: %s\r\nJenkins-Session: %s\r\nClient: %s\r\nServer: %s\r\nRemoting-Minimum-Version: %s\r\n",
			c.opt.Version, c.Session, client, server, RemotingMinimum)
	}}
}

// RemotingMinimum is the version that core 2.568 asks of its agents.
const RemotingMinimum = "3176.v207ec082a_8c0"

func (c *Controller) acceptAgent(name, secret string, ch *agent.Channel) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.Node(name)
	switch {
	case n == nil || n.Name == "":
		return errors.New("Unknown client name: " + name)
	case secret != c.AgentSecret(name):
		return errors.New("Incorrect secret for " + name)
	case n.channel != nil:
		return errors.New(name + " is already connected to this controller. Rejecting this connection.")
	}
	n.channel, n.starting, n.Offline = ch, false, nil
	if n.onlineAt.IsZero() {
		n.onlineAt = time.Now()
	}
	c.logf("agent %s is online", name)
	c.look()
	return nil
}

func (c *Controller) agentGone(name string, ch *agent.Channel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.Node(name); n != nil && n.channel == ch {
		n.channel = nil
		n.Offline = &OfflineCause{Class: "hudson.slaves.OfflineCause$ChannelTermination", Text: "Connection was broken", At: time.Now()}
		c.logf("agent %s is offline", name)
	}
}
