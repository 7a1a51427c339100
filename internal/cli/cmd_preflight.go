package cli

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
)

// looking is a session that changes nothing.
func (a *app) looking(verb string) (*session, error) {
	cluster, err := config.Load(a.global.File)
	if err != nil {
		return nil, err
	}
	if err := a.openLog(verb); err != nil {
		return nil, err
	}
	return &session{Cluster: cluster, RunID: uuid.NewString(), Log: a.logger(), Streams: a.streams, Yes: a.global.Yes, Say: a.say,
		AddLease: func(context.Context, op.Lease) error { return nil }}, nil
}

func newPreflightCommand(a *app) *cobra.Command {
	accept := false
	cmd := &cobra.Command{
		Use:   "preflight",
		Short: "Look whether the machines can carry the cluster, and change nothing",
		Long: "preflight is what every install begins with: it looks at all machines at once and says everything that stands against them, each with its fix.\n" +
			"Exit code 0: nothing does; 3: something does.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.preflight(cmd.Context(), accept) },
	}
	bindAcceptKeys(cmd.Flags(), &accept)
	return cmd
}

func (a *app) preflight(ctx context.Context, accept bool) error {
	s, err := a.looking("preflight")
	if err != nil {
		return err
	}
	env, err := openHosts(ctx, s, accept)
	if err != nil {
		return err
	}
	findings, notes := env.Preflight(), env.Notes()
	if a.global.Output == formatJSON {
		if findings == nil {
			findings = []provision.Finding{}
		}
		if err := a.writeJSON(map[string]any{"passed": len(findings) == 0, "findings": findings, "notes": notes}); err != nil {
			return err
		}
	}
	for _, note := range notes {
		a.say("Note: %s", note)
	}
	if len(findings) == 0 {
		a.say("%s", componentLine(env.Components()))
		if a.global.Output != formatJSON {
			fmt.Fprintf(a.streams.Out, "Nothing stands against %d hosts\n", len(s.Cluster.Hosts))
		}
		return nil
	}
	if a.global.Output != formatJSON {
		return &preflightError{findings}
	}
	a.say("%v", &preflightError{findings})
	return &reported{exitRefused}
}

func newPlanCommand(a *app) *cobra.Command {
	opts := &installOptions{}
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what an install would do: what is missing, and what has been changed by hand",
		Long: "plan compares the machines with the cluster file, per file, unit and package, and shows what `jomctl install` would do. It changes nothing.\n" +
			"It is `jomctl install --plan`.",
		Args: cobra.NoArgs,
	}
	bindAcceptKeys(cmd.Flags(), &opts.acceptKeys)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := a.looking("plan")
		if err != nil {
			return err
		}
		m := &mutator{app: a, cmd: cmd, args: args, session: s,
			prepare: func(ctx context.Context, s *session) (mutation, error) { return install(ctx, s, opts) }}
		return m.plan(cmd.Context())
	}
	return cmd
}
