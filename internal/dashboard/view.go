package dashboard

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/status"
)

// agentView is the card of a Mesos agent.
type agentView struct {
	ID, Name, Address, State string
	Bad                      bool
	Bars                     []bar
	Tasks                    []taskView
}

// taskView is one task on a Mesos agent.
type taskView struct {
	Name, State, What string
	Since             *moment
	Size              string
}

// hostView is the card of a host.
type hostView struct {
	Name, Address, RoleText, Error string
	Units                          []unitView
	Disk                           *bar
	Bad                            bool
}

type unitView struct {
	Name, State, Note, LastExit string
	Since                       *time.Time
	Restarts                    int
	Bad                         bool
}

type historyView struct {
	Name, None string
	Err        string
	Entries    []entryView
}

type entryView struct {
	Entry
	Lasted  string
	Started *moment
	Spans   []spanView
}

// spanView is a span with its place on the line of its entry, in percent.
type spanView struct {
	Span
	X, Width float64
	Lasted   string
}

func (p *pages) agents(s Snapshot) []agentView {
	names := map[string]string{}
	for _, host := range s.Report.Hosts {
		names[host.Address] = host.Name
	}
	busy := map[string]string{}
	for _, one := range s.Controller.BuildAgents {
		switch {
		case one.Offline:
			busy[one.Name] = "offline"
		case one.Busy:
			busy[one.Name] = "building"
		default:
			busy[one.Name] = "idle"
		}
	}
	var all []agentView
	for _, agent := range s.Mesos.Agents {
		a := agentView{ID: agent.ID, Name: agent.Host, Address: agent.Address, State: "active"}
		if name := names[agent.Host]; name != "" {
			a.Name = name
		}
		switch {
		case agent.Deactivated:
			a.State, a.Bad = "drained", true
		case !agent.Active:
			a.State, a.Bad = "away", true
		}
		a.Bars = []bar{
			newBar("CPUs", agent.Used.CPUs, agent.Total.CPUs, pair(agent.Used.CPUs, agent.Total.CPUs, "CPUs")),
			newBar("Memory", agent.Used.Mem, agent.Total.Mem, pair(agent.Used.Mem, agent.Total.Mem, "MiB")),
			newBar("Disk", agent.Used.Disk, agent.Total.Disk, pair(agent.Used.Disk, agent.Total.Disk, "MiB")),
		}
		a.Tasks = p.tasks(s, agent.Host, busy)
		all = append(all, a)
	}
	return all
}

// tasks are the tasks on a host: build agents first, then the others.
func (p *pages) tasks(s Snapshot, host string, busy map[string]string) []taskView {
	var builds, others []taskView
	for _, framework := range s.Mesos.Frameworks {
		for _, task := range framework.Tasks {
			if task.Host != host {
				continue
			}
			t := taskView{Name: task.Name, State: strings.ToLower(strings.TrimPrefix(task.State, "TASK_")), Since: newMoment(task.Since),
				Size: fmt.Sprintf("%.1f CPUs, %s", task.Size.CPUs, mib(task.Size.Mem))}
			if t.Name == "" {
				t.Name = task.ID
			}
			if framework.Name != p.framework {
				t.What = framework.Name
				if task.ID == s.Report.Controller.Task {
					t.What = "controller"
				}
				others = append(others, t)
				continue
			}
			t.What = "build agent"
			for _, name := range []string{task.Name, task.ID} {
				if state := busy[name]; state != "" {
					t.State = state
				}
			}
			builds = append(builds, t)
		}
	}
	return append(builds, others...)
}

func hostOf(r status.Report, host status.Host) hostView {
	h := hostView{Name: host.Name, Address: host.Address, RoleText: strings.Join(host.Roles, ", "), Error: host.Error, Bad: host.Error != ""}
	for _, unit := range host.Units {
		u := unitView{Name: unit.Name, State: unit.State, LastExit: unit.LastExit, Since: unit.Since, Restarts: unit.Restarts, Bad: unit.State != "running"}
		switch {
		case unit.Name == "zookeeper":
			for _, server := range r.ZooKeeper.Servers {
				if leads(host, server.Address) {
					u.Note = server.Mode
				}
			}
		case unit.Name == "mesos-master" && leads(host, r.Mesos.Leader), unit.Name == "marathon" && leads(host, r.Marathon.Leader):
			u.Note = "leads"
		}
		h.Bad = h.Bad || u.Bad
		h.Units = append(h.Units, u)
	}
	if d := host.Disk; d != nil {
		one := newBar("Disk "+d.Mount, float64(d.Used), float64(d.Used+d.Free), fmt.Sprintf("%.0f %% full, %s free", d.Percent(), mib(float64(d.Free)))).leveled()
		h.Disk = &one
	}
	return h
}

func historyOf(name, none string, t Timeline, now time.Time) historyView {
	h := historyView{Name: name, None: none}
	if t.Err != nil {
		h.Err = t.Err.Error()
	}
	for _, entry := range t.Entries {
		e := entryView{Entry: entry, Started: newMoment(entry.Begin), Lasted: lasted(entry.Begin, entry.End)}
		end := entry.End
		if end.IsZero() {
			end = now
		}
		for _, span := range entry.Spans {
			e.Spans = append(e.Spans, placed(entry.Begin, end, span))
		}
		h.Entries = append(h.Entries, e)
	}
	slices.SortStableFunc(h.Entries, func(a, b entryView) int { return b.Begin.Compare(a.Begin) })
	return h
}

// placed is where a span is on the line from begin to end.
func placed(begin, end time.Time, span Span) spanView {
	s := spanView{Span: span, Lasted: lasted(span.Begin, span.End)}
	whole := max(end.Sub(begin).Seconds(), 0.001)
	to := span.End
	if to.IsZero() || to.After(end) {
		to = end
	}
	percent := func(t time.Time) float64 { return min(max(100*t.Sub(begin).Seconds()/whole, 0), 100) }
	s.X = percent(span.Begin)
	s.Width = max(percent(to)-s.X, 0.4)
	s.X = min(s.X, 100-s.Width)
	return s
}
