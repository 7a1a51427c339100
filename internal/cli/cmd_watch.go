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
	limits           alerts.Limits
	every, probe     time.Duration
	command, webhook string
	test             bool
	webhookURL       string
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
			"of stdout is one alert. The section watch of the cluster file has the same settings; flags go before it.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Load(a.global.File)
			if err != nil {
				return err
			}
			opts.from(c, cmd.Flags().Changed)
			return a.watchAlerts(cmd.Context(), c, opts)
		},
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

// from takes what the cluster file says and no flag does.
func (o *watchOptions) from(c *config.Cluster, said func(flag string) bool) {
	w := c.Watch
	if w == nil {
		return
	}
	for _, one := range []struct {
		flag  string
		there bool
		value *config.Duration
		to    *time.Duration
	}{{"after", w.After != nil, w.After, &o.limits.After}, {"clear-after", w.ClearAfter != nil, w.ClearAfter, &o.limits.Clear}, {"unpushed", w.Unpushed > 0, &w.Unpushed, &o.limits.Unpushed}} {
		if one.there && !said(one.flag) {
			*one.to = one.value.Duration()
		}
	}
	if w.Disk > 0 && !said("disk") {
		o.limits.Disk = w.Disk
	}
	if w.Reregistered > 0 && !said("reregistered") {
		o.limits.Reregistered = w.Reregistered
	}
	if said("alert-command") || said("alert-webhook") {
		return
	}
	o.command, o.webhook = w.Command, string(w.Webhook)
	if path, ok := w.Webhook.Path(c); ok {
		o.webhook = "file:" + path
	}
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

func (a *app) watchAlerts(ctx context.Context, c *config.Cluster, opts watchOptions) error {
	if err := opts.check(); err != nil {
		return &usageError{err}
	}
	if opts.test {
		return a.tellTest(ctx, opts, alerts.Alert{State: alerts.Test, ID: "test", Cluster: c.Name, Severity: status.Info, Subject: "watch", Problem: "this is a test: nothing is wrong", Began: time.Now().UTC()})
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
		Show: a.writeAlert, Tell: opts.tell, Failed: func(err error) { a.say("%s", ui.Clean(err.Error())) },
		File: filepath.Join(a.global.stateDir(), "watch.json")}.Run(ctx)
}

// tellTest shows an alert and tells it once.
func (a *app) tellTest(ctx context.Context, opts watchOptions, one alerts.Alert) error {
	if err := a.writeAlert(one); err != nil {
		return err
	}
	return opts.tell(ctx, one)
}

// tell sends an alert to whom it is for; without anybody it is told when it is shown.
func (o watchOptions) tell(ctx context.Context, one alerts.Alert) error {
	switch {
	case o.command != "":
		return alerts.Command{Line: o.command}.Send(ctx, one)
	case o.webhookURL != "":
		return alerts.Webhook{URL: o.webhookURL}.Send(ctx, one)
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
