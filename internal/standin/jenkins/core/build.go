package core

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/standin/jenkins/agent"
	"github.com/jomctl/jomctl/internal/standin/jenkins/home"
	"github.com/jomctl/jomctl/internal/standin/jenkins/xmltree"
)

// Build is one run of a job. Its fields belong to the controller's lock.
type Build struct {
	Job         *Job
	Number      int
	QueueID     int
	Result      string // "" while it runs
	Building    bool
	Scheduled   time.Time
	Start       time.Time
	Duration    time.Duration
	User        string
	Params      []Param
	BuiltOn     string // node name, "" = built-in
	Description string
	KeepLog     bool
	Interrupted bool
	Executor    int

	node      *Node
	workspace string
	cancel    context.CancelFunc
	abortedBy string
	lost      bool // leaves no build.xml
}

// Node is where it runs, or nil once it is over.
func (b *Build) Node() *Node { return b.node }

// Estimate is the mean duration of the last successful builds in ms, -1 when there is none.
func (j *Job) Estimate() int64 {
	var sum, n int64
	for _, b := range j.Builds {
		if !b.Building && (b.Result == "SUCCESS" || b.Result == "UNSTABLE" || b.Result == "FAILURE") && n < 3 {
			sum += b.Duration.Milliseconds()
			n++
		}
	}
	if n == 0 {
		return -1
	}
	return sum / n
}

// Abort stops a running build in a user's name; nothing happens to one that is over. Call it under Locked.
func (c *Controller) Abort(b *Build, user string) {
	if b.Building && b.abortedBy == "" {
		b.abortedBy = user
		b.cancel()
	}
}

// LogPath is the file with the console output.
func (c *Controller) LogPath(b *Build) string {
	return filepath.Join(c.buildDir(b.Job.Name, b.Number), "log")
}

// startBuild takes the item from the queue to an executor. The lock is held.
func (c *Controller) startBuild(item *Item, n *Node) {
	j := item.job
	b := &Build{Job: j, Number: j.NextBuild, QueueID: item.ID, Building: true, Scheduled: item.Since, Start: time.Now(), User: item.User,
		Params: item.Params, BuiltOn: n.Name, node: n}
	ctx, cancel := context.WithCancel(c.ctx)
	b.cancel = cancel
	for i, other := range n.running {
		if other == nil {
			b.Executor = i
			n.running[i] = b
			break
		}
	}
	n.accepted = true
	j.NextBuild++
	j.Builds = append([]*Build{b}, j.Builds...)
	item.Build = b
	c.leave(item)
	dir := c.buildDir(j.Name, b.Number)
	err := errors.Join(home.WriteFile(c.path("jobs", j.Name, "nextBuildNumber"), []byte(strconv.Itoa(j.NextBuild)+"\n"), 0o644),
		os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "changelog.xml"), []byte("<log/>"), 0o644))
	log, openErr := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err = errors.Join(err, openErr); err != nil {
		c.logf("start %s #%d: %v", j.Name, b.Number, err)
	}
	var out io.Writer = io.Discard
	if log != nil {
		out = log
	}
	r := &runner{ctx: ctx, out: out, channel: n.channel, steps: j.Config.Steps, publishers: len(j.Config.publishers), env: c.buildEnv(b)}
	r.prepare(c, b)
	c.builds.Add(1)
	go func() {
		defer c.builds.Done()
		defer cancel()
		result := r.run()
		c.finish(b, r, result)
		if log != nil {
			_ = log.Close()
		}
	}()
}

func (c *Controller) buildEnv(b *Build) map[string]string {
	number := strconv.Itoa(b.Number)
	node := b.node.Name
	if node == "" {
		node = b.node.AllLabels(c.cfg.Renamed)[0]
		if c.cfg.Renamed {
			node = "built-in"
		}
	}
	env := map[string]string{"BUILD_NUMBER": number, "BUILD_ID": number, "BUILD_DISPLAY_NAME": "#" + number, "JOB_NAME": b.Job.Name,
		"JOB_BASE_NAME": b.Job.Name, "NODE_NAME": node, "NODE_LABELS": strings.Join(b.node.AllLabels(c.cfg.Renamed), " "),
		"EXECUTOR_NUMBER": strconv.Itoa(b.Executor), "BUILD_TAG": "jenkins-" + b.Job.Name + "-" + number, "CI": "true",
		"HUDSON_COOKIE": home.RandomHex(16), "JENKINS_SERVER_COOKIE": "durable-" + c.Session, "HUDSON_HOME": c.opt.Home, "JENKINS_HOME": c.opt.Home}
	if c.rootURL != "" {
		env["JENKINS_URL"], env["HUDSON_URL"] = c.rootURL, c.rootURL
		env["JOB_URL"] = c.rootURL + "job/" + b.Job.Name + "/"
		env["BUILD_URL"] = env["JOB_URL"] + number + "/"
	}
	for _, p := range b.Params {
		env[p.Name] = p.Value
	}
	return env
}

// runner runs a build without the controller's lock.
type runner struct {
	ctx        context.Context
	out        io.Writer
	channel    *agent.Channel // nil: here
	steps      []string
	publishers int
	env        map[string]string
	job        string
	workspace  string
	head       string
}

func (r *runner) prepare(c *Controller, b *Build) {
	r.job = b.Job.Name
	started := "Started by user " + c.displayName(b.User) + "\n"
	where := "Building"
	r.workspace = strings.NewReplacer("${JENKINS_HOME}", c.opt.Home, "${ITEM_FULL_NAME}", r.job, "${ITEM_FULLNAME}", r.job,
		"${ITEM_ROOTDIR}", c.path("jobs", r.job)).Replace(c.cfg.WorkspaceDir)
	if r.channel != nil {
		r.workspace = filepath.Join(r.channel.Root, "workspace", r.job)
		labels := ""
		if len(b.node.Labels) > 0 {
			labels = " (" + strings.Join(b.node.Labels, " ") + ")"
		}
		where = "Building remotely on " + b.node.Name + labels
	}
	beside := 0
	for _, other := range b.Job.Builds {
		if other.Building && other != b && other.BuiltOn == b.BuiltOn {
			beside++
		}
	}
	if beside > 0 {
		r.workspace += "@" + strconv.Itoa(beside+1)
	}
	b.workspace = r.workspace
	r.head = started + "Running as SYSTEM\n" + where + " in workspace " + r.workspace + "\n"
}

// displayName is how a user is called in logs.
func (c *Controller) displayName(id string) string {
	if id == "" {
		return "anonymous"
	}
	if u, ok := c.Users.Get(id); ok {
		return u.FullName
	}
	return id
}

func (r *runner) run() string {
	_, _ = io.WriteString(r.out, r.head)
	for _, script := range r.steps {
		step := agent.Step{Job: r.job, Script: script, Workspace: r.workspace, Env: r.env}
		var exit int
		var err error
		if r.channel != nil {
			exit, err = r.channel.Run(r.ctx, step, r.out)
		} else {
			exit, err = agent.RunShell(r.ctx, step, "/", r.out)
		}
		switch {
		case r.ctx.Err() != nil:
			return "ABORTED"
		case errors.Is(err, agent.ErrClosed):
			fmt.Fprintf(r.out, "FATAL: command execution failed\njava.nio.channels.ClosedChannelException (%v)\n", err)
			return "FAILURE"
		case err != nil:
			fmt.Fprintf(r.out, "FATAL: command execution failed\n%v\n", err)
			return "FAILURE"
		case exit != 0:
			_, _ = io.WriteString(r.out, "Build step 'Execute shell' marked build as failure\n")
			return "FAILURE"
		}
	}
	if r.publishers > 0 {
		fmt.Fprintf(r.out, "%d post-build step(s) not run: this is the stand-in for Jenkins, it runs shell steps only\n", r.publishers)
	}
	return "SUCCESS"
}

func (c *Controller) finish(b *Build, r *runner, result string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if result == "ABORTED" {
		b.Interrupted = true
		_, _ = io.WriteString(r.out, "Build was aborted\n")
		if b.abortedBy != "" {
			_, _ = io.WriteString(r.out, "Aborted by "+c.displayName(b.abortedBy)+"\n")
		}
	}
	_, _ = io.WriteString(r.out, "Finished: "+result+"\n")
	b.Result, b.Building, b.Duration = result, false, time.Since(b.Start)
	for i, other := range b.node.running {
		if other == b {
			b.node.running[i] = nil
		}
	}
	b.node.idleSince = time.Now()
	b.node.resize()
	b.node = nil
	if !b.lost {
		if err := c.saveBuild(b); err != nil {
			c.logf("save %s #%d: %v", b.Job.Name, b.Number, err)
		}
	}
	c.look()
}

func (c *Controller) saveBuild(b *Build) error {
	return home.Save(filepath.Join(c.buildDir(b.Job.Name, b.Number), "build.xml"), b.xml(c.opt.Version))
}

// SaveBuild writes build.xml again after a change of its description or its keep mark. Call it under Locked.
func (c *Controller) SaveBuild(b *Build) error {
	if b.Building {
		return nil
	}
	return c.saveBuild(b)
}

func (b *Build) xml(version string) *xmltree.Node {
	text := xmltree.Text
	actions := xmltree.Elem("actions", actionNodes(b.Params, b.User)...)
	if b.Interrupted {
		actions.Add(xmltree.Elem("jenkins.model.InterruptedBuildAction", xmltree.Elem("causes").With("class", "java.util.Collections$SingletonList")))
	}
	n := xmltree.Elem("build", actions, text("queueId", b.QueueID), text("timestamp", b.Start.UnixMilli()), text("startTime", b.Start.UnixMilli()),
		text("result", b.Result))
	if b.Description != "" {
		n.Add(text("description", b.Description))
	}
	return n.Add(text("duration", b.Duration.Milliseconds()), text("charset", "UTF-8"), text("keepLog", b.KeepLog), text("builtOn", b.BuiltOn),
		text("workspace", b.workspace), text("hudsonVersion", version), xmltree.Elem("scm").With("class", "hudson.scm.NullChangeLogParser"),
		xmltree.Elem("culprits", xmltree.Elem("c").With("class", "sorted-set")).With("class", "java.util.Collections$UnmodifiableSet"))
}

// actionNodes are the parameters and the cause, as build.xml and queue.xml both have them.
func actionNodes(params []Param, user string) []*xmltree.Node {
	var out []*xmltree.Node
	if len(params) > 0 {
		list := xmltree.Elem("parameters")
		for _, p := range params {
			list.Add(xmltree.Elem("hudson.model.StringParameterValue", xmltree.Text("name", p.Name), xmltree.Text("value", p.Value)))
		}
		out = append(out, xmltree.Elem("hudson.model.ParametersAction", xmltree.Elem("safeParameters").With("class", "sorted-set"), list))
	}
	cause := xmltree.Elem("hudson.model.Cause_-UserIdCause")
	if user != "" {
		cause.Add(xmltree.Text("userId", user))
	}
	entry := xmltree.Elem("entry", cause, xmltree.Text("int", 1))
	return append(out, xmltree.Elem("hudson.model.CauseAction", xmltree.Elem("causeBag", entry).With("class", "linked-hash-map")))
}

func readActions(n *xmltree.Node) (params []Param, user string) {
	for _, p := range children(n.Child("actions/hudson.model.ParametersAction/parameters")) {
		params = append(params, Param{Name: p.Get("name"), Value: p.Get("value")})
	}
	return params, n.Trimmed("actions/hudson.model.CauseAction/causeBag/entry/hudson.model.Cause_-UserIdCause/userId")
}

func loadBuild(dir string, number int) *Build {
	n, err := home.Load(filepath.Join(dir, "build.xml"))
	if err != nil || n == nil {
		return nil
	}
	params, user := readActions(n)
	ms, _ := strconv.ParseInt(n.Trimmed("timestamp"), 10, 64)
	return &Build{Number: number, QueueID: n.Int("queueId", 0), Result: n.Trimmed("result"), Start: time.UnixMilli(ms),
		Duration: time.Duration(n.Int("duration", 0)) * time.Millisecond, User: user, Params: params, BuiltOn: n.Trimmed("builtOn"),
		Description: n.Get("description"), KeepLog: n.Bool("keepLog"), workspace: n.Trimmed("workspace"),
		Interrupted: n.Child("actions/jenkins.model.InterruptedBuildAction") != nil, cancel: func() {}}
}
