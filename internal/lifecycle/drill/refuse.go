package drill

import (
	"fmt"
	"time"

	"github.com/jomctl/jomctl/internal/config"
)

// Refuse says why a drill must not begin on this cluster as it is now: it is not whole, cannot have the scenario, or would take the last copy of
// something. The error is a *RefusedError.
func Refuse(s Scenario, f Facts) error {
	if s.Unavailable != nil {
		if why := s.Unavailable(f); why != "" {
			return &RefusedError{s.Name, "not available here: " + why, "`jomctl drill list` shows what is"}
		}
	}
	if err := healthy(f); err != nil {
		return &RefusedError{s.Name, "the cluster is not healthy before the fault: " + err.Error(), "see `jomctl status`, and mend that first"}
	}
	if f.Report.Marathon.App != nil && len(f.Report.Marathon.App.Deployments) > 0 {
		return &RefusedError{s.Name, "a deployment of the controller runs", "wait until it has ended"}
	}
	if s.Refused != nil {
		if why := s.Refused(f); why != "" {
			return &RefusedError{s.Name, why, ""}
		}
	}
	return nil
}

// InWindow says why drills must not begin at this time by the maintenance windows of the cluster file, for as long as they may take. The
// error is a *RefusedError.
func InWindow(c *config.Cluster, now time.Time, needs time.Duration) error {
	if c.Maintenance == nil {
		return nil
	}
	m := config.Next(c.Maintenance.Windows, now)
	const fix = "wait for the window, or say --now"
	switch {
	case m.Always:
		return nil
	case !m.Open && m.Next.End.IsZero():
		return &RefusedError{"run", "no maintenance window is open", fix}
	case !m.Open:
		return &RefusedError{"run", "no maintenance window is open; the next one begins " + m.Next.Start.Format(time.RFC1123), fix}
	case m.Remaining < needs+c.Maintenance.Reserve.Duration():
		return &RefusedError{"run", fmt.Sprintf("the window is open for %s more, and %s with a reserve of %s are needed", m.Remaining.Round(time.Second), needs, c.Maintenance.Reserve), fix}
	}
	return nil
}

// Needs is how long drills may take when they meet their targets.
func Needs(c *config.Cluster, scenarios []Scenario) time.Duration {
	total := time.Duration(0)
	for _, s := range scenarios {
		total += time.Duration(TargetOf(c, s).Recovery*float64(time.Second)) + s.Hold + time.Minute
	}
	return total
}
