package agent

import (
	"bytes"
	"os"
	"strconv"
	"time"

	"github.com/jomctl/jomctl/internal/standin/mesos/agent/execute"
)

// clockTicks is USER_HZ, which is 100 on every Linux that Go runs on.
const clockTicks = 100

// used is what a container's processes have used, and its limits.
type used struct {
	user, system    float64 // seconds
	resident        uint64  // bytes
	cpus, memoryMiB float64
	timestamp       double
}

func usage(t *task) used {
	u := used{timestamp: double(float64(time.Now().UnixMicro()) / 1e6), cpus: 0.1, memoryMiB: 32}
	for _, one := range t.info.Resources {
		if one.Scalar == nil {
			continue
		}
		switch one.Name {
		case "cpus":
			u.cpus += one.Scalar.Value
		case "mem":
			u.memoryMiB += one.Scalar.Value
		}
	}
	pids := append(execute.Tree(t.taskPID), t.executorPID)
	for _, pid := range pids {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil {
			continue
		}
		field := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(field) < 22 {
			continue
		}
		user, _ := strconv.ParseFloat(string(field[11]), 64)
		system, _ := strconv.ParseFloat(string(field[12]), 64)
		pages, _ := strconv.ParseUint(string(field[21]), 10, 64)
		u.user, u.system, u.resident = u.user+user/clockTicks, u.system+system/clockTicks, u.resident+pages*uint64(os.Getpagesize())
	}
	return u
}

func (u used) json() map[string]any {
	limit := uint64(u.memoryMiB * (1 << 20))
	return map[string]any{
		"cpus_soft_limit": double(u.cpus), "cpus_system_time_secs": double(u.system), "cpus_user_time_secs": double(u.user),
		"mem_limit_bytes": limit, "mem_rss_bytes": u.resident, "mem_soft_limit_bytes": limit, "timestamp": u.timestamp,
	}
}

// statistics are /monitor/statistics: one entry for each live executor.
func (a *Agent) statistics() []map[string]any {
	all := a.containers()
	for _, one := range all {
		delete(one, "status")
		delete(one, "container_id")
	}
	return all
}

// containers are /containers: what each live executor and its task have used.
func (a *Agent) containers() []map[string]any {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := []map[string]any{}
	for _, fw := range a.frameworks {
		for _, t := range fw.tasks {
			if t.conn == nil {
				continue
			}
			used := usage(t)
			list = append(list, map[string]any{
				"container_id": t.container, "executor_id": t.id(), "executor_name": executorName(t), "framework_id": fw.info.ID.GetValue(), "source": t.id(),
				"statistics": used.json(),
				"status":     map[string]any{"container_id": map[string]string{"value": t.container}, "executor_pid": t.executorPID},
			})
		}
	}
	return list
}
