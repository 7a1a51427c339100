package status

import (
	"fmt"
	"slices"
	"strings"
)

// manyRestarts is how often a unit may have ended since it was started before that is worth a word. Marathon and the
// masters end themselves at every loss of leadership, so a few are normal life.
const manyRestarts = 5

// judge finds what is wrong in the facts of a report and says whether builds can run.
func judge(r *Report) {
	r.Findings = []Finding{}
	if !slices.ContainsFunc(r.Hosts, func(h Host) bool { return len(h.Units) > 0 || h.Error != "" }) {
		r.Ready = false
		r.Findings = append(r.Findings, Finding{Error, "cluster " + r.Cluster, "is not installed", "run `jomctl install`"})
		return
	}
	for _, look := range []func(*Report) []Finding{units, zooKeeper, mesos, marathon, controller, home, backups} {
		r.Findings = append(r.Findings, look(r)...)
	}
	r.Ready = r.Controller.Ready && !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Severity == Error })
}

func units(r *Report) []Finding {
	var found []Finding
	for _, host := range r.Hosts {
		switch {
		case host.Silent && answers(r, host):
			found = append(found, Finding{Warning, "host " + host.Name, host.Error, "its programs answer, so it only has much to do: look again"})
		case host.Error != "":
			found = append(found, Finding{Error, "host " + host.Name, host.Error, "make the host reachable, then run `jomctl install` again"})
		}
		for _, unit := range host.Units {
			subject := unit.Name + " on " + host.Name
			switch {
			case unit.State != "running":
				problem := "is not running"
				if unit.State == "waiting" {
					problem = "has ended and waits for its next start"
				}
				if detail := strings.Trim(unit.LastExit+"; "+unit.Problem, "; "); detail != "" {
					problem += " (" + detail + ")"
				}
				found = append(found, Finding{Error, subject, problem, fixFor(unit)})
			case unit.Restarts > manyRestarts:
				found = append(found, Finding{Warning, subject, fmt.Sprintf("has been started again %d times, last end: %s", unit.Restarts, unit.LastExit), fixFor(unit)})
			}
		}
	}
	return found
}

// answers says whether a program of the host has answered just now.
func answers(r *Report, host Host) bool {
	of := func(address string) bool { return strings.HasPrefix(address, host.Address+":") }
	return slices.ContainsFunc(r.ZooKeeper.Servers, func(s ZooServer) bool { return s.Mode != "" && of(s.Address) }) ||
		slices.ContainsFunc(r.Mesos.Masters, func(m Master) bool { return m.Error == "" && of(m.Address) })
}

func fixFor(unit Unit) string {
	if unit.State == "stopped" {
		return "run `jomctl install` again: it starts what is not running"
	}
	if unit.Log != "" {
		return "read " + unit.Log
	}
	return "read the unit's log on its host"
}

// fixSilent is what to do about a program that does not answer at HOST:PORT. One that runs is not started by an install.
func fixSilent(r *Report, unit, address string) string {
	for _, host := range r.Hosts {
		for _, u := range host.Units {
			if u.Name != unit || u.State != "running" || !strings.HasPrefix(address, host.Address+":") {
				continue
			}
			fix := fmt.Sprintf("its process %d on %s runs: wait if it has just started; if it hangs, end it (kill -9 %d) and it is started again", u.PID, host.Name, u.PID)
			if u.Log != "" {
				fix += "; its log is " + u.Log
			}
			return fix
		}
	}
	return "run `jomctl install` again: it starts what is not running"
}

func zooKeeper(r *Report) []Finding {
	var found []Finding
	severity := Warning
	if !r.ZooKeeper.Quorum {
		severity = Error
		found = append(found, Finding{Error, "zookeeper", "the ensemble has no quorum: Mesos and Marathon cannot elect a leader",
			"bring back enough ZooKeeper servers (more than half); builds that run go on meanwhile"})
	}
	for _, server := range r.ZooKeeper.Servers {
		if server.Error != "" {
			found = append(found, Finding{severity, "zookeeper " + server.Address, server.Error, fixSilent(r, "zookeeper", server.Address)})
		}
	}
	return found
}

func mesos(r *Report) []Finding {
	var found []Finding
	if r.Mesos.Error != "" {
		found = append(found, Finding{Error, "mesos", r.Mesos.Error, "a new leader needs up to the ZooKeeper session timeout (10 s); after that look at the masters' logs"})
	}
	for _, master := range r.Mesos.Masters {
		if master.Error != "" {
			found = append(found, Finding{Warning, "mesos-master " + master.Address, master.Error, fixSilent(r, "mesos-master", master.Address)})
		}
	}
	if r.Mesos.Error != "" {
		return found
	}
	active, drained := map[string]bool{}, map[string]bool{}
	for _, agent := range r.Mesos.Agents {
		active[agent.Host] = active[agent.Host] || agent.Active
		drained[agent.Host] = drained[agent.Host] || agent.Deactivated
	}
	for _, host := range r.Hosts {
		switch {
		case !slices.Contains(host.Roles, "mesos-agent"), active[host.Address] && !drained[host.Address]:
		case drained[host.Address]:
			found = append(found, Finding{Warning, "mesos-agent " + host.Name, "is drained: nothing new is placed on " + host.Name,
				"when the maintenance is over: `jomctl agents undrain " + host.Name + "`"})
		default:
			found = append(found, Finding{Error, "mesos-agent " + host.Name, "is not registered with the leading master, so nothing can run on " + host.Name,
				"look at the Mesos agent's log on the host; it registers again by itself when it runs"})
		}
	}
	return append(found, duplicateFrameworks(r.Mesos.Frameworks)...)
}

// duplicateFrameworks names frameworks of one name: each holds resources, and with Jenkins it means two controllers or a
// controller without a stable id.
func duplicateFrameworks(frameworks []Framework) []Finding {
	ids := map[string][]string{}
	for _, framework := range frameworks {
		ids[framework.Name] = append(ids[framework.Name], framework.ID)
	}
	var found []Finding
	for name, list := range ids {
		if len(list) > 1 {
			slices.Sort(list)
			found = append(found, Finding{Warning, "framework " + name, fmt.Sprintf("is registered %d times (%s); each one may hold resources", len(list), strings.Join(list, ", ")),
				"tear the stale ones down: POST /teardown to the leading master with frameworkId=ID"})
		}
	}
	return found
}

func marathon(r *Report) []Finding {
	switch app := r.Marathon.App; {
	case strings.Contains(r.Marathon.Error, "HTTP 401") || strings.Contains(r.Marathon.Error, "the password of Marathon"):
		return []Finding{{Error, "marathon", r.Marathon.Error, "components.marathon.basicAuth in the cluster file is not what is in force: run `jomctl install`, which makes a password that is missing and puts it in force"}}
	case r.Marathon.Error != "":
		return []Finding{{Error, "marathon", r.Marathon.Error, "Marathon ends itself whenever it loses ZooKeeper or its leadership and is started again after 11 s; if it stays away, look at its log"}}
	case app == nil:
		return []Finding{{Error, "controller", "the controller's app is not deployed", "run `jomctl install`"}}
	case app.Running == 0:
		problem := "no task of the controller's app runs"
		if app.LastFailure != "" {
			problem += "; the last one: " + app.LastFailure
		}
		return []Finding{{Error, "controller", problem, "Marathon starts it again by itself; if it keeps failing, its sandbox's stderr says why"}}
	case app.Running > app.Instances:
		return []Finding{{Error, "controller", fmt.Sprintf("%d controllers run, where there must be %d", app.Running, app.Instances),
			"stop the older task at once: two controllers destroy each other's home"}}
	}
	return nil
}

func controller(r *Report) []Finding {
	c := r.Controller
	if r.Marathon.App == nil && r.Marathon.Error == "" && c.State != "up" {
		return nil // said already
	}
	var found []Finding
	switch {
	case c.State == "other":
		found = append(found, Finding{Error, "controller", "does not serve" + suffix(c.Error), "the edge answers, the controller behind it does not: wait while it starts; if it does not come up, its sandbox's stderr says why"})
	case c.State != "up":
		found = append(found, Finding{Error, "controller", "does not serve (" + c.State + ")" + suffix(c.Error), "wait while it starts; if it does not come up, its sandbox's stderr says why"})
	case !c.Secured:
		found = append(found, Finding{Error, "controller", "lets anonymous visitors in", "stop it now (`jomctl destroy`, or scale the app to 0) and repair useSecurity in its config.xml"})
	case c.AgentPort == 0:
		found = append(found, Finding{Error, "controller", "has no open agent port: no build agent can connect", "restart the controller; another process may have held the port at its start"})
	case c.Error != "":
		found = append(found, Finding{Warning, "controller", c.Error, "look at the admin password's file and at the controller's log"})
	}
	if c.Quieting {
		found = append(found, Finding{Warning, "controller", "is quieting down: no build starts", "cancel it in Jenkins, or wait for the operation that asked for it"})
	}
	return found
}

func suffix(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}
