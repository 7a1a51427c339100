package jenkins

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/bndr/gojenkins"
)

// EnsureJob creates the job, or gives an existing one this config.xml.
func (c *Client) EnsureJob(ctx context.Context, name, config string) error {
	return c.with(ctx, "write job "+name, func(j *gojenkins.Jenkins, _ root) error {
		job, err := j.GetJob(ctx, name)
		if IsNotFound(err) {
			_, err = j.CreateJob(ctx, config, name)
			return err
		}
		if err != nil {
			return err
		}
		return job.UpdateConfig(ctx, config)
	})
}

// DeleteJob deletes the job with its builds; one that is not there is no error.
func (c *Client) DeleteJob(ctx context.Context, name string) error {
	return c.with(ctx, "delete job "+name, func(j *gojenkins.Jenkins, _ root) error {
		_, err := j.DeleteJob(ctx, name)
		if IsNotFound(err) {
			return nil
		}
		return err
	})
}

// StartBuild asks for a build and returns the id of its queue item. A job that already waits gives that item.
func (c *Client) StartBuild(ctx context.Context, name string) (int64, error) {
	var id int64
	err := c.with(ctx, "start a build of "+name, func(j *gojenkins.Jenkins, _ root) error {
		var err error
		if id, err = j.BuildJob(ctx, name, nil); err != nil || id != 0 {
			return err
		}
		// The library says (0, nil) for a job that waits already.
		queue, err := j.GetQueue(ctx)
		if err != nil {
			return err
		}
		for _, task := range queue.GetTasksForJob(name) {
			id = task.Raw.ID
		}
		if id == 0 {
			return errors.New("the job was waiting and has left the queue meanwhile")
		}
		return nil
	})
	return id, err
}

// QueueItem is one item of the build queue.
type QueueItem struct {
	ID   int64
	Job  string
	Why  string
	Wait time.Duration
	// Stuck means that Jenkins sees no node that could ever run it.
	Stuck bool
	// Build is the number of the build that the item has become, 0 while it waits.
	Build     int64
	Cancelled bool
}

// Queue lists what waits, with the reason of each.
func (c *Client) Queue(ctx context.Context) ([]QueueItem, error) {
	var items []QueueItem
	err := c.with(ctx, "read the queue", func(j *gojenkins.Jenkins, _ root) error {
		queue, err := j.GetQueue(ctx)
		if err != nil {
			return err
		}
		for _, task := range queue.Tasks() {
			items = append(items, queueItem(task))
		}
		return nil
	})
	return items, err
}

// QueueItem reads one item, also for about five minutes after it has left the queue.
func (c *Client) QueueItem(ctx context.Context, id int64) (QueueItem, error) {
	var raw struct {
		ID           int64  `json:"id"`
		Why          string `json:"why"`
		Stuck        bool   `json:"stuck"`
		Cancelled    bool   `json:"cancelled"`
		InQueueSince int64  `json:"inQueueSince"`
		Task         struct {
			Name string `json:"name"`
		} `json:"task"`
		Executable *struct {
			Number int64 `json:"number"`
		} `json:"executable"`
	}
	// gojenkins leaves `cancelled` out, without which one waits for ever.
	_, err := c.getJSON(ctx, fmt.Sprintf("/queue/item/%d/api/json", id), &raw)
	item := QueueItem{ID: raw.ID, Job: raw.Task.Name, Why: raw.Why, Stuck: raw.Stuck, Cancelled: raw.Cancelled, Wait: since(raw.InQueueSince)}
	if raw.Executable != nil {
		item.Build = raw.Executable.Number
	}
	return item, c.failed(fmt.Sprintf("read queue item %d", id), err)
}

func queueItem(task *gojenkins.Task) QueueItem {
	raw := task.Raw
	return QueueItem{ID: raw.ID, Job: raw.Task.Name, Why: raw.Why, Stuck: raw.Stuck, Build: raw.Executable.Number, Wait: since(raw.InQueueSince)}
}

func since(ms int64) time.Duration {
	if ms == 0 {
		return 0
	}
	return time.Since(time.UnixMilli(ms))
}

// Build is one build.
type Build struct {
	Job    string
	Number int64
	// Node is the build agent it runs on; empty is the controller itself.
	Node     string
	Building bool
	// Result is empty while it runs.
	Result  string
	Started time.Time
	// Duration is 0 while it runs.
	Duration time.Duration
}

// Build reads one build.
func (c *Client) Build(ctx context.Context, job string, number int64) (Build, error) {
	var build Build
	err := c.with(ctx, fmt.Sprintf("read build %d of %s", number, job), func(j *gojenkins.Jenkins, _ root) error {
		b, err := j.GetBuild(ctx, job, number)
		if err != nil {
			return err
		}
		build = Build{
			Job: job, Number: number, Node: b.Raw.BuiltOn, Building: b.Raw.Building, Result: b.Raw.Result,
			Started: time.UnixMilli(b.Raw.Timestamp), Duration: time.Duration(b.Raw.Duration) * time.Millisecond,
		}
		return nil
	})
	return build, err
}

// BuildLog returns the console text of a build.
func (c *Client) BuildLog(ctx context.Context, job string, number int64) (string, error) {
	answer, err := c.do(ctx, call{method: http.MethodGet, path: fmt.Sprintf("/job/%s/%d/consoleText", url.PathEscape(job), number)})
	return string(answer.body), c.failed(fmt.Sprintf("read the log of build %d of %s", number, job), err)
}

// Node is one node; the controller's own is "(built-in)".
type Node struct {
	Name      string
	Offline   bool
	Reason    string
	Idle      bool
	Executors int
	// Inbound says that it is an agent that connects by itself, as build agents do.
	Inbound bool
}

// Nodes lists all nodes, through gojenkins.
func (c *Client) Nodes(ctx context.Context) ([]Node, error) {
	var nodes []Node
	err := c.with(ctx, "list nodes", func(j *gojenkins.Jenkins, _ root) error {
		all, err := j.GetAllNodes(ctx)
		if err != nil {
			return err
		}
		for _, n := range all {
			node := Node{
				Name: n.Raw.DisplayName, Offline: n.Raw.Offline, Reason: n.Raw.OfflineCauseReason, Idle: n.Raw.Idle,
				Executors: int(n.Raw.NumExecutors), Inbound: n.Raw.JnlpAgent,
			}
			// The display name "Built-In Node" is no name that any URL knows.
			if strings.HasSuffix(n.Raw.Class, "MasterComputer") {
				node.Name = "(built-in)"
			}
			nodes = append(nodes, node)
		}
		return nil
	})
	return nodes, err
}

// DeleteNode removes a node; one that is gone is no error.
func (c *Client) DeleteNode(ctx context.Context, name string) error {
	_, err := c.post(ctx, "/computer/"+url.PathEscape(name)+"/doDelete", nil)
	if IsNotFound(err) {
		return nil
	}
	return c.failed("delete node "+name, err)
}

// RunningBuild is a build that runs now.
type RunningBuild struct {
	Name string // "job #7"
	URL  string
	Node string
}

// RunningBuilds lists what runs now, Pipelines included.
func (c *Client) RunningBuilds(ctx context.Context) ([]RunningBuild, error) {
	type executor struct {
		Current *struct {
			FullDisplayName string `json:"fullDisplayName"`
			URL             string `json:"url"`
		} `json:"currentExecutable"`
	}
	var raw struct {
		Computer []struct {
			DisplayName string     `json:"displayName"`
			Executors   []executor `json:"executors"`
			OneOff      []executor `json:"oneOffExecutors"`
		} `json:"computer"`
	}
	_, err := c.getJSON(ctx, "/computer/api/json?tree=computer[displayName,executors[currentExecutable[fullDisplayName,url]],oneOffExecutors[currentExecutable[fullDisplayName,url]]]", &raw)
	var running []RunningBuild
	for _, computer := range raw.Computer {
		for _, e := range append(computer.Executors, computer.OneOff...) {
			if e.Current != nil && e.Current.URL != "" {
				running = append(running, RunningBuild{Name: e.Current.FullDisplayName, URL: e.Current.URL, Node: computer.DisplayName})
			}
		}
	}
	return running, c.failed("list running builds", err)
}

// FreestyleJob is the config.xml of a job that runs one shell command on a node with the label, without the quiet
// period. A job without a label never gets a Mesos agent started.
func FreestyleJob(label, command, description string) string {
	return fmt.Sprintf(`<?xml version='1.1' encoding='UTF-8'?>
<project>
  <description>%s</description>
  <keepDependencies>false</keepDependencies>
  <properties/>
  <scm class="hudson.scm.NullSCM"/>
  <quietPeriod>0</quietPeriod>
  <assignedNode>%s</assignedNode>
  <canRoam>false</canRoam>
  <disabled>false</disabled>
  <blockBuildWhenDownstreamBuilding>false</blockBuildWhenDownstreamBuilding>
  <blockBuildWhenUpstreamBuilding>false</blockBuildWhenUpstreamBuilding>
  <triggers/>
  <concurrentBuild>false</concurrentBuild>
  <builders>
    <hudson.tasks.Shell>
      <command>%s</command>
    </hudson.tasks.Shell>
  </builders>
  <publishers/>
  <buildWrappers/>
</project>
`, escape(description), escape(label), escape(command))
}

func escape(text string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(text)); err != nil {
		panic(err) // a strings.Builder takes everything
	}
	return b.String()
}

// Plugin is one plugin as the running controller has it. One that could not load at all is not listed by Jenkins.
type Plugin struct {
	Name    string
	Version string
	Active  bool
	Enabled bool
	// RequiredCore is the oldest core it was made for.
	RequiredCore string
}

// Plugins lists what is loaded.
func (c *Client) Plugins(ctx context.Context) ([]Plugin, error) {
	var raw struct {
		Plugins []struct {
			ShortName    string          `json:"shortName"`
			Version      string          `json:"version"`
			Active       bool            `json:"active"`
			Enabled      bool            `json:"enabled"`
			RequiredCore json.RawMessage `json:"requiredCoreVersion"`
		} `json:"plugins"`
	}
	// gojenkins leaves requiredCoreVersion out.
	_, err := c.getJSON(ctx, "/pluginManager/api/json?depth=1", &raw)
	var plugins []Plugin
	for _, p := range raw.Plugins {
		plugin := Plugin{Name: p.ShortName, Version: p.Version, Active: p.Active, Enabled: p.Enabled}
		_ = json.Unmarshal(p.RequiredCore, &plugin.RequiredCore)
		plugins = append(plugins, plugin)
	}
	return plugins, c.failed("list plugins", err)
}
