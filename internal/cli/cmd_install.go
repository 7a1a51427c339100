package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/jenkins"
	"github.com/jomctl/jomctl/internal/lifecycle"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/ui"
	"github.com/jomctl/jomctl/provision"
)

type installOptions struct {
	cluster InstallFlags
	proof   proofOptions
	// timeout is how long the controller may take; 0 leaves it to the cluster file's grace.
	timeout time.Duration
	// acceptKeys pins host keys that nobody has looked at.
	acceptKeys bool
}

func newInstallCommand(a *app) *cobra.Command {
	opts := &installOptions{}
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Install a working, proven Jenkins on Mesos, or bring one back to what its file says",
		Long: "install reads the cluster file and makes the cluster what it says, from nothing or from wherever an earlier run ended.\n" +
			"Without a file it asks on a terminal; flags say the same without asking. Both write the file.",
		Args: cobra.NoArgs,
	}
	opts.cluster.Bind(cmd.Flags())
	opts.proof.bind(cmd.Flags(), "proof-")
	cmd.Flags().DurationVar(&opts.timeout, "controller-timeout", 0, "how long the controller may take to come up (default: jenkins.app.grace and 90s)")
	bindAcceptKeys(cmd.Flags(), &opts.acceptKeys)
	a.mutating(cmd, func(ctx context.Context, s *session) (mutation, error) { return install(ctx, s, opts) })
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := opts.proof.check(); err != nil {
			return err
		}
		if err := a.clusterFile(cmd.Context(), &opts.cluster); err != nil {
			return err
		}
		return run(cmd, args)
	}
	return cmd
}

// install prepares the plan: the machine is looked at first, so that nothing starts that cannot be finished.
func install(ctx context.Context, s *session, opts *installOptions) (mutation, error) {
	env, err := openHosts(ctx, s, opts.acceptKeys)
	if err != nil {
		return mutation{}, err
	}
	return installEnv(ctx, s, env, opts)
}

// installEnv is install of a cluster that was looked at.
func installEnv(ctx context.Context, s *session, env *lifecycle.Env, opts *installOptions) (mutation, error) {
	if findings := env.Preflight(); len(findings) > 0 {
		return mutation{}, &preflightError{findings}
	}
	for _, note := range env.Notes() {
		s.Say("Note: %s", note)
	}
	s.Say("%s", componentLine(env.Components()))

	proof := jenkins.Proof{}
	if record, ok := env.LastProof(); ok {
		proof = record.Proof
	}
	leased := false
	take := func(ctx context.Context) error {
		err := s.AddLease(ctx, zooKeeperLease{&cluster.Lease{ZooKeeper: env.ZooKeeper, Path: cluster.LeasePath(s.Cluster.Name)}})
		leased = err == nil
		return err
	}
	if !leased && env.ZooKeeper.Healthy(ctx) == nil {
		if err := take(ctx); err != nil {
			return mutation{}, err
		}
	}
	plan := lifecycle.Install(env, lifecycle.InstallOptions{
		ControllerTimeout: opts.timeout,
		LeaseHeld:         func() bool { return leased }, TakeLease: take,
		Proof: lifecycle.ProofOptions{Builds: opts.proof.builds, Sleep: opts.proof.sleep, Got: func(p jenkins.Proof) {
			proof = p
			if !p.Passed {
				s.Say("%s", proofText(p))
			}
		}},
	})
	return mutation{Plan: plan, Answer: func(context.Context, op.Result) (string, map[string]any, error) {
		return installText(env, proof), map[string]any{"url": env.URL(), "proof": proofOf(proof), "components": env.Components(),
			"admin": map[string]string{"user": s.Cluster.Jenkins.Admin.User, "password": string(s.Cluster.Jenkins.Admin.Password)}}, nil
	}}, nil
}

// preflightError is everything that stands against an install.
type preflightError struct{ findings []provision.Finding }

// Error lists all findings, each with its fix.
func (e *preflightError) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "this machine cannot carry the cluster yet (%d findings); nothing was changed", len(e.findings))
	for _, finding := range e.findings {
		fmt.Fprintf(&text, "\n- %s: %s", finding.Subject, finding.Problem)
		if finding.Fix != "" {
			fmt.Fprintf(&text, "\n  fix: %s", finding.Fix)
		}
	}
	return text.String()
}

// ExitCode is that of a refused check.
func (*preflightError) ExitCode() int { return exitRefused }

var _ interface{ ExitCode() int } = (*preflightError)(nil)

func componentLine(components []lifecycle.Component) string {
	parts := make([]string, len(components))
	for i, component := range components {
		parts[i] = component.Name
		if component.Version != "" {
			parts[i] += " " + component.Version
		}
		parts[i] += " (" + component.Kind + ")"
	}
	return "Components: " + strings.Join(parts, ", ")
}

// installText is what stands at the end of a good install.
func installText(env *lifecycle.Env, proof jenkins.Proof) string {
	var text strings.Builder
	table := ui.NewTable("COMPONENT", "KIND", "VERSION")
	for _, component := range env.Components() {
		table.Row(component.Name, component.Kind, component.Version)
	}
	if err := table.Write(&text, 0); err != nil {
		fmt.Fprintln(&text, err)
	}
	fmt.Fprintf(&text, "\n%s\n", proofText(proof))
	admin := env.Cluster.Jenkins.Admin
	where := string(admin.Password)
	if path, isFile := admin.Password.Path(env.Cluster); isFile {
		where = path
	}
	fmt.Fprintf(&text, "Jenkins:   %s\nLog in as: %s, password in %s\nNext:      jomctl status, jomctl prove, jomctl destroy\n", env.URL(), admin.User, where)
	return text.String()
}

// clusterFile sees to it that there is a cluster file: the one that is there, one from flags, or one that was asked for.
func (a *app) clusterFile(ctx context.Context, flags *InstallFlags) error {
	cluster, written, err := flags.Ensure(a.global.File)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !a.streams.CanPrompt():
		return &usageError{fmt.Errorf("there is no %s and no terminal to ask on: say what to install with flags, at the least `--name NAME --target local --yes`; "+
			"further ones are --control, --agents, --base-address, --host, --scm-repository, --admin-user, --label, --idle (see `jomctl install --help`)", a.global.File)}
	case errors.Is(err, fs.ErrNotExist):
		return a.askForCluster(ctx)
	case err != nil:
		return err
	case written:
		a.say("wrote %s", cluster.File)
	}
	return nil
}
