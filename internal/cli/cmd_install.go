package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/config"
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
	// installTerraform downloads a Terraform where there is none.
	installTerraform bool
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
	bindInstallTerraform(cmd.Flags(), &opts.installTerraform)
	a.mutating(cmd, func(ctx context.Context, s *session) (mutation, error) { return installMachines(ctx, s, opts) })
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := opts.proof.check(); err != nil {
			return err
		}
		written, err := a.clusterFile(cmd.Context(), &opts.cluster)
		if err != nil {
			return err
		}
		return keptFile(run(cmd, args), written)
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

	proof, proven := jenkins.Proof{}, time.Time{}
	if record, ok := env.LastProof(); ok {
		proof, proven = record.Proof, record.Time
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
			proof, proven = p, time.Now()
			if !p.Passed {
				s.Say("%s", proofText(p))
			}
		}},
	})
	return mutation{Plan: plan, Answer: func(context.Context, op.Result) (string, map[string]any, error) {
		return installText(env, proof, proven), map[string]any{"url": env.URL(), "proof": proofOf(proof), "proven": proven.UTC(), "components": env.Components(),
			"admin": map[string]string{"user": s.Cluster.Jenkins.Admin.User, "password": string(s.Cluster.Jenkins.Admin.Password)}}, nil
	}}, nil
}

// preflightError is everything that stands against an install.
type preflightError struct{ findings []provision.Finding }

// Error lists all findings, each with its fix.
func (e *preflightError) Error() string {
	var text strings.Builder
	count := fmt.Sprintf("%d findings", len(e.findings))
	if len(e.findings) == 1 {
		count = "1 finding"
	}
	fmt.Fprintf(&text, "this machine cannot carry the cluster yet (%s); nothing was changed", count)
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
func installText(env *lifecycle.Env, proof jenkins.Proof, proven time.Time) string {
	var text strings.Builder
	table := ui.NewTable("COMPONENT", "KIND", "VERSION")
	for _, component := range env.Components() {
		table.Row(component.Name, component.Kind, component.Version)
	}
	if err := table.Write(&text, 0); err != nil {
		fmt.Fprintln(&text, err)
	}
	fmt.Fprintf(&text, "\n%sProven:    %s\n\n", proofText(proof), proven.Local().Format("2006-01-02 15:04 MST"))
	account := func(user string, password config.Secret) string {
		where := string(password)
		if path, isFile := password.Path(env.Cluster); isFile {
			where = path
		}
		return user + ", password in " + where
	}
	admin := env.Cluster.Jenkins.Admin
	fmt.Fprintf(&text, "Jenkins:   %s\nLog in as: %s\n", env.URL(), account(admin.User, admin.Password))
	if tunnel := env.Tunnel(); tunnel != "" {
		fmt.Fprintf(&text, "From here: http://127.0.0.1:8080 while `%s` runs\n", tunnel)
	}
	if marathon := env.Cluster.Components.Marathon.BasicAuth; marathon != nil {
		fmt.Fprintf(&text, "Marathon:  %s as %s\n", provision.EdgeURL(env.Cluster, provision.EdgeMarathonPort), account(marathon.User, marathon.Password))
	}
	text.WriteString("Next:      jomctl status, jomctl prove, jomctl destroy\n")
	return text.String()
}
