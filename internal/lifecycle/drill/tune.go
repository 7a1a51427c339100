package drill

import (
	"fmt"
	"math"
	"time"

	"github.com/jomctl/jomctl/internal/config"
)

// Advice is one time of the section tuning, and what it costs to have it shorter or longer.
type Advice struct {
	Key      string `json:"key"`
	Now      string `json:"now"`
	Advised  string `json:"advised"`
	Why      string `json:"why"`
	TradeOff string `json:"tradeOff"`
}

// Measured are the starts that an advice rests on.
type Measured struct {
	// Starts is how many, Median and Longest how long they took in seconds from the start of the task until people were served.
	Starts  int     `json:"starts"`
	Median  float64 `json:"median"`
	Longest float64 `json:"longest"`
}

// Starts are those that drills have measured.
func Starts(results []Result) Measured {
	var starts []float64
	m := Measured{}
	for _, r := range results {
		if start := r.Recovery.Image + r.Recovery.HomeRestore + r.Recovery.Boot; r.Recovered && r.Recovery.Boot > 0 && r.Name != homeDeleted {
			starts = append(starts, start)
			m.Longest = max(m.Longest, round(start))
		}
	}
	if m.Starts = len(starts); m.Starts > 0 {
		m.Median = median(starts)
	}
	return m
}

// leastStarts are how many starts an advice needs.
const leastStarts = 3

// Tune chooses the times from measured starts. The error is a *RefusedError where there are too few.
func Tune(m Measured, now config.Tuning) (config.Tuning, []Advice, error) {
	if m.Starts < leastStarts {
		return now, nil, &RefusedError{"tune", fmt.Sprintf("%d starts of the controller are measured, and %d are needed", m.Starts, leastStarts),
			fmt.Sprintf("`jomctl drill run controller-killed --repeat %d`", leastStarts-m.Starts)}
	}
	t := now
	// Giving a host up costs a start. Waiting for half of one before that costs at most half as much again, and bears a host that hangs for a moment.
	window := clamp(m.Median/2, 15, 75)
	t.AgentPings = 3
	t.AgentPing = whole(math.Ceil(window / 3))
	// A look that fails because the controller is busy must not end it: all looks together take as long as a start, as a shorter wait would make an
	// outage of a start out of a shorter pause.
	t.HealthInterval = whole(clamp(m.Median/10, 3, 15))
	t.HealthTimeout = whole(clamp(m.Median/4, 10, 20))
	t.HealthFailures = int(clamp(math.Ceil(m.Median/t.HealthInterval.Duration().Seconds()), 5, 10))
	t.Backoff = whole(1)
	t.MaxBackoff = whole(clamp(m.Median, 10, 120))
	t.ZooKeeperSession = whole(clamp(window/2, 8, 15))
	if t.MaxBackoff < t.Backoff {
		t.MaxBackoff = t.Backoff
	}
	start := fmt.Sprintf("a start takes %.1f s (median of %d, the longest %.1f s)", m.Median, m.Starts, m.Longest)
	pair := func(a config.Duration, n int) string { return fmt.Sprintf("%d x %s", n, a) }
	return t, []Advice{
		{"agentPing x agentPings", pair(now.AgentPing, now.AgentPings), pair(t.AgentPing, t.AgentPings), start,
			"shorter: a dead host is noticed sooner; longer: a host that hangs for a moment keeps its builds and the controller"},
		{"healthInterval x healthFailures", pair(now.HealthInterval, now.HealthFailures), pair(t.HealthInterval, t.HealthFailures), start,
			"shorter: a controller that hangs is replaced sooner; longer: one that is only busy, as in a long garbage collection, is left alone"},
		{"healthTimeout", now.HealthTimeout.String(), t.HealthTimeout.String(), start,
			"shorter: a hang is told from an answer sooner; longer: a slow answer counts as an answer"},
		{"backoff, maxBackoff", now.Backoff.String() + ", " + now.MaxBackoff.String(), t.Backoff.String() + ", " + t.MaxBackoff.String(), start,
			"shorter: a controller that fails once is back sooner; longer: one that fails again and again does less harm to its host and logs"},
		{"zookeeperSession", now.ZooKeeperSession.String(), t.ZooKeeperSession.String(), "it must end within the wait for a host, or masters change for less than a host is given up for",
			"shorter: another master or Marathon leads sooner; longer: a hiccup of ZooKeeper's disk or network ends no leader"},
	}, nil
}

func clamp(v, least, most float64) float64 { return min(max(v, least), most) }

func whole(seconds float64) config.Duration {
	return config.Duration(time.Duration(math.Round(seconds)) * time.Second)
}
