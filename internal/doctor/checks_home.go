package doctor

import (
	"context"
	"fmt"
	"strings"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/status"
	"github.com/jomctl/jomctl/provision"
)

// checkBackups looks on hosts of their own whether the home is backed up by itself, and shows why the last time failed.
func checkBackups(ctx context.Context, f *facts) ([]Finding, error) {
	c := f.in.Cluster
	if c.Backup == nil || c.Target == config.TargetLocal {
		return nil, nil
	}
	calendar, _, err := c.Backup.Calendar()
	if err != nil {
		return nil, err
	}
	var found []Finding
	var faults []error
	for _, h := range provision.ControllerHosts(c) {
		for _, machine := range f.in.Machines {
			if machine.Name() != h.Name {
				continue
			}
			out, err := machine.Run(ctx, "systemctl", "show", "-p", "ActiveState,Result", "jomctl-backup.timer", "jomctl-backup.service")
			if err != nil {
				faults = append(faults, could("the timer of the backups on "+h.Name, err))
				continue
			}
			timer, service, _ := strings.Cut(out.Stdout, "\n\n")
			if calendar != "" && !strings.Contains(timer, "ActiveState=active") {
				found = append(found, finding(status.Error, "backup", "the timer that is to back the home up does not run on "+h.Name, "run `jomctl install`, which starts it", lastLines(timer, 3)...))
			}
			if result, failed := value(service, "Result"); failed && result != "success" {
				log, err := machine.Run(ctx, "journalctl", "-q", "--no-pager", "-o", "short-iso", "-u", "jomctl-backup.service", "-n", "20")
				faults = append(faults, could("the log of the backups on "+h.Name, err))
				found = append(found, finding(status.Warning, "backup", fmt.Sprintf("the last run of the timer on %s ended with %s", h.Name, result),
					"mend what the log names; then `systemctl start jomctl-backup` on "+h.Name+", or `jomctl backup --verify`", lastLines(log.Stdout, 8)...))
			}
		}
	}
	return found, joined(faults)
}

// value is that of a line NAME=VALUE.
func value(text, name string) (string, bool) {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), name+"="); ok {
			return rest, true
		}
	}
	return "", false
}
