package dashboard

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const mebibyte = 1 << 20

// metric is one family: how it is called, what it says, and its values in a snapshot.
type metric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func(s Snapshot, add adder)
}

// adder adds one value with its labels.
type adder func(value float64, labels ...string)

// collector makes the metrics of the newest snapshot.
type collector struct {
	snapshot func() Snapshot
	metrics  []metric
}

var _ prometheus.Collector = (*collector)(nil)

func newCollector(snapshot func() Snapshot) *collector {
	c := &collector{snapshot: snapshot}
	c.clusterMetrics()
	c.hostMetrics()
	c.mesosMetrics()
	c.controllerMetrics()
	return c
}

// Describe names all metrics.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, m := range c.metrics {
		out <- m.desc
	}
}

// Collect gives their values; before the first report there are none.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	s := c.snapshot()
	if s.Report.Checked.IsZero() {
		return
	}
	for _, m := range c.metrics {
		seen := map[string]bool{} // a cluster may name two things the same, a scrape may not
		m.read(s, func(value float64, labels ...string) {
			key := ""
			for _, label := range labels {
				key += label + "\x00"
			}
			if !seen[key] {
				seen[key] = true
				out <- prometheus.MustNewConstMetric(m.desc, m.kind, value, labels...)
			}
		})
	}
}

func (c *collector) add(kind prometheus.ValueType, name, help string, labels []string, read func(s Snapshot, add adder)) {
	c.metrics = append(c.metrics, metric{prometheus.NewDesc("jomctl_"+name, help, labels, nil), kind, read})
}

func (c *collector) gauge(name, help string, labels []string, read func(s Snapshot, add adder)) {
	c.add(prometheus.GaugeValue, name, help, labels, read)
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func (c *collector) clusterMetrics() {
	c.gauge("cluster_info", "The cluster, always 1.", []string{"cluster", "target"}, func(s Snapshot, add adder) { add(1, s.Report.Cluster, s.Report.Target) })
	c.gauge("cluster_ready", "1 when builds can run.", nil, func(s Snapshot, add adder) { add(truth(s.Report.Ready)) })
	c.gauge("cluster_reachable", "1 when at least one part of the cluster answers.", nil, func(s Snapshot, add adder) { add(truth(s.Unreachable.IsZero())) })
	c.gauge("report_timestamp_seconds", "When the cluster was looked at last, Unix time.", nil, func(s Snapshot, add adder) { add(float64(s.Report.Checked.UnixMilli()) / 1000) })
	c.gauge("report_duration_seconds", "How long the last look took.", nil, func(s Snapshot, add adder) { add(s.Took.Seconds()) })
	c.gauge("dashboard_clients", "Browsers that show the page now.", nil, func(s Snapshot, add adder) { add(float64(s.Clients)) })
	c.gauge("findings", "Findings, by severity.", []string{"severity"}, func(s Snapshot, add adder) {
		count := map[string]float64{"error": 0, "warning": 0, "info": 0}
		for _, f := range s.Report.Findings {
			count[string(f.Severity)]++
		}
		for severity, n := range count {
			add(n, severity)
		}
	})
	c.gauge("probe_up", "1 when the outside look at this part succeeded last.", []string{"probe"}, func(s Snapshot, add adder) {
		for _, p := range s.Probes {
			add(truth(p.Up), p.Target)
		}
	})
	c.gauge("zookeeper_quorum", "1 when the ensemble has a quorum.", nil, func(s Snapshot, add adder) { add(truth(s.Report.ZooKeeper.Quorum)) })
	c.gauge("zookeeper_server_up", "1 when the server serves.", []string{"server"}, func(s Snapshot, add adder) {
		for _, server := range s.Report.ZooKeeper.Servers {
			add(truth(server.Mode != ""), server.Address)
		}
	})
}

func (c *collector) hostMetrics() {
	c.gauge("host_up", "1 when the host can be asked for its units.", []string{"host"}, func(s Snapshot, add adder) {
		for _, host := range s.Report.Hosts {
			add(truth(host.Error == ""), host.Name)
		}
	})
	for _, disk := range []struct {
		name, help string
		mib        func(used, free int64) int64
	}{
		{"used", "Used on the disk of jomctl's files on the host.", func(used, _ int64) int64 { return used }},
		{"free", "Free for users on the disk of jomctl's files on the host.", func(_, free int64) int64 { return free }},
	} {
		c.gauge("host_disk_"+disk.name+"_bytes", disk.help, []string{"host", "mountpoint"}, func(s Snapshot, add adder) {
			for _, host := range s.Report.Hosts {
				if d := host.Disk; d != nil {
					add(float64(disk.mib(d.Used, d.Free))*mebibyte, host.Name, d.Mount)
				}
			}
		})
	}
	c.gauge("unit_running", "1 when the program of the unit runs.", []string{"host", "unit"}, func(s Snapshot, add adder) {
		for _, host := range s.Report.Hosts {
			for _, unit := range host.Units {
				add(truth(unit.State == "running"), host.Name, unit.Name)
			}
		}
	})
	c.add(prometheus.CounterValue, "unit_restarts_total", "How often the program of the unit was started again.", []string{"host", "unit"}, func(s Snapshot, add adder) {
		for _, host := range s.Report.Hosts {
			for _, unit := range host.Units {
				add(float64(unit.Restarts), host.Name, unit.Name)
			}
		}
	})
}

// age is how long something has lasted, 0 where it has not begun.
func age(since, now time.Time) float64 {
	if since.IsZero() {
		return 0
	}
	return max(now.Sub(since).Seconds(), 0)
}
