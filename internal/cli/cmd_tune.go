package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/internal/lifecycle/clusterfile"
	"github.com/jomctl/jomctl/internal/lifecycle/drill"
	"github.com/jomctl/jomctl/internal/op"
)

func newTuneCommand(a *app) *cobra.Command {
	opts := &installOptions{}
	cmd := &cobra.Command{
		Use:   "tune",
		Short: "Choose the times in which faults are noticed from measured starts, and apply them",
		Long: "tune reads the starts of the controller that drills have measured, and shows for health checks, backoff, pings of Mesos agents and sessions of\n" +
			"ZooKeeper what fits them, with what shorter and longer times cost. What is confirmed goes into the section tuning of the cluster file, and is\n" +
			"installed; --plan only shows it. The controller is started again where its app changes.",
		Args: cobra.NoArgs,
	}
	bindAcceptKeys(cmd.Flags(), &opts.acceptKeys)
	return a.mutating(cmd, func(ctx context.Context, s *session) (mutation, error) {
		results, err := drill.History(s.Cluster.StateDir())
		if err != nil {
			return mutation{}, err
		}
		measured := drill.Starts(results)
		tuned, advice, err := drill.Tune(measured, s.Cluster.Tuned())
		if err != nil {
			return mutation{}, err
		}
		for _, one := range advice {
			s.Say("%s: %s -> %s (%s)\n  %s", one.Key, one.Now, one.Advised, one.Why, one.TradeOff)
		}
		change, err := clusterfile.Tune(s.Cluster, tuned)
		if err != nil {
			return mutation{}, err
		}
		s.Cluster = change.Cluster
		m, err := install(ctx, s, opts)
		if err != nil {
			return mutation{}, err
		}
		m.Plan.Stages = append([]op.Stage{change.Stage()}, m.Plan.Stages...)
		m.Answer = func(context.Context, op.Result) (string, map[string]any, error) {
			var text strings.Builder
			for _, one := range advice {
				fmt.Fprintf(&text, "%-32s %s\n", one.Key, one.Advised)
			}
			return text.String(), map[string]any{"measured": measured, "advice": advice}, nil
		}
		return m, nil
	})
}
