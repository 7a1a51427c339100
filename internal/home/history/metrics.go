package history

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	homesync "github.com/jomctl/jomctl/internal/home/sync"
	"github.com/jomctl/jomctl/internal/wholefile"
)

// metricsName is the file in Config.State that Prometheus' node exporter can read (its textfile collector).
const metricsName = "home.prom"

// metricsEvery is how often it is rewritten: what it says of ages is at most so much too young.
const metricsEvery = 15 * time.Second

// MetricsFile is where the metrics are.
func (c Config) MetricsFile() string { return filepath.Join(c.State, metricsName) }

// metrics are a status in Prometheus' text format.
func metrics(s homesync.Status, now time.Time) string {
	var text strings.Builder
	gauge := func(name, help string, value any) {
		fmt.Fprintf(&text, "# HELP %s %s\n# TYPE %s gauge\n%s %v\n", name, help, name, name, value)
	}
	gauge("jomctl_home_oldest_unpushed_seconds", "Age of the oldest change of the home that the repository does not have.", s.OldestUnpushed(now).Seconds())
	gauge("jomctl_home_epoch", "Number of the controller generation that owns the home.", s.Epoch)
	gauge("jomctl_home_refused_files", "Files that are not kept as they are.", len(s.Refused))
	gauge("jomctl_home_push_failing", "1 while pushes or commits fail.", number(s.PushError != "" || s.CommitError != ""))
	gauge("jomctl_home_written_timestamp_seconds", "When this was written; an old one means that no controller runs here.", now.Unix())
	return text.String()
}

func number(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// writeMetrics rewrites the metrics until the context ends.
func (r *Run) writeMetrics(ctx context.Context) {
	tick := time.NewTicker(metricsEvery)
	defer tick.Stop()
	for {
		// A full disk must not end the history, and the next time says more.
		_ = wholefile.Write(r.Config.MetricsFile(), []byte(metrics(r.engine.Status(), time.Now())), 0o644)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
