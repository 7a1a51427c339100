package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle"
	"github.com/jomctl/jomctl/internal/lifecycle/clusterfile"
	"github.com/jomctl/jomctl/internal/lifecycle/inventory"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/ui"
)

// drainTimeout is longer than most builds take.
const drainTimeout = 30 * time.Minute

type agentsOptions struct {
	names      []string
	address    string
	attributes []string
	drain      lifecycle.DrainOptions
	force      bool
	install    installOptions
}

func newAgentsCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "agents", Short: "Show, add, drain and remove Mesos agents", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(newAgentsList(a), newAgentsAdd(a), newAgentsDrain(a), newAgentsUndrain(a), newAgentsRemove(a))
	return cmd
}

func newAgentsList(a *app) *cobra.Command {
	return &cobra.Command{Use: "list", Short: "Show the Mesos agents and what runs on them", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Load(a.global.File)
			if err != nil {
				return err
			}
			env, err := lifecycle.Look(c)
			if err != nil {
				return err
			}
			agents, err := env.Agents(cmd.Context())
			if err != nil {
				return err
			}
			if a.global.Output == formatJSON {
				return a.writeJSON(map[string]any{"agents": agents})
			}
			table := ui.NewTable("NAME", "ADDRESS", "STATE", "CPUS", "MEM MIB", "BUILD AGENTS", "NOTE")
			for _, one := range agents {
				table.Row(one.Name, one.Address, one.State, fmt.Sprintf("%.1f/%.1f", one.CPUsUsed, one.CPUs),
					fmt.Sprintf("%.0f/%.0f", one.MemUsedMiB, one.MemMiB), fmt.Sprint(one.BuildAgents), agentNote(one))
			}
			return table.Write(a.streams.Out, 0)
		}}
}

func agentNote(one lifecycle.AgentInfo) string {
	var notes []string
	for _, note := range []struct {
		is   bool
		text string
	}{{one.Controller, "controller"}, {one.HasHome, "home"}, {!one.InFile, "not in the file"}} {
		if note.is {
			notes = append(notes, note.text)
		}
	}
	return strings.Join(notes, ", ")
}

// named makes a mutating command that keeps its arguments in opts.
func (a *app) named(cmd *cobra.Command, opts *agentsOptions, p prepare) *cobra.Command {
	a.mutating(cmd, p)
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		opts.names = slices.Compact(slices.Sorted(slices.Values(args)))
		return run(cmd, args)
	}
	return cmd
}

func newAgentsAdd(a *app) *cobra.Command {
	opts := &agentsOptions{}
	cmd := &cobra.Command{
		Use:   "add NAME[=ADDRESS]...",
		Short: "Add Mesos agents: write them into the cluster file, and install what they need",
		Long: "add writes hosts with the role mesos-agent into the cluster file, whose comments stay, and makes the install of the changed file.\n" +
			"Where the file of target local only says how many Mesos agents there are (local.agents), the number is changed, and NAME is the next one.\n" +
			"A file that is written in another way than one host per line is left alone, and the lines to write are shown.",
		Args: cobra.MinimumNArgs(1),
	}
	cmd.Flags().StringVar(&opts.address, "address", "", "the address of the host, where one is added")
	cmd.Flags().StringArrayVar(&opts.attributes, "attribute", nil, "KEY=VALUE, an attribute of the added Mesos agents (repeatable)")
	bindAcceptKeys(cmd.Flags(), &opts.install.acceptKeys)
	return a.named(cmd, opts, func(ctx context.Context, s *session) (mutation, error) {
		news, err := newHosts(opts, s.Cluster.Target != config.TargetLocal)
		if err != nil {
			return mutation{}, err
		}
		change, err := clusterfile.AddAgents(s.Cluster, news)
		if err != nil {
			return mutation{}, err
		}
		s.Cluster = change.Cluster
		m, err := install(ctx, s, &opts.install)
		if err != nil {
			return mutation{}, err
		}
		m.Plan.Stages = append([]op.Stage{change.Stage()}, m.Plan.Stages...)
		m.Answer = agentsAnswer(s, fmt.Sprintf("Added: %s\n", strings.Join(hostNames(news), ", ")))
		return m, nil
	})
}

// newHosts are the hosts of the arguments; on hosts of their own each needs an address.
func newHosts(opts *agentsOptions, addressed bool) ([]clusterfile.NewHost, error) {
	attributes := map[string]string{}
	for _, text := range opts.attributes {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" || value == "" {
			return nil, &usageError{fmt.Errorf("--attribute %s: want KEY=VALUE", text)}
		}
		attributes[key] = value
	}
	if opts.address != "" && len(opts.names) > 1 {
		return nil, &usageError{errors.New("--address is for one host: with several say NAME=ADDRESS for each")}
	}
	var news []clusterfile.NewHost
	for _, text := range opts.names {
		name, address, _ := strings.Cut(text, "=")
		if address == "" {
			address = opts.address
		}
		if address == "" && addressed {
			return nil, &usageError{fmt.Errorf("%s needs an address: say %s=ADDRESS, or --address", name, name)}
		}
		news = append(news, clusterfile.NewHost{Name: name, Address: address, Attributes: attributes})
	}
	return news, nil
}

func hostNames(news []clusterfile.NewHost) []string {
	var names []string
	for _, n := range news {
		names = append(names, n.Name)
	}
	return names
}

// agentsAnswer is what stands at the end: a sentence, and in JSON how all Mesos agents are now.
func agentsAnswer(s *session, text string) func(context.Context, op.Result) (string, map[string]any, error) {
	return func(ctx context.Context, _ op.Result) (string, map[string]any, error) {
		env, err := lifecycle.Look(s.Cluster)
		if err != nil {
			return "", nil, err
		}
		agents, err := env.Agents(ctx)
		return text, map[string]any{"agents": agents}, err
	}
}

func bindDrain(cmd *cobra.Command, drain *lifecycle.DrainOptions) {
	cmd.Flags().DurationVar(&drain.Timeout, "timeout", drainTimeout, "how long build agents may take to end")
	cmd.Flags().BoolVar(&drain.MoveController, "move-controller", false, "restart the controller on another host when its host is empty; it stays otherwise")
}

// looked is an environment for what needs no more than Mesos and Marathon, with the lock in ZooKeeper where that serves.
func looked(ctx context.Context, s *session) (*lifecycle.Env, error) {
	env, err := lifecycle.Look(s.Cluster)
	if err != nil {
		return nil, err
	}
	if env.ZooKeeper.Healthy(ctx) == nil {
		err = s.AddLease(ctx, zooKeeperLease{&cluster.Lease{ZooKeeper: env.ZooKeeper, Path: cluster.LeasePath(s.Cluster.Name)}})
	}
	return env, err
}

func newAgentsDrain(a *app) *cobra.Command {
	opts := &agentsOptions{}
	cmd := &cobra.Command{
		Use:   "drain NAME...",
		Short: "Keep new tasks away from Mesos agents, and wait until their build agents have ended",
		Long: "drain ends no build: it stops the offers of a Mesos agent and waits for its build agents, which end when they are idle. The controller stays\n" +
			"where it is. When the time is up, the command fails and says what it waited for, and the Mesos agent stays out of the offers until\n" +
			"`jomctl agents undrain`.",
		Args: cobra.MinimumNArgs(1),
	}
	bindDrain(cmd, &opts.drain)
	return a.named(cmd, opts, func(ctx context.Context, s *session) (mutation, error) {
		env, err := looked(ctx, s)
		if err != nil {
			return mutation{}, err
		}
		plan, err := lifecycle.DrainAgents(ctx, env, opts.names, opts.drain)
		return mutation{Plan: plan, Answer: agentsAnswer(s, fmt.Sprintf("Drained: %s\nNext:    jomctl agents undrain %s\n",
			strings.Join(opts.names, ", "), strings.Join(opts.names, " ")))}, err
	})
}

func newAgentsUndrain(a *app) *cobra.Command {
	opts := &agentsOptions{}
	cmd := &cobra.Command{Use: "undrain NAME...", Short: "Put drained Mesos agents back into service", Args: cobra.MinimumNArgs(1)}
	return a.named(cmd, opts, func(ctx context.Context, s *session) (mutation, error) {
		env, err := looked(ctx, s)
		if err != nil {
			return mutation{}, err
		}
		plan, err := lifecycle.UndrainAgents(ctx, env, opts.names)
		return mutation{Plan: plan, Answer: agentsAnswer(s, fmt.Sprintf("In service: %s\n", strings.Join(opts.names, ", ")))}, err
	})
}

func newAgentsRemove(a *app) *cobra.Command {
	opts := &agentsOptions{}
	cmd := &cobra.Command{
		Use:   "remove NAME...",
		Short: "Drain Mesos agents, take everything of the cluster from their hosts, and take them out of the cluster file",
		Long: "remove drains first (see `jomctl agents drain`). It refuses a host with the home on its disk, and to leave less than the controller and one\n" +
			"build agent need. Where the file of target local only says how many Mesos agents there are (local.agents), the last one goes first.\n" +
			"--force gives up hosts that cannot be reached: their tasks are lost, and Mesos never admits their agents again.",
		Args: cobra.MinimumNArgs(1),
	}
	bindDrain(cmd, &opts.drain)
	cmd.Flags().BoolVar(&opts.force, "force", false, "give up hosts that cannot be reached, with their tasks")
	return a.named(cmd, opts, func(ctx context.Context, s *session) (mutation, error) { return removeAgents(ctx, s, opts) })
}

func removeAgents(ctx context.Context, s *session, opts *agentsOptions) (mutation, error) {
	change, err := clusterfile.RemoveAgents(s.Cluster, opts.names)
	if err != nil {
		return mutation{}, err
	}
	before, err := clusterfile.WithRemoved(s.Cluster, opts.names)
	if err != nil {
		return mutation{}, err
	}
	s.Cluster = change.Cluster
	env, err := openHosts(ctx, s, false)
	if err != nil {
		return mutation{}, err
	}
	env.Intends(opts.names...)
	stages, warnings, err := env.RemoveStages(ctx, before, opts.names, lifecycle.RemoveOptions{Drain: opts.drain, Force: opts.force,
		Access: inventory.Access{Version: currentBuild().Version, Say: s.Say}})
	if err != nil {
		return mutation{}, err
	}
	for _, warning := range warnings {
		s.Say("Warning: %s", warning)
	}
	m, err := installEnv(ctx, s, env, &opts.install)
	if err != nil {
		return mutation{}, err
	}
	m.Plan.Stages = slices.Concat(stages, []op.Stage{change.Stage()}, m.Plan.Stages)
	m.Answer = agentsAnswer(s, fmt.Sprintf("Removed: %s\n", strings.Join(opts.names, ", ")))
	return m, nil
}
