package agent

import (
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

func (a *Agent) snapshot(w http.ResponseWriter, r *http.Request) {
	if timeout := r.URL.Query().Get("timeout"); timeout != "" {
		if _, err := parseDuration(timeout); err != nil {
			plain(w, http.StatusBadRequest, "Failed to parse timeout: "+err.Error())
			return
		}
	}
	reply(w, r, a.metrics())
}

// metrics are the real agent's names; what the stand-in has no counterpart for is 0.
func (a *Agent) metrics() map[string]double {
	a.mu.Lock()
	defer a.mu.Unlock()
	m := map[string]double{}
	for _, name := range []string{
		"containerizer/fetcher/cache_size_used_bytes", "containerizer/mesos/container_destroy_errors",
		"containerizer/mesos/provisioner/bind/remove_rootfs_errors", "containerizer/mesos/provisioner/remove_container_errors",
		"gc/path_removals_failed", "gc/path_removals_pending", "gc/path_removals_succeeded", "resource_provider_manager/events/disconnect",
		"resource_provider_manager/events/subscribe", "resource_provider_manager/subscribed", "slave/executors_preempted",
		"slave/executors_registering", "slave/executors_terminating", "slave/invalid_framework_messages", "slave/invalid_status_updates",
		"slave/recovery_errors", "slave/valid_framework_messages", "slave/registered",
	} {
		m[name] = 0
	}
	if a.session != nil {
		m["slave/registered"] = 1
	}
	m["containerizer/fetcher/cache_size_total_bytes"] = 2 << 30
	m["containerizer/fetcher/task_fetches_failed"] = double(a.counts.fetchesFailed)
	m["containerizer/fetcher/task_fetches_succeeded"] = double(a.counts.fetchesSucceded)
	m["slave/container_launch_errors"] = double(a.counts.launchErrors)
	m["slave/executor_directory_max_allowed_age_secs"] = double(a.maxAge().Seconds())
	m["slave/executors_terminated"] = double(a.counts.executorsTerminated)
	m["slave/frameworks_active"] = double(len(a.frameworks))
	m["slave/recovery_time_secs"] = double(a.counts.recovery.Seconds())
	m["slave/uptime_secs"] = double(time.Since(a.began).Seconds())
	m["slave/valid_status_updates"] = double(a.counts.updates)
	a.taskMetrics(m)
	a.resourceMetrics(m)
	systemMetrics(m)
	return m
}

func (a *Agent) taskMetrics(m map[string]double) {
	live := map[mesos.TaskState]int{}
	m["slave/executors_running"] = 0
	for _, fw := range a.frameworks {
		for _, t := range fw.tasks {
			live[t.state]++
			if t.conn != nil {
				m["slave/executors_running"]++
			}
		}
	}
	for _, state := range []mesos.TaskState{mesos.TASK_STAGING, mesos.TASK_STARTING, mesos.TASK_RUNNING, mesos.TASK_KILLING} {
		m["slave/tasks_"+strings.ToLower(strings.TrimPrefix(state.String(), "TASK_"))] = double(live[state])
	}
	for _, state := range []mesos.TaskState{mesos.TASK_FINISHED, mesos.TASK_FAILED, mesos.TASK_KILLED, mesos.TASK_LOST, mesos.TASK_GONE} {
		m["slave/tasks_"+strings.ToLower(strings.TrimPrefix(state.String(), "TASK_"))] = double(a.counts.ended[state])
	}
}

func (a *Agent) resourceMetrics(m map[string]double) {
	total, taken := resourceMap(a.info.Resources), resourceMap(a.allocated())
	for _, name := range []string{"cpus", "gpus", "mem", "disk"} {
		all, part := total[name].(double), taken[name].(double)
		m["slave/"+name+"_total"], m["slave/"+name+"_used"], m["slave/"+name+"_percent"] = all, part, 0
		if all > 0 {
			m["slave/"+name+"_percent"] = part / all
		}
		for _, kind := range []string{"total", "used", "percent"} {
			m["slave/"+name+"_revocable_"+kind] = 0
		}
	}
}

func systemMetrics(m map[string]double) {
	m["system/cpus_total"] = double(runtime.NumCPU())
	if content, err := os.ReadFile("/proc/loadavg"); err == nil {
		field := strings.Fields(string(content))
		for i, name := range []string{"1min", "5min", "15min"} {
			load, _ := strconv.ParseFloat(field[i], 64)
			m["system/load_"+name] = double(load)
		}
	}
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) == nil {
		m["system/mem_total_bytes"] = double(uint64(info.Totalram) * uint64(info.Unit))
		m["system/mem_free_bytes"] = double(uint64(info.Freeram) * uint64(info.Unit))
	}
}

func (a *Agent) systemStats(w http.ResponseWriter, r *http.Request) {
	m := map[string]double{}
	systemMetrics(m)
	reply(w, r, map[string]double{
		"avg_load_15min": m["system/load_15min"], "avg_load_1min": m["system/load_1min"], "avg_load_5min": m["system/load_5min"],
		"cpus_total": m["system/cpus_total"], "mem_free_bytes": m["system/mem_free_bytes"], "mem_total_bytes": m["system/mem_total_bytes"],
	})
}
