package rest

import (
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/jomctl/jomctl/internal/standin/jenkins/core"
)

func (v view) executor(n *core.Node, i int) *bean {
	var current any
	idle := true
	progress := -1
	if b := n.Executors()[i]; b != nil {
		idle = false
		current = func() any { return v.build(b) }
		if estimate := b.Job.Estimate(); estimate > 0 {
			progress = min(99, int(100*time.Since(b.Start).Milliseconds()/estimate))
		}
	}
	return object("", f("currentExecutable", current), f("idle", idle), f("likelyStuck", false), f("number", i), f("progress", progress))
}

func (v view) labels(n *core.Node, class bool) []*bean {
	return beans(n.AllLabels(v.c.Config().Renamed), func(name string) *bean {
		l := v.label(name)
		if !class {
			l.class = ""
		}
		return l
	})
}

// label renders any name, as Jenkins knows every label.
func (v view) label(name string) *bean {
	var nodes []*core.Node
	total, busy := 0, 0
	offline := true
	for _, n := range v.c.Nodes() {
		if slices.Contains(n.AllLabels(v.c.Config().Renamed), name) {
			nodes = append(nodes, n)
			if n.Online() {
				offline = false
				total += n.NumExecutors
				busy += n.Busy()
			}
		}
	}
	tied := func() any {
		var jobs []*core.Job
		for _, j := range v.c.Jobs() {
			if j.Config.Label == name {
				jobs = append(jobs, j)
			}
		}
		return beans(jobs, v.job)
	}
	return object("hudson.model.labels.LabelAtom", f("actions", []*bean{}), f("busyExecutors", busy), f("clouds", []*bean{}), f("description", nil),
		f("idleExecutors", total-busy), f("loadStatistics", load("hudson.model.Label$1", false)), f2("name", name),
		f("nodes", beans(nodes, v.node)), f("offline", offline), f("tiedJobs", tied), f("totalExecutors", total), f("propertiesList", []*bean{}))
}

// node renders the node behind a computer; the built-in one is the controller itself.
func (v view) node(n *core.Node) *bean {
	if n.Name == "" {
		// The whole root object would recurse through its labels.
		return object("hudson.model.Hudson", f2("nodeName", ""))
	}
	class := "hudson.slaves.DumbSlave"
	if n.Ephemeral() {
		class = "org.jenkinsci.plugins.mesos.MesosJenkinsAgent"
	}
	return object(class, f("mode", n.Mode), f("nodeDescription", n.Description), f2("nodeName", n.Name), f("numExecutors", n.NumExecutors))
}

func (v view) computers() *bean {
	busy, total := 0, 0
	for _, n := range v.c.Nodes() {
		busy += n.Busy()
		if n.Online() {
			total += n.NumExecutors
		}
	}
	return object("hudson.model.ComputerSet", f("busyExecutors", busy), inlined("computer", func() any { return beans(v.c.Nodes(), v.computer) }),
		f("displayName", "Nodes"), f("totalExecutors", total))
}

func (v view) computer(n *core.Node) *bean {
	class, agent := "hudson.slaves.SlaveComputer", true
	switch {
	case n.Name == "":
		class, agent = "hudson.model.Hudson$MasterComputer", false
	case n.Ephemeral():
		class = "org.jenkinsci.plugins.mesos.MesosComputer"
	}
	executors := make([]*bean, 0, len(n.Executors()))
	for i := range n.Executors() {
		executors = append(executors, v.executor(n, i))
	}
	connected := n.Name == "" || n.Root() != ""
	icon := "symbol-computer"
	switch {
	case !connected:
		icon = "symbol-computer-offline"
	case n.TempOffline:
		icon = "symbol-computer-disconnected"
	}
	var cause any
	reason := ""
	if o := n.Offline; o != nil {
		cause = object(o.Class, f("timestamp", o.At.UnixMilli()))
		reason = o.Text
	}
	var description any
	if n.Description != "" {
		description = n.Description
	}
	o := object(class, f("actions", []*bean{}), f("assignedLabels", func() any { return v.labels(n, false) }), f("description", description),
		f("displayName", n.Display()), f("executors", executors), f("icon", icon), f("iconClassName", icon), f("idle", n.Busy() == 0),
		f("jnlpAgent", agent), f("launchSupported", !agent), f("loadStatistics", load("hudson.model.Label$1", false)), f("manualLaunchAllowed", true),
		f("monitorData", func() any { return v.monitors(n) }), f("numExecutors", n.NumExecutors), f("offline", !n.Online()), f("offlineCause", cause),
		f("offlineCauseReason", reason), f("oneOffExecutors", []*bean{}), f("temporarilyOffline", n.TempOffline))
	if agent {
		var root any
		if n.Root() != "" {
			root = n.Root()
		}
		o.add(f("absoluteRemotePath", root))
	}
	return o
}

// monitors measures the controller's own host; agents' monitors are not measured and are null, as before their first report.
func (v view) monitors(n *core.Node) any {
	if n.Name != "" {
		return raw(`{"hudson.node_monitors.SwapSpaceMonitor":null,"hudson.node_monitors.TemporarySpaceMonitor":null,"hudson.node_monitors.DiskSpaceMonitor":null,` +
			`"hudson.node_monitors.ArchitectureMonitor":null,"hudson.node_monitors.ResponseTimeMonitor":null,"hudson.node_monitors.ClockMonitor":null}`)
	}
	now := time.Now().UnixMilli()
	var info syscall.Sysinfo_t
	_ = syscall.Sysinfo(&info)
	unit := uint64(info.Unit)
	disk := func(path string) string {
		var fs syscall.Statfs_t
		_ = syscall.Statfs(path, &fs)
		block := uint64(fs.Bsize)
		return sprintf(`{"_class":"hudson.node_monitors.DiskSpaceMonitorDescriptor$DiskSpace","timestamp":%d,"path":%s,"size":%d,"threshold":1073741824,"totalSize":%d,"warningThreshold":2147483648}`,
			now, quote(path), fs.Bavail*block, fs.Blocks*block)
	}
	return raw(`{"hudson.node_monitors.SwapSpaceMonitor":{"_class":"hudson.node_monitors.SwapSpaceMonitor$MemoryUsage2","availablePhysicalMemory":%d,"availableSwapSpace":%d,"totalPhysicalMemory":%d,"totalSwapSpace":%d},`+
		`"hudson.node_monitors.TemporarySpaceMonitor":%s,"hudson.node_monitors.DiskSpaceMonitor":%s,"hudson.node_monitors.ArchitectureMonitor":"Linux (amd64)",`+
		`"hudson.node_monitors.ResponseTimeMonitor":{"_class":"hudson.node_monitors.ResponseTimeMonitor$Data","timestamp":%d,"average":0},`+
		`"hudson.node_monitors.ClockMonitor":{"_class":"hudson.util.ClockDifference","diff":0}}`,
		info.Freeram*unit, info.Freeswap*unit, info.Totalram*unit, info.Totalswap*unit, disk("/tmp"), disk(filepath.Clean(v.c.Home())), now)
}
