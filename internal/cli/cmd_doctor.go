package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/doctor"
	"github.com/jomctl/jomctl/internal/lifecycle"
	"github.com/jomctl/jomctl/internal/ui"
)

// checksAtOnce is how many checks work at the same time.
const checksAtOnce = 4

func newDoctorCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Look for known troubles, with the evidence and the fix of each",
		Long: "doctor looks deeper than status: at logs, sandboxes of failed tasks, advertised addresses, disks, build agents that never\n" +
			"come up. It changes nothing, and works on what is there: what it could not look at, it says.\n" +
			"Exit code 0: no findings; 4: there are findings.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.doctor(cmd.Context()) },
	}
}

func (a *app) doctor(ctx context.Context) error {
	inputs, done, err := a.doctorInputs()
	if err != nil {
		return err
	}
	defer done()
	results := doctor.Run(ctx, inputs, checksAtOnce)
	if err := ctx.Err(); err != nil {
		return err
	}
	count := 0
	for _, result := range results {
		count += len(result.Findings)
	}
	if a.global.Output == formatJSON {
		err = a.writeJSON(map[string]any{"cluster": inputs.Cluster.Name, "findings": count, "checks": results})
	} else {
		var text strings.Builder
		doctorText(&text, results, count)
		_, err = io.WriteString(a.streams.Out, text.String())
	}
	if err == nil && count > 0 {
		return &reported{exitFindings}
	}
	return err
}

// doctorText is the results for people.
func doctorText(w io.Writer, results []doctor.Result, count int) {
	for _, result := range results {
		mark := "ok"
		switch {
		case len(result.Findings) > 0:
			mark = fmt.Sprintf("%d found", len(result.Findings))
		case len(result.CouldNot) > 0:
			mark = "?"
		}
		fmt.Fprintf(w, "%-9s %s\n", mark, result.Title)
		for _, one := range result.Findings {
			fmt.Fprintf(w, "          %s: %s: %s\n", one.Severity, ui.Clean(one.Subject), ui.Clean(one.Problem))
			for _, line := range one.Evidence {
				fmt.Fprintf(w, "            | %s\n", ui.Clean(line))
			}
			fmt.Fprintf(w, "            fix: %s\n", ui.Clean(one.Fix))
		}
		for _, line := range result.CouldNot {
			fmt.Fprintf(w, "          could not look at %s\n", ui.Clean(line))
		}
	}
	if count == 0 {
		fmt.Fprintln(w, "\nNo findings.")
		return
	}
	fmt.Fprintf(w, "\n%d findings. `jomctl support-bundle` collects logs and state for somebody else to read.\n", count)
}

// doctorInputs are what doctor and support-bundle look at; done closes what they use.
func (a *app) doctorInputs() (in doctor.Inputs, done func(), err error) {
	c, err := config.Load(a.global.File)
	if err != nil {
		return in, nil, err
	}
	env, err := lifecycle.Look(c)
	if err != nil {
		return in, nil, err
	}
	// What is down is to be reported, not waited for.
	mesos, marathon := env.Mesos, env.Marathon
	mesos.Patience, marathon.Patience, marathon.Mesos = time.Millisecond, time.Millisecond, &mesos
	client, jenkinsErr := env.Jenkins()
	raw := doctor.Raw{Marathons: marathon.URLs, ZooKeepers: env.ZooKeeper.Servers, JenkinsURL: env.URL(), Dial: env.Dial()}
	if jenkinsErr != nil {
		client = env.Visitor()
	} else {
		raw.JenkinsUser = c.Jenkins.Admin.User
	}
	for _, master := range mesos.Masters {
		raw.Masters = append(raw.Masters, "http://"+master)
	}
	in = doctor.Inputs{
		Cluster: c, Machines: env.Fleet.Machines(), ZooKeeper: env.ZooKeeper, Mesos: mesos, Marathon: marathon, Jenkins: client,
		JenkinsError: jenkinsErr, AppID: env.AppID(), Framework: "jenkins-" + c.Name, Report: env.Status, Version: currentBuild().Version,
	}
	for i, secret := range c.Secrets() {
		value, err := secret.Resolve(c)
		if err != nil {
			continue // what cannot be read here cannot be written either, except where it stands by its name
		}
		in.Secrets = append(in.Secrets, value)
		if i == 0 {
			raw.JenkinsPassword = value
		}
	}
	raw.MarathonUser, raw.MarathonPassword, _ = c.MarathonLogin() // what cannot be read is told by the item that needs it
	in.Raw = raw
	return in, client.Close, nil
}

type bundleOptions struct{ file string }

// bundleOutput is --output of support-bundle: a file, and as for every command the words text and json.
type bundleOutput struct {
	file   *string
	format *outputFormat
}

var _ pflag.Value = bundleOutput{}

// String is the file.
func (o bundleOutput) String() string {
	if o.file == nil {
		return ""
	}
	return *o.file
}

// Type is what the help shows.
func (o bundleOutput) Type() string { return "FILE|text|json" }

// Set takes a format or a file.
func (o bundleOutput) Set(value string) error {
	if o.format.Set(value) == nil {
		return nil
	}
	if value == "" {
		return errors.New("the name of the file is empty")
	}
	*o.file = value
	return nil
}

func newSupportBundleCommand(a *app) *cobra.Command {
	opts := bundleOptions{}
	cmd := &cobra.Command{
		Use:   "support-bundle",
		Short: "Collect logs and state in one archive, without secrets",
		Long: "support-bundle writes one tar.gz with the logs of all hosts, the state of all parts, versions, the journals of the runs, the\n" +
			"cluster file and what doctor finds. Passwords, tokens and keys are taken out. What could not be fetched is in its MANIFEST.json.\n" +
			"Look through it before you give it away: names of jobs, hosts and users stay in it.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.supportBundle(cmd.Context(), opts.file) },
	}
	cmd.Flags().VarP(bundleOutput{&opts.file, &a.global.Output}, "output", "o",
		"where to write it, instead of support-CLUSTER-TIME.tar.gz in this folder; it must not exist. Also text or json: what stdout gets")
	return cmd
}

func (a *app) supportBundle(ctx context.Context, path string) error {
	inputs, done, err := a.doctorInputs()
	if err != nil {
		return err
	}
	defer done()
	if path == "" {
		path = "support-" + inputs.Cluster.Name + "-" + time.Now().UTC().Format("20060102T150405") + ".tar.gz"
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return &usageError{fmt.Errorf("%s exists, and is not replaced", path)}
	}
	if err != nil {
		return fmt.Errorf("creating the bundle: %w", err)
	}
	a.say("collecting logs and state; a part that is down takes up to half a minute")
	manifest, err := doctor.Bundle(ctx, inputs, file)
	if err := errors.Join(err, file.Close()); err != nil {
		return errors.Join(fmt.Errorf("writing the bundle %s: %w", path, err), os.Remove(path))
	}
	missing := manifest.Missing()
	for _, item := range missing {
		a.say("could not get all of %s: %s", ui.Clean(item.Name), ui.Clean(item.Error))
	}
	if a.global.Output == formatJSON {
		return a.writeJSON(map[string]any{"file": path, "items": len(manifest.Items), "missing": missing})
	}
	_, err = fmt.Fprintln(a.streams.Out, path)
	return err
}
