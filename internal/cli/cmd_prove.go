package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/jomctl/jomctl/internal/jenkins"
	"github.com/jomctl/jomctl/internal/lifecycle"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/ui"
)

// proofOptions are the flags of every command that proves.
type proofOptions struct {
	builds int
	sleep  time.Duration
}

func (o *proofOptions) bind(flags *pflag.FlagSet, prefix string) {
	flags.IntVar(&o.builds, prefix+"builds", 5, "how many builds the proof runs at once")
	flags.DurationVar(&o.sleep, prefix+"sleep", 0, "how long each build of the proof works (default 5s, with a real Jenkins 20s)")
}

func (o *proofOptions) check() error {
	if o.builds < 1 || o.builds > 50 {
		return &usageError{fmt.Errorf("%d builds: want 1 to 50", o.builds)}
	}
	if o.sleep != 0 && o.sleep < time.Second {
		return &usageError{fmt.Errorf("sleep %s: want at least 1s", o.sleep)}
	}
	return nil
}

func newProveCommand(a *app) *cobra.Command {
	opts := proofOptions{}
	cmd := &cobra.Command{
		Use:   "prove",
		Short: "Prove that builds run at once on build agents that Mesos starts and takes back",
		Args:  cobra.NoArgs,
	}
	opts.bind(cmd.Flags(), "")
	return a.mutating(cmd, func(ctx context.Context, s *session) (mutation, error) {
		if err := opts.check(); err != nil {
			return mutation{}, err
		}
		env, err := lifecycle.Look(s.Cluster)
		if err != nil {
			return mutation{}, err
		}
		if err := provable(ctx, env); err != nil {
			return mutation{}, err
		}
		var proof jenkins.Proof
		plan := lifecycle.Prove(env, lifecycle.ProofOptions{Builds: opts.builds, Sleep: opts.sleep, Got: func(p jenkins.Proof) {
			proof = p
			if !p.Passed {
				s.Say("%s", proofText(p))
			}
		}})
		return mutation{Plan: plan, Closes: true, Answer: func(context.Context, op.Result) (string, map[string]any, error) {
			return proofText(proof), map[string]any{"url": env.URL(), "proof": proofOf(proof)}, nil
		}}, nil
	})
}

// provable refuses a proof of what cannot be proven: nothing is installed, or the controller does not serve.
func provable(ctx context.Context, env *lifecycle.Env) error {
	client, err := env.Jenkins()
	if errors.Is(err, fs.ErrNotExist) {
		return &lifecycle.Refusal{Problem: fmt.Sprintf("cluster %s is not installed: %v", env.Cluster.Name, err), Fix: "run `jomctl install`"}
	}
	if err != nil {
		return err
	}
	defer client.Close()
	state := client.State(ctx)
	if state.Phase == jenkins.PhaseUp || ctx.Err() != nil {
		return ctx.Err()
	}
	why := string(state.Phase)
	if state.Detail != "" {
		why = state.Detail
	}
	return &lifecycle.Refusal{Problem: fmt.Sprintf("there is nothing to prove: the controller at %s does not serve (%s)", env.URL(), why),
		Fix: "`jomctl status` shows what is down; `jomctl install` starts what is not running"}
}

// proofJSON is a proof as -o json shows it: counts first, then each build.
type proofJSON struct {
	Passed     bool           `json:"passed"`
	Builds     int            `json:"builds"`
	Agents     int            `json:"agents"`
	Seconds    float64        `json:"seconds"`
	AtOnce     int            `json:"atOnce"`
	Hosts      []string       `json:"hosts"`
	PeakCPUs   float64        `json:"peakCPUs"`
	PeakMemMiB float64        `json:"peakMemMiB"`
	Returned   bool           `json:"returned"`
	Runs       []proofRunJSON `json:"runs"`
	Notes      []string       `json:"notes,omitempty"`
	Failures   []string       `json:"failures,omitempty"`
}

// proofRunJSON is one build of a proof.
type proofRunJSON struct {
	Job     string  `json:"job"`
	Number  int64   `json:"number"`
	Node    string  `json:"node"`
	Host    string  `json:"host"`
	Result  string  `json:"result"`
	Seconds float64 `json:"seconds"`
	Waits   string  `json:"waits,omitempty"`
}

func proofOf(p jenkins.Proof) proofJSON {
	runs := []proofRunJSON{}
	for _, build := range p.Builds {
		runs = append(runs, proofRunJSON{build.Job, build.Number, build.Node, build.Host, build.Result, build.Duration.Seconds(), build.Waits})
	}
	return proofJSON{Passed: p.Passed, Builds: len(p.Builds), Agents: len(p.Agents), Seconds: p.Seconds, AtOnce: p.AtOnce, Hosts: proofHosts(p),
		PeakCPUs: math.Round(p.PeakCPUs*1000) / 1000, PeakMemMiB: p.PeakMemMiB, Returned: p.Returned, Runs: runs, Notes: p.Notes, Failures: p.Failures}
}

// proofHosts are the hosts that ran builds, in the order of the builds.
func proofHosts(p jenkins.Proof) []string {
	hosts, seen := []string{}, map[string]bool{}
	for _, build := range p.Builds {
		if build.Host != "" && !seen[build.Host] {
			seen[build.Host] = true
			hosts = append(hosts, build.Host)
		}
	}
	return hosts
}

// proofText is a proof as a table.
func proofText(p jenkins.Proof) string {
	var text strings.Builder
	if len(p.Builds) == 0 {
		return fmt.Sprintf("Proof FAILED before its first build; %.0f s\n", p.Seconds)
	}
	table := ui.NewTable("BUILD", "RESULT", "SECONDS", "BUILD AGENT", "HOST")
	for _, build := range p.Builds {
		result := build.Result
		if result == "" {
			result = "waits: " + build.Waits
		}
		table.Row(fmt.Sprintf("%s #%d", build.Job, build.Number), result, fmt.Sprintf("%.0f", build.Duration.Seconds()), build.Node, build.Host)
	}
	if err := table.Write(&text, 0); err != nil {
		return errors.Join(errors.New("writing the proof's table"), err).Error()
	}
	verdict := "Proof FAILED"
	if p.Passed {
		verdict = "Proof passed"
	}
	fmt.Fprintf(&text, "%s: %d of %d builds at once on %d build agents (%s), peak %.1f cpus and %.0f MiB", verdict, p.AtOnce, len(p.Builds), len(p.Agents),
		strings.Join(proofHosts(p), ", "), p.PeakCPUs, p.PeakMemMiB)
	if p.Returned {
		text.WriteString(", all given back")
	}
	fmt.Fprintf(&text, "; %.0f s\n", p.Seconds)
	for _, failure := range p.Failures {
		fmt.Fprintf(&text, "  failed: %s\n", failure)
	}
	for _, note := range p.Notes {
		fmt.Fprintf(&text, "  note: %s\n", note)
	}
	return text.String()
}
