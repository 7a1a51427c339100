package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/internal/op"
)

func newDestroyCommand(a *app) *cobra.Command {
	opts, installTerraform := lifecycle.DestroyOptions{}, false
	cmd := &cobra.Command{
		Use:   "destroy",
		Short: "Stop exactly what was started and remove it, with all its data",
		Long: "destroy stops the controller, every program of the cluster and what they left running, and removes their data and the generated password.\n" +
			"It keeps the cluster file, the journals and logs, the packages on hosts, and a home that lies outside of .jomctl. It goes by what was installed, also when\n" +
			"the cluster file says something else by now, is broken or is gone. Machines that Terraform made for it are removed, and the home with them,\n" +
			"unless it is on shared storage.",
		Args: cobra.NoArgs,
	}
	cmd.Flags().StringVar(&opts.Home, "home", "", "the path of the home on the hosts, which is removed with all jobs when it is named here")
	bindInstallTerraform(cmd.Flags(), &installTerraform)
	return a.mutatingOf(cmd, manner{load: a.installed, makesRoom: true}, func(ctx context.Context, s *session) (mutation, error) {
		if s.Cluster.Target.FromTerraform() {
			return destroyMachines(ctx, s, installTerraform, opts)
		}
		env, err := lifecycle.Look(s.Cluster)
		if err != nil {
			return mutation{}, err
		}
		if opts.Home != "" && opts.Home != env.KeptHome() {
			return mutation{}, notTheHome(opts.Home, s.Cluster.Name, orNone(env.KeptHome()))
		}
		return mutation{Plan: lifecycle.Destroy(env, opts), Closes: true, Answer: func(context.Context, op.Result) (string, map[string]any, error) {
			text, kept := fmt.Sprintf("Cluster %s is gone\n", s.Cluster.Name), []string{}
			if _, err := os.Stat(s.Cluster.File); err == nil {
				text = fmt.Sprintf("Cluster %s is gone; %s is kept\n", s.Cluster.Name, s.Cluster.File)
				kept = append(kept, s.Cluster.File)
			}
			if home := env.KeptHome(); home != opts.Home {
				text += keptHomeText(home)
				kept = append(kept, home)
			}
			return text, map[string]any{"kept": kept}, nil
		}}, nil
	})
}

func notTheHome(named, cluster, home string) error {
	return &usageError{fmt.Errorf("--home: %s is not the home of cluster %s, which is %s", named, cluster, home)}
}

func keptHomeText(home string) string {
	return fmt.Sprintf("The home %s is kept, too, and so is the password of its account\n", home)
}

func orNone(home string) string {
	if home == "" {
		return "below .jomctl and goes with it"
	}
	return home
}

// installed is the cluster to destroy: what was installed, which the file may not say any more, with the hosts that a change of
// the control hosts was bringing in; without a record of that what the file says.
func (a *app) installed(file string) (*config.Cluster, error) {
	installed, recordErr := record.Installed(file)
	if recordErr == nil {
		return record.WithJoining(installed)
	}
	cluster, err := config.Load(file)
	switch {
	case errors.Is(recordErr, fs.ErrNotExist):
		return cluster, err
	case err != nil:
		return nil, errors.Join(recordErr, err)
	}
	a.say("Note: %v; going by %s", recordErr, file)
	return cluster, nil
}
