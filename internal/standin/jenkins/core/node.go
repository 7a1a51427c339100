package core

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/standin/jenkins/agent"
	"github.com/jomctl/jomctl/internal/standin/jenkins/home"
	"github.com/jomctl/jomctl/internal/standin/jenkins/xmltree"
)

// Node is the built-in node (Name "") or a build agent's node. Its fields belong to the controller's lock.
type Node struct {
	Name         string
	Description  string
	Labels       []string
	Mode         string // NORMAL or EXCLUSIVE
	NumExecutors int
	RemoteFS     string

	// TempOffline is the administrator's mark; Offline says since when and why it is offline.
	TempOffline    bool
	OfflineMessage string
	Offline        *OfflineCause

	// ephemeral nodes belong to a cloud: not persisted, one build only.
	ephemeral bool
	accepted  bool // has taken its one build
	starting  bool // never connected, its task may still come up
	channel   *agent.Channel
	running   []*Build // by executor; nil = idle
	created   time.Time
	onlineAt  time.Time
	idleSince time.Time
	terminate func()
}

// OfflineCause is why a node is offline.
type OfflineCause struct {
	Class, Text string
	At          time.Time
}

func (c *Controller) builtIn() *Node {
	n := &Node{NumExecutors: c.cfg.NumExecutors, Mode: c.cfg.Mode, Labels: strings.Fields(c.cfg.Label), created: time.Now(),
		Description: "the Jenkins controller's built-in node"}
	n.resize()
	return n
}

func (n *Node) resize() {
	for len(n.running) < n.NumExecutors {
		n.running = append(n.running, nil)
	}
	for len(n.running) > n.NumExecutors && n.running[len(n.running)-1] == nil {
		n.running = n.running[:len(n.running)-1]
	}
}

// Display is the name that people see.
func (n *Node) Display() string {
	if n.Name == "" {
		return "Built-In Node"
	}
	return n.Name
}

// shortName is the built-in node's name in reasons.
func (n *Node) shortName() string {
	if n.Name == "" {
		return "Jenkins"
	}
	return n.Name
}

// Ephemeral says that the node belongs to a cloud.
func (n *Node) Ephemeral() bool { return n.ephemeral }

// Executors are the running builds by executor, nil for idle ones.
func (n *Node) Executors() []*Build { return n.running }

// Busy is the number of running builds.
func (n *Node) Busy() int {
	busy := 0
	for _, b := range n.running {
		if b != nil {
			busy++
		}
	}
	return busy
}

func (n *Node) online() bool { return n.Name == "" || n.channel != nil }

// Online says whether builds can run there.
func (n *Node) Online() bool { return n.online() && !n.TempOffline }

// Root is the agent's root folder once it is connected, or "".
func (n *Node) Root() string {
	if n.channel == nil {
		return ""
	}
	return n.channel.Root
}

func (n *Node) acceptsMore() bool {
	return n.Busy() < n.NumExecutors && !(n.ephemeral && n.accepted)
}

// AllLabels are the node's labels, its own name among them, in order.
func (n *Node) AllLabels(renamed bool) []string {
	self := n.Name
	if self == "" {
		self = "built-in"
		if !renamed {
			self = "master"
		}
	}
	all := append(append([]string(nil), n.Labels...), self)
	slices.Sort(all)
	return slices.Compact(all)
}

func (n *Node) hasLabel(label string) bool {
	if n.Name == "" && (label == "built-in" || label == "master") {
		return true
	}
	return label == n.Name && label != "" || slices.Contains(n.Labels, label)
}

func (n *Node) takes(label string) bool {
	if label == "" {
		return n.Mode != "EXCLUSIVE"
	}
	return n.hasLabel(label)
}

// Nodes are the built-in node and then the others in order of creation. Call it under Locked.
func (c *Controller) Nodes() []*Node { return append([]*Node(nil), c.nodes...) }

// Node finds a node by its URL name. Call it under Locked.
func (c *Controller) Node(name string) *Node {
	if name == "(built-in)" || name == "(master)" {
		return c.nodes[0]
	}
	for _, n := range c.nodes[1:] {
		if n.Name == name {
			return n
		}
	}
	return nil
}

// AddNode adds a persistent node. Call it under Locked.
func (c *Controller) AddNode(n *Node) error {
	if n.Name == "" {
		return UserError("Query parameter 'name' is required")
	}
	if err := checkCharacters(n.Name); err != nil {
		return err
	}
	if c.Node(n.Name) != nil {
		return UserError("Agent called ‘" + n.Name + "’ already exists")
	}
	n.created, n.idleSince = time.Now(), time.Now()
	n.resize()
	c.nodes = append(c.nodes, n)
	return home.Save(c.path("nodes", n.Name, "config.xml"), n.XML())
}

// XML is the node's config.xml.
func (n *Node) XML() *xmltree.Node {
	text := xmltree.Text
	launcher := xmltree.Elem("launcher", xmltree.Elem("workDirSettings", text("disabled", false), text("internalDir", "remoting"), text("failIfWorkDirIsMissing", false)),
		text("webSocket", false)).With("class", "hudson.slaves.JNLPLauncher")
	return xmltree.Elem("slave", text("name", n.Name), text("description", n.Description), text("remoteFS", n.RemoteFS), text("numExecutors", n.NumExecutors),
		text("mode", n.Mode), xmltree.Elem("retentionStrategy").With("class", "hudson.slaves.RetentionStrategy$Always"), launcher,
		text("label", strings.Join(n.Labels, " ")), xmltree.Elem("nodeProperties"))
}

// ParseNode reads a node's config.xml.
func ParseNode(data []byte) (*Node, error) {
	x, err := xmltree.Parse(data)
	if err != nil {
		return nil, err
	}
	if x.Name != "slave" {
		return nil, fmt.Errorf("read node: unknown root element %s", x.Name)
	}
	mode := x.Trimmed("mode")
	if mode == "" {
		mode = "NORMAL"
	}
	return &Node{Name: x.Trimmed("name"), Description: x.Get("description"), RemoteFS: x.Trimmed("remoteFS"), Mode: mode,
		NumExecutors: x.Int("numExecutors", 1), Labels: strings.Fields(x.Get("label"))}, nil
}

func (c *Controller) loadNodes() error {
	entries, err := os.ReadDir(c.path("nodes"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read nodes: %w", err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(c.path("nodes", e.Name(), "config.xml"))
		if err != nil {
			continue
		}
		n, err := ParseNode(data)
		if err != nil || n.Name == "" {
			c.logf("failed to load node %s: %v", e.Name(), err)
			continue
		}
		n.created, n.idleSince = time.Now(), time.Now()
		n.resize()
		c.nodes = append(c.nodes, n)
	}
	return nil
}
