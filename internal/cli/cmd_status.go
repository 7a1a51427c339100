package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle"
	"github.com/jomctl/jomctl/internal/status"
	"github.com/jomctl/jomctl/internal/ui"
)

type statusOptions struct {
	watch    bool
	interval time.Duration
}

func newStatusCommand(a *app) *cobra.Command {
	opts := statusOptions{interval: 2 * time.Second}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show hosts, Mesos, Marathon and the controller, and what is wrong",
		Long: "status asks every part of the cluster at once. A part that is down makes the picture partial and is a finding.\n" +
			"Exit code 0: no findings; 4: there are findings (`ready` in the JSON says whether builds can run).",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.status(cmd.Context(), opts) },
	}
	cmd.Flags().BoolVar(&opts.watch, "watch", false, "show it again and again until interrupted")
	cmd.Flags().DurationVar(&opts.interval, "interval", opts.interval, "how often --watch looks")
	return cmd
}

func (a *app) status(ctx context.Context, opts statusOptions) error {
	cluster, err := config.Load(a.global.File)
	if err != nil {
		return err
	}
	env, err := lifecycle.Look(cluster)
	if err != nil {
		return err
	}
	if opts.watch {
		return a.watchStatus(ctx, env, opts.interval)
	}
	report := env.Status(ctx)
	if err := a.writeStatus(report, false); err != nil {
		return err
	}
	if len(report.Findings) > 0 {
		return &reported{exitFindings}
	}
	return nil
}

// watchStatus draws over the last picture on a terminal, and writes one after the other elsewhere.
func (a *app) watchStatus(ctx context.Context, env *lifecycle.Env, interval time.Duration) error {
	ticker := time.NewTicker(max(interval, 200*time.Millisecond))
	defer ticker.Stop()
	for {
		report := env.Status(ctx)
		if ctx.Err() != nil {
			return nil // ended by the person who watched
		}
		if err := a.writeStatus(report, a.streams.OutTTY); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// writeStatus writes the report. clear draws it over what was there, as much of it as the terminal has room for now.
func (a *app) writeStatus(report status.Report, clear bool) error {
	if a.global.Output == formatJSON {
		return a.writeJSON(report)
	}
	width, height := a.streams.Size()
	var text strings.Builder
	if err := statusText(&text, report, width); err != nil {
		return err
	}
	picture := text.String()
	if clear {
		dots := "..."
		if a.streams.Unicode() {
			dots = "…"
		}
		picture = "\x1b[H\x1b[2J" + ui.CutHeight(picture, width, height, dots)
	}
	_, err := io.WriteString(a.streams.Out, picture)
	return err
}

// statusText is the report for people.
func statusText(w io.Writer, r status.Report, width int) error {
	ready := "NOT READY"
	if r.Ready {
		ready = "ready"
	}
	fmt.Fprintf(w, "%s (%s): %s   %s\n\n", r.Cluster, r.Target, ready, r.URL)
	tables := []*ui.Table{componentTable(r), hostTable(r), agentTable(r)}
	for _, table := range tables {
		if err := table.Write(w, width); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	controllerText(w, r)
	homeText(w, r)
	if len(r.Findings) == 0 {
		fmt.Fprintln(w, "No findings.")
		return nil
	}
	fmt.Fprintln(w, "Findings:")
	for _, finding := range r.Findings {
		fmt.Fprintf(w, "  %-7s %s: %s\n          fix: %s\n", finding.Severity, finding.Subject, ui.Clean(finding.Problem), finding.Fix)
	}
	return nil
}

func componentTable(r status.Report) *ui.Table {
	table := ui.NewTable("COMPONENT", "KIND", "VERSION", "SOURCE")
	for _, component := range r.Components {
		table.Row(component.Name, component.Kind, component.Version, component.Source)
	}
	return table
}

func hostTable(r status.Report) *ui.Table {
	modes := map[string]string{}
	for _, server := range r.ZooKeeper.Servers {
		modes[strings.TrimSuffix(server.Address, ":2181")] = server.Mode
	}
	table := ui.NewTable("HOST", "ADDRESS", "UNIT", "STATE", "PID", "RESTARTS", "NOTE").Keep("HOST", "ADDRESS", "UNIT").Spare("PID", "RESTARTS")
	for _, host := range r.Hosts {
		name, address := host.Name, host.Address
		for _, unit := range host.Units {
			table.Row(name, address, unit.Name, unit.State, number(unit.PID), fmt.Sprint(unit.Restarts), unitNote(r, host, unit, modes))
			name, address = "", ""
		}
		if len(host.Units) == 0 {
			table.Row(name, address, "-", "not installed", "", "", host.Error)
		}
	}
	return table
}

// unitNote is what the part says about itself: the mode of ZooKeeper, who leads.
func unitNote(r status.Report, host status.Host, unit status.Unit, modes map[string]string) string {
	switch {
	case unit.Name == "zookeeper":
		return modes[host.Address]
	case unit.Name == "mesos-master" && strings.HasPrefix(r.Mesos.Leader, host.Address+":"),
		unit.Name == "marathon" && strings.HasPrefix(r.Marathon.Leader, host.Address+":"):
		return "leads"
	}
	return ""
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

func agentTable(r status.Report) *ui.Table {
	names := map[string]string{}
	for _, host := range r.Hosts {
		names[host.Address] = host.Name
	}
	table := ui.NewTable("MESOS AGENT", "STATE", "CPUS", "MEM MiB", "TASKS")
	for _, agent := range r.Mesos.Agents {
		state := "active"
		switch {
		case agent.Deactivated:
			state = "drained"
		case !agent.Active:
			state = "away"
		}
		tasks := 0
		for _, framework := range r.Mesos.Frameworks {
			for _, task := range framework.Tasks {
				if task.Host == agent.Host {
					tasks++
				}
			}
		}
		name := names[agent.Host]
		if name == "" {
			name = agent.Host
		}
		table.Row(name, state, fmt.Sprintf("%.1f of %.1f", agent.Used.CPUs, agent.Total.CPUs),
			fmt.Sprintf("%.0f of %.0f", agent.Used.Mem, agent.Total.Mem), fmt.Sprint(tasks))
	}
	return table
}

func controllerText(w io.Writer, r status.Report) {
	c := r.Controller
	state := c.State
	if state == "other" {
		state = "does not serve"
	}
	fmt.Fprintf(w, "Controller: %s", state)
	for _, part := range []struct{ name, value string }{{"Jenkins", c.Version}, {"on", c.Host}, {"agent port", number(c.AgentPort)}} {
		if part.value != "" {
			fmt.Fprintf(w, ", %s %s", part.name, part.value)
		}
	}
	fmt.Fprintf(w, "; %d build agents, %d busy, %d builds waiting\n", c.Nodes, c.Busy, len(c.Queue))
	for _, item := range c.Queue {
		fmt.Fprintf(w, "  %s waits: %s\n", item.Job, ui.Clean(item.Why))
	}
	for _, framework := range r.Mesos.Frameworks {
		state := "active"
		if !framework.Active {
			state = "inactive"
		}
		fmt.Fprintf(w, "Framework %s (%s): %d tasks, %.1f cpus, %.0f MiB\n", framework.Name, state, len(framework.Tasks), framework.Used.CPUs, framework.Used.Mem)
	}
	fmt.Fprintln(w)
}
