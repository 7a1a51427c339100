package jenkins

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Resources is what the proof has to know of Mesos.
type Resources interface {
	// Framework is the use of the controller's framework now. One that Mesos does not know is no error.
	Framework(ctx context.Context) (FrameworkUse, error)
}

// FrameworkUse is what the framework holds. Memory is MiB.
type FrameworkUse struct {
	ID     string          `json:"id"`
	Known  bool            `json:"known"`
	Active bool            `json:"active"`
	CPUs   float64         `json:"cpus"`
	MemMiB float64         `json:"memMiB"`
	Tasks  []FrameworkTask `json:"tasks,omitempty"`
}

// FrameworkTask is one task of the framework. The id of a build agent's task is its node's name.
type FrameworkTask struct {
	ID    string `json:"id"`
	Host  string `json:"host"`
	State string `json:"state"`
}

// ProofOptions say what to prove. Zero values stand for what is in brackets.
type ProofOptions struct {
	// Name prefixes the jobs: <name>-proof-1 ...
	Name  string
	Label string
	// Builds is how many run at once [5], Sleep how long each works [20 s].
	Builds int
	Sleep  time.Duration
	// CPUs and MemMiB are what one build agent takes from Mesos, with what the plugin adds (ExtraMem).
	CPUs   float64
	MemMiB float64
	// Start is the time until all run at once [200 s, which covers the provisioner's first delay at its default
	// clock; 120 s do with a clock of 2 to 3 s].
	Start time.Duration
	// Return is the time until nodes and resources are gone after the end; idle time + 2 minutes. [3 min]
	Return time.Duration
	// Tick is how often everything is looked at [500 ms].
	Tick time.Duration
}

// ProofBuild is one build of the proof.
type ProofBuild struct {
	Job      string        `json:"job"`
	Number   int64         `json:"number"`
	Node     string        `json:"node"`
	Host     string        `json:"host"`
	Started  time.Time     `json:"started"`
	Duration time.Duration `json:"duration"`
	Result   string        `json:"result"`
	// Waits is why it does not run (yet).
	Waits string `json:"waits,omitempty"`
}

// Proof is what came out.
type Proof struct {
	Passed bool         `json:"passed"`
	Builds []ProofBuild `json:"builds"`
	// Agents are the different build agents that ran them, AtOnce how many builds ran at the same time.
	Agents []string `json:"agents"`
	AtOnce int      `json:"atOnce"`
	// PeakCPUs and PeakMemMiB are the most that the framework held.
	PeakCPUs   float64 `json:"peakCPUs"`
	PeakMemMiB float64 `json:"peakMemMiB"`
	// Returned says that nodes and resources were gone at the end.
	Returned bool     `json:"returned"`
	Seconds  float64  `json:"seconds"`
	Notes    []string `json:"notes,omitempty"`
	Failures []string `json:"failures,omitempty"`
}

// ProofError is a proof that did not pass, or could not be made.
type ProofError struct {
	Failures []string
	Cause    error
}

func (e *ProofError) Error() string {
	reasons := slices.Clone(e.Failures)
	if e.Cause != nil {
		reasons = append(reasons, e.Cause.Error())
	}
	return "prove that builds run on Mesos: " + strings.Join(reasons, "; ")
}

// Unwrap returns the cause, where the proof could not be made.
func (e *ProofError) Unwrap() error { return e.Cause }

// Hint says what to do next.
func (e *ProofError) Hint() string {
	return "the proof's jobs are kept in Jenkins; `jomctl status` shows agents and framework"
}

func (o ProofOptions) filled() ProofOptions {
	if o.Builds == 0 {
		o.Builds = 5
	}
	if o.Sleep == 0 {
		o.Sleep = 20 * time.Second
	}
	if o.Start == 0 {
		o.Start = 200 * time.Second
	}
	if o.Return == 0 {
		o.Return = 3 * time.Minute
	}
	if o.Tick == 0 {
		o.Tick = 500 * time.Millisecond
	}
	return o
}
