package agent

import (
	"bytes"
	"os"
	"strconv"

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
	u := used{timestamp: now(), cpus: 0.1, memoryMiB: 32}
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
		u.user, u.system, u.resident = u.user+user/clockTicks, u.system+system/clockTicks, u.resident+pages*uint64(pageSize())
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
