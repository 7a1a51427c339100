package status

import (
	"fmt"
	"time"
)

// longUnpushed is how long a change may wait for the repository before that is worth a word: it would be lost with the host.
const longUnpushed = 5 * time.Minute

func home(r *Report) []Finding {
	h := r.Controller.Home
	if h == nil {
		return nil
	}
	var found []Finding
	if h.Problem != "" {
		found = append(found, Finding{Warning, "home", h.Problem, "`jomctl home status` says more; the controller's log says why it was not started"})
	}
	if age := r.Checked.Sub(h.Unpushed); !h.Unpushed.IsZero() && age > longUnpushed {
		found = append(found, Finding{Warning, "home", fmt.Sprintf("changes of %s ago are not in the repository yet, and would be lost with the disk of the home", rounded(age)),
			"see that the repository of jenkins.scm can be reached from the host of the controller: `jomctl home status`"})
	}
	return found
}

func backups(r *Report) []Finding {
	b := r.Backup
	if b == nil {
		return nil
	}
	var found []Finding
	add := func(problem, fix string) { found = append(found, Finding{Warning, "backup", problem, fix}) }
	if b.Error != "" {
		add("what became of the last backups cannot be told: "+b.Error, "make the host of the home reachable; `jomctl install` brings what is missing there")
	}
	if b.Failed != "" {
		why := fmt.Sprintf("the last one, %s ago, failed: %s", rounded(r.Checked.Sub(b.Last)), b.Failed)
		if b.Failures > 1 {
			why += fmt.Sprintf(" (%d in a row)", b.Failures)
		}
		fix := "mend that, then run `jomctl backup --verify`"
		if b.Host != "" {
			fix += "; the log is `journalctl -u jomctl-backup` on " + b.Host
		}
		add(why, fix)
	}
	period := time.Duration(b.Period * float64(time.Second))
	switch age := r.Checked.Sub(b.Good); {
	case b.Good.IsZero() && b.Error == "":
		add("no backup of the home counts yet: of none a test restore was good", "run `jomctl backup --verify`")
	case !b.Good.IsZero() && period > 0 && age > 2*period+time.Hour:
		add(fmt.Sprintf("the last backup that counts is %s old, and one is to be made every %s", rounded(age), rounded(period)),
			"see on the host of the home whether its timer runs: `systemctl list-timers jomctl-backup.timer`; then run `jomctl backup --verify`")
	}
	return found
}

// rounded is a time for people.
func rounded(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	case d >= time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	case d >= time.Minute:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
	return fmt.Sprintf("%d s", int(d.Seconds()))
}
