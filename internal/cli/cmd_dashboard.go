package cli

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/dashboard"
	"github.com/jomctl/jomctl/internal/lifecycle"
	"github.com/jomctl/jomctl/internal/lifecycle/drill"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/probe"
)

type dashboardOptions struct {
	dashboard.Options
	passwordFile string
	every        time.Duration
	probe        bool
	grafana      bool
}

func newDashboardCommand(a *app) *cobra.Command {
	opts := dashboardOptions{Options: dashboard.Options{Listen: "127.0.0.1:7080"}, every: 2 * time.Second, probe: true}
	cmd := &cobra.Command{
		Use:   "dashboard",
		Short: "Serve a page that shows the cluster live, and metrics for Prometheus",
		Long: "dashboard serves one page on this machine until it is interrupted: what status says, with the queue, build agents, disks and what\n" +
			"was done to the cluster. It changes nothing. /metrics is for Prometheus, and --grafana prints a Grafana dashboard for it.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.dashboard(cmd.Context(), opts) },
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.Listen, "listen", opts.Listen, "where the page is served, HOST:PORT")
	flags.StringVar(&opts.User, "user", "", "ask for this user")
	flags.StringVar(&opts.passwordFile, "password-file", "", "the file whose first line is the password of --user")
	flags.StringVar(&opts.TLSCert, "tls-cert", "", "certificate chain in PEM")
	flags.StringVar(&opts.TLSKey, "tls-key", "", "private key of --tls-cert in PEM")
	flags.BoolVar(&opts.Insecure, "insecure-listen", false, "let others reach the page without a password or TLS")
	flags.DurationVar(&opts.every, "every", opts.every, "how often the cluster is asked while somebody looks")
	flags.BoolVar(&opts.probe, "probe", opts.probe, "also ask from outside four times a second, so that the page shows at once what goes away")
	flags.BoolVar(&opts.grafana, "grafana", false, "print a Grafana dashboard for the metrics, and end")
	return cmd
}

func (a *app) dashboard(ctx context.Context, opts dashboardOptions) error {
	if opts.grafana {
		_, err := a.streams.Out.Write(dashboard.Grafana())
		return err
	}
	if opts.every < 200*time.Millisecond {
		return &usageError{fmt.Errorf("--every %s is too often: 200ms at least", opts.every)}
	}
	if opts.passwordFile != "" {
		password, err := passwordIn(opts.passwordFile)
		if err != nil {
			return &usageError{fmt.Errorf("--password-file: %w", err)}
		}
		opts.Password = password
	}
	if err := opts.Check(); err != nil {
		return &usageError{err}
	}
	c, err := config.Load(a.global.File)
	if err != nil {
		return err
	}
	env, err := lifecycle.Look(c)
	if err != nil {
		return err
	}
	drills := &drill.Reader{}
	hub, err := dashboard.NewHub(dashboard.Sources{Report: env.Status, Runs: &dashboard.Journals{Dir: a.global.journalDir(), Running: a.somethingRuns},
		Releases:  dashboard.HistoryFunc(func(context.Context) ([]dashboard.Entry, error) { return releaseEntries(lifecycle.UpgradeDir(c)) }),
		Drills:    dashboard.HistoryFunc(func(context.Context) ([]dashboard.Entry, error) { return drillEntries(drills, c.StateDir()) }),
		Framework: "jenkins-" + c.Name, Version: currentBuild().Version}, opts.every)
	if err != nil {
		return err
	}
	server, err := dashboard.Listen(hub, opts.Options)
	if err != nil {
		return err
	}
	if err := a.answerDashboard(opts, opts.URL(server.Addr())); err != nil {
		return err
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // it waits for others nearly always, and a second processor would be woken for every answer
	var group sync.WaitGroup
	defer group.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group.Go(func() { hub.Run(ctx) })
	if opts.probe {
		group.Go(func() {
			probe.New(env.Probe()).Run(ctx, func(sample probe.Sample) {
				hub.Probed(dashboard.Probe{Target: sample.Target, Up: sample.OK, Since: sample.At, Detail: sample.Detail})
			})
		})
	}
	return server.Run(ctx)
}

// somethingRuns says that the lock is held: the newest journal without an end goes on.
func (a *app) somethingRuns() bool {
	_, held, err := op.ReadLock(a.global.stateDir())
	return held && err == nil
}

// answerDashboard says where the page is.
func (a *app) answerDashboard(opts dashboardOptions, url string) error {
	if opts.Insecure {
		a.say("everybody who reaches %s sees the cluster", url)
	}
	if a.global.Output == formatJSON {
		return a.writeJSON(map[string]string{"url": url, "metrics": url + "metrics"})
	}
	_, err := fmt.Fprintln(a.streams.Out, url)
	return err
}

// passwordIn reads the first line of a file that holds a secret.
func passwordIn(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(data), "\n")
	if line = strings.TrimRight(line, "\r"); line == "" {
		return "", fmt.Errorf("%s has no password in its first line", path)
	}
	return line, nil
}
