package lifecycle

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/jenkins"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/wholefile"
)

// ProofOptions say how many builds run at once and how long each works. Zero values mean five builds of 5 s, or of 20 s with a real
// Jenkins. Got, where
// set, receives what came out, passed or not.
type ProofOptions struct {
	Builds int
	Sleep  time.Duration
	Got    func(jenkins.Proof)
}

// returnSlack is how long after the idle time everything may take to be given back.
const returnSlack = 2 * time.Minute

// ProofRecord is the last proof that passed, and what exactly it proved.
type ProofRecord struct {
	// Digest identifies what the controller was deployed with.
	Digest string        `json:"digest"`
	Time   time.Time     `json:"time"`
	Proof  jenkins.Proof `json:"proof"`
}

func (e *Env) proofFile() string { return filepath.Join(e.Cluster.StateDir(), "proof.json") }

// LastProof is the record of the last proof that passed; false when there is none.
func (e *Env) LastProof() (ProofRecord, bool) {
	var record ProofRecord
	data, err := os.ReadFile(e.proofFile())
	if err != nil || json.Unmarshal(data, &record) != nil {
		return ProofRecord{}, false
	}
	return record, true
}

// deployed identifies what the controller that runs was deployed with.
func (e *Env) deployed(ctx context.Context) (string, error) {
	app, err := e.Marathon.App(ctx, e.AppID())
	if err != nil {
		return "", err
	}
	var document struct{ Env map[string]string }
	if err := json.Unmarshal(app.Raw, &document); err != nil {
		return "", fmt.Errorf("reading the environment of %s: %w", e.AppID(), err)
	}
	return document.Env[configVariable], nil
}

// Prove is the plan of a proof alone, which is made whether or not the cluster was proven before.
func Prove(e *Env, opts ProofOptions) op.Plan {
	step := e.proofStep(opts)
	done := false
	do := step.Do
	step.Probe = func(context.Context) (op.State, error) { return op.NeededUnless(done), nil }
	step.Do = func(ctx context.Context, say op.Say) error {
		err := do(ctx, say)
		done = err == nil
		return err
	}
	return op.Plan{Verb: "prove", Stages: []op.Stage{{Name: "Proof", Steps: []op.Step{step}}}}
}

func (e *Env) proofStep(opts ProofOptions) op.Step {
	if opts.Builds == 0 {
		opts.Builds = 5
	}
	if opts.Sleep == 0 {
		opts.Sleep = 5 * time.Second
		if e.controller().war.Real() {
			// Real build agents start a JVM each, seconds apart: shorter builds would miss each other.
			opts.Sleep = 20 * time.Second
		}
	}
	return op.Step{ID: "proof", Title: fmt.Sprintf("Proof: %d builds at once on %d build agents", opts.Builds, opts.Builds),
		Probe: func(context.Context) (op.State, error) {
			record, proven := e.LastProof()
			if !proven {
				return op.Needed, nil
			}
			c := e.controller()
			if !e.own.known() {
				return op.Later, nil
			}
			files, err := c.files()
			if err != nil {
				return op.Later, nil // it is about files that are not there yet
			}
			digest, err := c.digest(files)
			return op.NeededUnless(record.Digest == digest), err
		},
		Changes: func(context.Context) []string {
			return []string{fmt.Sprintf("run %d jobs `sleep %d` with label %s and wait until everything is given back", opts.Builds, int(opts.Sleep.Seconds()), e.Cluster.Jenkins.Cloud.Templates[0].Label)}
		},
		Do: func(ctx context.Context, say op.Say) error { return e.prove(ctx, say, opts) },
	}
}

func (e *Env) prove(ctx context.Context, say op.Say, opts ProofOptions) error {
	client, err := e.Jenkins()
	if err != nil {
		return err
	}
	defer client.Close()
	template := e.Cluster.Jenkins.Cloud.Templates[0]
	cpus, mem := jenkins.AgentUse(e.Cluster.Jenkins.Cloud.Line, template)
	proof, err := client.Prove(ctx, jenkins.ProofOptions{
		Name: e.Cluster.Name, Label: template.Label, Builds: opts.Builds, Sleep: opts.Sleep, CPUs: cpus, MemMiB: mem,
		Return: e.idleTime() + returnSlack, Tick: 2 * tick,
	}, e, func(text string) { say("%s", text) })
	for i := range proof.Builds {
		proof.Builds[i].Host = e.hostName(proof.Builds[i].Host)
	}
	if opts.Got != nil {
		opts.Got(proof)
	}
	if err != nil {
		return err
	}
	return e.record(ctx, proof)
}

// idleTime is how long an idle build agent really stays: whole minutes with the real plugin.
func (e *Env) idleTime() time.Duration {
	template := e.Cluster.Jenkins.Cloud.Templates[0]
	if e.controller().war.Real() {
		return jenkins.IdleTime(template)
	}
	return template.Idle.Duration()
}

func (e *Env) record(ctx context.Context, proof jenkins.Proof) error {
	digest, err := e.deployed(ctx)
	if err != nil {
		return fmt.Errorf("finding what was proven: %w", err)
	}
	data, err := json.MarshalIndent(ProofRecord{Digest: digest, Time: time.Now().UTC(), Proof: proof}, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the proof's record: %w", err)
	}
	return wholefile.Put(e.proofFile(), append(data, '\n'), 0o644)
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
