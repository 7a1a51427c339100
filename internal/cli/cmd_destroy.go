package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/internal/lifecycle"
	"github.com/jomctl/jomctl/internal/op"
)

func newDestroyCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "destroy",
		Short: "Stop exactly what was started and remove it, with all its data",
		Long: "destroy stops the controller, every program of the cluster and what they left running, and removes their data and the generated password.\n" +
			"It keeps the cluster file, the journals and logs, and a home that lies outside of .jomctl.",
		Args: cobra.NoArgs,
	}
	return a.mutating(cmd, func(_ context.Context, s *session) (mutation, error) {
		env, err := lifecycle.Look(s.Cluster)
		if err != nil {
			return mutation{}, err
		}
		return mutation{Plan: lifecycle.Destroy(env), Closes: true, Answer: func(context.Context, op.Result) (string, map[string]any, error) {
			text := fmt.Sprintf("Cluster %s is gone; %s is kept\n", s.Cluster.Name, s.Cluster.File)
			kept := []string{s.Cluster.File}
			if home := env.KeptHome(); home != "" {
				text += fmt.Sprintf("The home %s is kept, too\n", home)
				kept = append(kept, home)
			}
			return text, map[string]any{"kept": kept}, nil
		}}, nil
	})
}
