package watch

import (
	"fmt"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/status"
)

// judge finds what is wrong now; unknown are the beginnings of the ids of which nothing can be said.
func (w *Watcher) judge(now time.Time) (found []trouble, unknown []string) {
	if !w.report.Answers() && (w.edge == nil || !w.edge.OK) {
		t := trouble{"cluster-unreachable", status.Error, "cluster " + w.cluster, "no part of the cluster answers from here", "look at the network between here and the cluster first; then at the control hosts"}
		return []trouble{t}, []string{"controller", "quorum", "framework", "home", "disk", "finding"}
	}
	for _, look := range []func(time.Time) ([]trouble, []string){w.controller, w.quorum, w.frameworks, w.home, w.disks} {
		more, unclear := look(now)
		found, unknown = append(found, more...), append(unknown, unclear...)
	}
	more, unclear := w.findings(found)
	return append(found, more...), append(unknown, unclear...)
}

func (w *Watcher) controller(time.Time) (found []trouble, unknown []string) {
	down, why := w.report.Controller.State != "up", w.report.Controller.State
	if w.edge != nil {
		down, why = !w.edge.OK, w.edge.Detail
	}
	if down {
		problem := "does not serve at " + w.report.URL
		if why != "" {
			problem += " (" + why + ")"
		}
		found = append(found, trouble{"controller-down", status.Error, "controller", problem, "`jomctl status` says which part is down; Marathon starts the controller again by itself"})
	}
	app := w.report.Marathon.App
	switch {
	case app == nil:
		unknown = append(unknown, "controllers")
	case app.Running > max(app.Instances, 1):
		found = append(found, trouble{"controllers-many", status.Error, "controller", fmt.Sprintf("%d controllers run, where there must be %d", app.Running, app.Instances),
			"stop the older task at once: two controllers destroy each other's home"})
	}
	return found, unknown
}

// quorum says when the loss of one more server stops the cluster, and when it has stopped.
func (w *Watcher) quorum(time.Time) (found []trouble, unknown []string) {
	judge := func(name string, up, all int) {
		majority := all/2 + 1
		if up < majority {
			found = append(found, trouble{"quorum-lost/" + name, status.Error, name, fmt.Sprintf("has lost its quorum: %d of %d answer, %d are needed", up, all, majority),
				"bring back enough of them; builds that run go on meanwhile"})
		}
		if up <= majority && up < all {
			found = append(found, trouble{"quorum-at-risk/" + name, status.Warning, name, fmt.Sprintf("may not lose one more: %d of %d answer, %d are needed", up, all, majority),
				"bring back what does not answer: `jomctl status` names it"})
		}
	}
	up := 0
	for _, server := range w.report.ZooKeeper.Servers {
		if server.Mode != "" {
			up++
		}
	}
	judge("zookeeper", up, len(w.report.ZooKeeper.Servers))
	up = 0
	for _, master := range w.report.Mesos.Masters {
		if master.Error == "" {
			up++
		}
	}
	judge("mesos-masters", up, len(w.report.Mesos.Masters))
	return found, nil
}

func (w *Watcher) frameworks(now time.Time) (found []trouble, unknown []string) {
	if w.report.Mesos.Error != "" {
		return nil, []string{"framework"}
	}
	count, names := map[string]int{}, map[string]string{}
	for _, framework := range w.report.Mesos.Frameworks {
		count[framework.Name]++
		names[framework.ID] = framework.Name
	}
	if f := w.framework; f != nil {
		count[f.Name] = max(count[f.Name], f.Same)
		names[f.ID] = f.Name
	}
	for name, n := range count {
		if n > 1 {
			found = append(found, trouble{"framework-twice/" + name, status.Error, "framework " + name, fmt.Sprintf("is registered %d times; each one may hold resources, and with Jenkins it means two controllers or a new framework id", n),
				"see that one controller runs, then tear the stale one down: POST /teardown to the leading master with frameworkId=ID"})
		}
	}
	for id, times := range w.again {
		recent := times[:0]
		for _, at := range times {
			if now.Sub(at) < w.limits.Window {
				recent = append(recent, at)
			}
		}
		w.again[id] = recent
		if len(recent) == 0 {
			delete(w.again, id)
		}
		alert := "framework-again/" + id
		name := names[id]
		if name == "" {
			name = id
		}
		if len(recent) >= w.limits.Reregistered || w.told(alert) && len(recent) > 0 {
			found = append(found, trouble{alert, status.Error, "framework " + name, fmt.Sprintf("has registered again %d times within %s", len(recent), w.limits.Window),
				"look for a second controller with the same framework id, and at the way back from the leading master to the scheduler"})
		}
	}
	return found, nil
}

func (w *Watcher) home(now time.Time) (found []trouble, unknown []string) {
	home := w.report.Controller.Home
	if home == nil {
		return nil, []string{"home"}
	}
	limit := w.limits.Unpushed
	if w.told("home-unpushed") {
		limit /= 2
	}
	if home.Unpushed.IsZero() || now.Sub(home.Unpushed) < limit {
		return nil, nil
	}
	problem := fmt.Sprintf("has changes since %s that the repository does not have", home.Unpushed.UTC().Format(time.RFC3339))
	if home.Problem != "" {
		problem += ": " + home.Problem
	}
	return []trouble{{"home-unpushed", status.Error, "home", problem, "`jomctl home status` says why; what is not pushed is lost with the host's disk"}}, nil
}

func (w *Watcher) disks(time.Time) (found []trouble, unknown []string) {
	for _, host := range w.report.Hosts {
		id, name := "disk/"+host.Name, host.Name
		if w.report.Target == "local" { // all hosts are on this machine
			id, name = "disk/this machine", "this machine"
		}
		if host.Disk == nil {
			unknown = append(unknown, id)
			continue
		}
		limit := w.limits.Disk
		if w.told(id) {
			limit -= 5
		}
		if used := host.Disk.Percent(); used >= limit {
			found = append(found, trouble{id, status.Warning, "disk of " + name, fmt.Sprintf("is %.0f %% full, %d MiB are left at %s", used, host.Disk.Free, host.Disk.Mount),
				"remove old sandboxes, images and builds"})
		}
	}
	return found, unknown
}

// findings are the other errors of the report. Those that an alert of its own explains wait until it is over.
func (w *Watcher) findings(alerts []trouble) (found []trouble, unknown []string) {
	for _, t := range alerts {
		switch {
		case strings.HasPrefix(t.ID, "controller"):
			unknown = append(unknown, "finding/controller")
		case strings.HasPrefix(t.ID, "quorum-lost/"):
			unknown = append(unknown, "finding/zookeeper", "finding/mesos", "finding/marathon", "finding/controller")
		}
	}
	for _, f := range w.report.Findings {
		id := "finding/" + f.Subject
		explained := false
		for _, prefix := range unknown {
			explained = explained || strings.HasPrefix(id, prefix)
		}
		if f.Severity == status.Error && !explained {
			found = append(found, trouble{id, f.Severity, f.Subject, f.Problem, f.Fix})
		}
	}
	return found, unknown
}
