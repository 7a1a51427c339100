package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle"
	"github.com/jomctl/jomctl/internal/probe"
	"github.com/jomctl/jomctl/internal/status"
	"github.com/jomctl/jomctl/internal/ui"
	alerts "github.com/jomctl/jomctl/internal/watch"
)

type watchOptions struct {
	limits              alerts.Limits
	every, probe        time.Duration
	command, webhook    string
	test                bool
	webhookURL, cluster string
}

func newWatchCommand(a *app) *cobra.Command {
	opts := watchOptions{limits: alerts.Defaults(), every: 10 * time.Second, probe: time.Second}
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Look at the cluster continuously and tell somebody what begins and ends to be wrong",
		Long: "watch runs until it is ended (SIGTERM, Ctrl-C) and writes each alert to stdout: once when it begins and once when it ends, also over\n" +
			"restarts of watch. The command gets an alert as JSON on its stdin, the webhook as the body of a POST, which is tried five times.\n" +
			"Alerts: the controller does not serve or runs twice, a framework is registered twice or registers again and again, changes of the\n" +
			"home are not pushed, a quorum is at risk or lost, a disk fills, and every other finding that is an error. With -o json each line\n" +
			"of stdout is one alert.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.watchAlerts(cmd.Context(), opts) },
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.command, "alert-command", "", "a command line for the shell that is run for each alert")
	flags.StringVar(&opts.webhook, "alert-webhook", "", "a URL that gets each alert; env:NAME or file:PATH keep it out of the list of processes")
	flags.DurationVar(&opts.every, "every", opts.every, "how often the whole cluster is asked")
	flags.DurationVar(&opts.probe, "probe-every", opts.probe, "how often it is asked from outside whether it serves")
	flags.DurationVar(&opts.limits.After, "after", opts.limits.After, "how long something must be wrong before it is told")
	flags.DurationVar(&opts.limits.Clear, "clear-after", opts.limits.Clear, "how long it must be right again before its end is told")
	flags.DurationVar(&opts.limits.Unpushed, "unpushed", opts.limits.Unpushed, "how old changes of the home may become before they are pushed (ends below half)")
	flags.Float64Var(&opts.limits.Disk, "disk", opts.limits.Disk, "how full a disk may be, in percent (ends 5 below)")
	flags.IntVar(&opts.limits.Reregistered, "reregistered", opts.limits.Reregistered, "how often a framework may register again within 10 minutes")
	flags.BoolVar(&opts.test, "test", false, "tell one alert that says it is a test, and end")
	return cmd
}

func (o *watchOptions) check() error {
	switch {
	case o.command != "" && o.webhook != "":
		return errors.New("name --alert-command or --alert-webhook, not both")
	case o.every < time.Second || o.probe < 100*time.Millisecond:
		return errors.New("--every must be 1s at least, --probe-every 100ms")
	case o.limits.After < 0 || o.limits.Clear < 0 || o.limits.Unpushed <= 0 || o.limits.Reregistered < 1:
		return errors.New("--after and --clear-after must not be negative, --unpushed and --reregistered must be more than 0")
	case o.limits.Disk <= 5 || o.limits.Disk > 100:
		return fmt.Errorf("--disk %g is not a percentage from 6 to 100", o.limits.Disk)
	}
	if o.webhook == "" {
		return nil
	}
	o.webhookURL = o.webhook
	if name, ok := strings.CutPrefix(o.webhook, "env:"); ok {
		o.webhookURL = os.Getenv(name)
	} else if path, ok := strings.CutPrefix(o.webhook, "file:"); ok {
		text, err := passwordIn(path)
		if err != nil {
			return fmt.Errorf("--alert-webhook: %w", err)
		}
		o.webhookURL = text
	}
	if u, err := url.Parse(o.webhookURL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("--alert-webhook is no http or https URL, and names no file or variable that holds one")
	}
	return nil
}

func (a *app) watchAlerts(ctx context.Context, opts watchOptions) error {
	if err := opts.check(); err != nil {
		return &usageError{err}
	}
	c, err := config.Load(a.global.File)
	if err != nil {
		return err
	}
	opts.cluster = c.Name
	if opts.test {
		return a.tell(ctx, opts, alerts.Alert{State: alerts.Test, ID: "test", Cluster: c.Name, Severity: status.Info, Subject: "watch", Problem: "this is a test: nothing is wrong", Began: time.Now().UTC()})
	}
	env, err := lifecycle.Look(c)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(a.global.stateDir(), 0o700); err != nil {
		return fmt.Errorf("creating the state folder: %w", err)
	}
	asked := env.Probe()
	asked.Every = opts.probe
	a.say("watching %s; ends with Ctrl-C or SIGTERM", c.Name)
	return alerts.Job{Cluster: c.Name, Limits: opts.limits, Every: opts.every, Step: min(opts.every, time.Second), Report: env.Status, Probe: probe.New(asked).Run,
		Tell: func(ctx context.Context, one alerts.Alert) error { return a.tell(ctx, opts, one) }, Failed: func(err error) { a.say("%s", ui.Clean(err.Error())) },
		File: filepath.Join(a.global.stateDir(), "watch.json")}.Run(ctx)
}

// tell writes an alert to stdout and sends it.
func (a *app) tell(ctx context.Context, opts watchOptions, one alerts.Alert) error {
	if err := a.writeAlert(one); err != nil {
		return err
	}
	switch {
	case opts.command != "":
		return alerts.Command{Line: opts.command}.Send(ctx, one)
	case opts.webhookURL != "":
		return alerts.Webhook{URL: opts.webhookURL}.Send(ctx, one)
	}
	return nil
}

func (a *app) writeAlert(one alerts.Alert) error {
	if a.global.Output == formatJSON {
		return json.NewEncoder(a.streams.Out).Encode(one) // a line each, not one value
	}
	at, text := one.Began, one.Problem
	if one.State == alerts.End {
		at, text = one.Ended, "is over after "+one.Ended.Sub(one.Began).Round(time.Second).String()+": "+one.Problem
	}
	_, err := fmt.Fprintf(a.streams.Out, "%s %-5s %-7s %s: %s\n", at.Format(time.RFC3339), one.State, one.Severity, ui.Clean(one.Subject), ui.Clean(text))
	return err
}
