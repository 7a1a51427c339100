package master

import (
	_ "embed"
	"math"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// metricNames are all metrics of a real master 1.11 without frameworks. Those that nothing feeds here stay 0.
//
//go:embed metrics.txt
var metricNames string

// metrics are all metrics by name.
func (c *core) metrics() map[string]float64 {
	out := map[string]float64{}
	for name := range strings.Lines(metricNames) {
		out[strings.TrimSpace(name)] = 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, n := range c.counters {
		out[name] = n
	}
	c.resourceMetrics(out)
	c.agentMetrics(out)
	for _, fw := range c.allFrameworks() {
		c.frameworkMetrics(out, fw)
	}
	return out
}

func (c *core) resourceMetrics(out map[string]float64) {
	total, used, offered := bag{}, bag{}, bag{}
	for _, a := range c.agents {
		total.add(a.total)
		used.add(a.used)
		offered.add(a.offered)
	}
	for _, name := range []string{"cpus", "mem", "disk", "gpus"} {
		all, have := total.scalar(name), used.scalar(name)
		out["master/"+name+"_total"], out["master/"+name+"_used"] = all, have
		if all > 0 {
			out["master/"+name+"_percent"] = have / all
		}
		if name != "gpus" {
			out["allocator/mesos/resources/"+name+"/total"] = all
			out["allocator/mesos/resources/"+name+"/offered_or_allocated"] = have + offered.scalar(name)
		}
	}
}

func (c *core) agentMetrics(out map[string]float64) {
	for _, a := range c.agents {
		tally(out, a.connected(), "master/slaves_connected", "master/slaves_disconnected")
		tally(out, a.active(), "master/slaves_active", "master/slaves_inactive")
		for t := range a.tasks {
			if !terminal(t.GetState()) {
				out["master/"+metricOfState(t.GetState())]++
			}
		}
	}
	for _, fw := range c.frameworks {
		tally(out, fw.sub != nil, "master/frameworks_connected", "master/frameworks_disconnected")
		tally(out, fw.active, "master/frameworks_active", "master/frameworks_inactive")
		out["master/tasks_unreachable"] += float64(len(fw.unreachable))
	}
	out["master/slaves_unreachable"] = float64(len(c.unreachable))
	out["master/outstanding_offers"] = float64(len(c.offers))
	out["master/operator_event_stream_subscribers"] = float64(len(c.operators))
}

func tally(out map[string]float64, yes bool, ifYes, ifNo string) {
	if yes {
		out[ifYes]++
		return
	}
	out[ifNo]++
}

func (c *core) frameworkMetrics(out map[string]float64, fw *framework) {
	prefix := "master/frameworks/" + url.PathEscape(fw.info.Name) + "/" + fw.id + "/"
	for name, n := range fw.counters {
		out[prefix+name] = n
	}
	out[prefix+"subscribed"] = 0
	if fw.sub != nil {
		out[prefix+"subscribed"] = 1
	}
	for _, state := range []mesos.TaskState{mesos.TASK_STAGING, mesos.TASK_STARTING, mesos.TASK_RUNNING, mesos.TASK_KILLING, mesos.TASK_UNREACHABLE, mesos.TASK_UNKNOWN} {
		out[prefix+"tasks/active/"+lower(state.String())] += 0
	}
	for _, t := range fw.tasks {
		if !terminal(t.GetState()) {
			out[prefix+"tasks/active/"+lower(t.GetState().String())]++
		}
	}
	for _, role := range fw.roles() {
		out[prefix+"roles/"+role+"/suppressed"] = 0
		if fw.suppressed[role] {
			out[prefix+"roles/"+role+"/suppressed"] = 1
		}
	}
}

// systemStats reads what /system/stats.json and the system metrics show from /proc; what cannot be read stays 0.
func systemStats() (load [3]float64, memTotal, memFree float64) {
	if data, err := os.ReadFile("/proc/loadavg"); err == nil {
		for i, text := range strings.Fields(string(data)) {
			if i < len(load) {
				load[i], _ = strconv.ParseFloat(text, 64)
			}
		}
	}
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return load, 0, 0
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		kilobytes, _ := strconv.ParseFloat(fields[1], 64)
		switch fields[0] {
		case "MemTotal:":
			memTotal = kilobytes * 1024
		case "MemFree:":
			memFree = kilobytes * 1024
		}
	}
	return load, memTotal, memFree
}

func uptime(since time.Time) float64 { return math.Round(time.Since(since).Seconds()*1e6) / 1e6 }
