package dashboard

import (
	"time"

	"github.com/jomctl/jomctl/internal/status"
)

func (c *collector) mesosMetrics() {
	c.gauge("mesos_up", "1 when a leading Mesos master answers.", nil, func(s Snapshot, add adder) { add(truth(s.Report.Mesos.Error == "")) })
	c.gauge("mesos_master_up", "1 when the Mesos master answers.", []string{"master"}, func(s Snapshot, add adder) {
		for _, master := range s.Report.Mesos.Masters {
			add(truth(master.Error == ""), master.Address)
		}
	})
	c.gauge("mesos_master_leads", "1 when the Mesos master leads.", []string{"master"}, func(s Snapshot, add adder) {
		for _, master := range s.Report.Mesos.Masters {
			add(truth(master.Leads), master.Address)
		}
	})
	c.gauge("mesos_agent_active", "1 when the Mesos agent is registered and takes tasks.", []string{"agent"}, func(s Snapshot, add adder) {
		for _, agent := range s.Report.Mesos.Agents {
			add(truth(agent.Active && !agent.Deactivated), agent.Host)
		}
	})
	for _, amount := range []struct {
		name, help string
		of         func(r status.Resources) float64
	}{
		{"cpus", "CPUs", func(r status.Resources) float64 { return r.CPUs }},
		{"memory_bytes", "Memory", func(r status.Resources) float64 { return r.Mem * mebibyte }},
		{"disk_bytes", "Disk", func(r status.Resources) float64 { return r.Disk * mebibyte }},
	} {
		c.gauge("mesos_agent_"+amount.name, amount.help+" that the Mesos agent offers.", []string{"agent"}, func(s Snapshot, add adder) {
			for _, agent := range s.Report.Mesos.Agents {
				add(amount.of(agent.Total), agent.Host)
			}
		})
		c.gauge("mesos_agent_used_"+amount.name, amount.help+" that tasks on the Mesos agent hold.", []string{"agent"}, func(s Snapshot, add adder) {
			for _, agent := range s.Report.Mesos.Agents {
				add(amount.of(agent.Used), agent.Host)
			}
		})
	}
	c.gauge("mesos_framework_active", "1 when the framework gets offers. Several ids of one name are a trouble.", []string{"framework", "id"}, func(s Snapshot, add adder) {
		for _, framework := range s.Report.Mesos.Frameworks {
			add(truth(framework.Active), framework.Name, framework.ID)
		}
	})
	c.gauge("mesos_framework_tasks", "Live tasks of the framework.", []string{"framework", "id"}, func(s Snapshot, add adder) {
		for _, framework := range s.Report.Mesos.Frameworks {
			add(float64(len(framework.Tasks)), framework.Name, framework.ID)
		}
	})
	c.gauge("mesos_framework_reregistered_timestamp_seconds", "When the framework registered again last, Unix time; 0 when it never had to.", []string{"framework", "id"}, func(s Snapshot, add adder) {
		for _, framework := range s.Report.Mesos.Frameworks {
			at := 0.0
			if !framework.Reregistered.IsZero() {
				at = float64(framework.Reregistered.UnixMilli()) / 1000
			}
			add(at, framework.Name, framework.ID)
		}
	})
	c.gauge("marathon_up", "1 when Marathon answers.", nil, func(s Snapshot, add adder) { add(truth(s.Report.Marathon.Error == "")) })
}

func (c *collector) controllerMetrics() {
	c.gauge("controller_up", "1 when the controller serves.", nil, func(s Snapshot, add adder) { add(truth(s.Report.Controller.State == "up")) })
	c.gauge("controller_ready", "1 when the controller serves, refuses strangers and has its agent port open.", nil, func(s Snapshot, add adder) { add(truth(s.Report.Controller.Ready)) })
	c.gauge("controller_info", "The version and the host of the controller as known last, always 1.", []string{"version", "host"}, func(s Snapshot, add adder) {
		add(1, s.Controller.Version, s.Controller.Host)
	})
	c.gauge("controller_tasks_running", "Tasks of the controller's app that run; more than one destroy each other's home.", nil, func(s Snapshot, add adder) {
		if app := s.Report.Marathon.App; app != nil {
			add(float64(app.Running))
		}
	})
	home := func(read func(h status.Home, now time.Time) float64) func(Snapshot, adder) {
		return func(s Snapshot, add adder) {
			if h := s.Report.Controller.Home; h != nil {
				add(read(*h, s.Report.Checked))
			}
		}
	}
	c.gauge("home_epoch", "Number of the controller generation that owns the home.", nil, home(func(h status.Home, _ time.Time) float64 { return float64(h.Epoch) }))
	c.gauge("home_unpushed_age_seconds", "Age of the oldest change of the home that the repository does not have; 0 when it has all.", nil,
		home(func(h status.Home, now time.Time) float64 { return age(h.Unpushed, now) }))
	up := func(read func(c status.Controller, now time.Time) float64) func(Snapshot, adder) {
		return func(s Snapshot, add adder) {
			if s.Report.Controller.State == "up" {
				add(read(s.Report.Controller, s.Report.Checked))
			}
		}
	}
	c.gauge("build_agents", "Build agents that Jenkins knows.", nil, up(func(c status.Controller, _ time.Time) float64 { return float64(c.Nodes) }))
	c.gauge("build_agents_busy", "Build agents that build.", nil, up(func(c status.Controller, _ time.Time) float64 { return float64(c.Busy) }))
	c.gauge("queue_length", "Builds that wait.", nil, up(func(c status.Controller, _ time.Time) float64 { return float64(len(c.Queue)) }))
	c.gauge("queue_oldest_wait_seconds", "How long the oldest waiting build has waited.", nil, up(func(c status.Controller, now time.Time) float64 {
		oldest := 0.0
		for _, item := range c.Queue {
			oldest = max(oldest, age(item.Since, now))
		}
		return oldest
	}))
}
