package op

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
)

// probeLimit ends a probe that gets no answer; a probe only looks, so it has no business taking longer.
const probeLimit = time.Minute

// defaultParallel is how many steps of a parallel stage run at the same time when Options says nothing.
const defaultParallel = 8

// StepPreview is what the probe of one step found. State is empty where Err is set.
type StepPreview struct {
	ID      string
	Title   string
	State   State
	Changes []string
	Err     error
}

// MarshalJSON writes the error as its text.
func (s StepPreview) MarshalJSON() ([]byte, error) {
	text := ""
	if s.Err != nil {
		text = s.Err.Error()
	}
	return json.Marshal(struct {
		ID      string   `json:"id"`
		Title   string   `json:"title"`
		State   State    `json:"state,omitempty"`
		Changes []string `json:"changes,omitempty"`
		Error   string   `json:"error,omitempty"`
	}{s.ID, s.Title, s.State, s.Changes, text})
}

// StagePreview is one stage of a PlanPreview.
type StagePreview struct {
	Name     string        `json:"name"`
	Parallel bool          `json:"parallel,omitempty"`
	Steps    []StepPreview `json:"steps"`
}

// PlanPreview is what a run of the plan would do.
type PlanPreview struct {
	Verb   string         `json:"verb"`
	Stages []StagePreview `json:"stages"`
}

// Open returns the steps that are not Done, in plan order; those whose probe failed are among them.
func (p PlanPreview) Open() []StepPreview {
	var open []StepPreview
	for _, stage := range p.Stages {
		for _, step := range stage.Steps {
			if step.State != Done || step.Err != nil {
				open = append(open, step)
			}
		}
	}
	return open
}

// Empty says that there is nothing to do.
func (p PlanPreview) Empty() bool { return len(p.Open()) == 0 }

// Err joins the errors of the probes, each with its step's id; nil where all could look.
func (p PlanPreview) Err() error {
	var all []error
	for _, step := range p.Open() {
		if step.Err != nil {
			all = append(all, &StepError{Verb: p.Verb, Step: step.ID, Err: step.Err})
		}
	}
	return errors.Join(all...)
}

// Preview asks every probe and changes nothing. The error is about the plan or the context; the errors of probes are in
// the preview.
func Preview(ctx context.Context, plan Plan) (PlanPreview, error) {
	preview := PlanPreview{Verb: plan.Verb}
	if err := plan.check(); err != nil {
		return preview, err
	}
	for _, stage := range plan.Stages {
		preview.Stages = append(preview.Stages, previewStage(ctx, stage))
		if ctx.Err() != nil {
			return preview, fmt.Errorf("previewing %s: %w", plan.Verb, context.Cause(ctx))
		}
	}
	return preview, nil
}

func previewStage(ctx context.Context, stage Stage) StagePreview {
	out := StagePreview{Name: stage.Name, Parallel: stage.Parallel, Steps: make([]StepPreview, len(stage.Steps))}
	limit := 1
	if stage.Parallel {
		limit = defaultParallel
	}
	slots := make(chan struct{}, limit)
	var wg sync.WaitGroup
	for i, step := range stage.Steps {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			out.Steps[i] = previewStep(ctx, step)
		})
	}
	wg.Wait()
	return out
}

func previewStep(ctx context.Context, step Step) StepPreview {
	out := StepPreview{ID: step.ID, Title: step.Title}
	out.State, out.Err = probe(ctx, step)
	if out.Err != nil || out.State == Done || step.Changes == nil {
		return out
	}
	out.Err = guard(func() error {
		out.Changes = step.Changes(ctx)
		return nil
	})
	return out
}

func probe(ctx context.Context, step Step) (State, error) {
	limited, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	var state State
	err := guard(func() (err error) {
		state, err = step.Probe(limited)
		return err
	})
	switch {
	case err != nil:
		return "", fmt.Errorf("looking at its state: %w", err)
	case state != Done && state != Needed && state != Later:
		return "", fmt.Errorf("looking at its state: the probe answered %q", state)
	}
	return state, nil
}

// check refuses a plan that the journal could not tell apart or that could not run.
func (p Plan) check() error {
	if p.Verb == "" {
		return errors.New("the plan has no verb")
	}
	seen := map[string]bool{}
	for _, stage := range p.Stages {
		for _, step := range stage.Steps {
			switch {
			case step.ID == "":
				return fmt.Errorf("plan %s: a step of stage %q has no id", p.Verb, stage.Name)
			case seen[step.ID]:
				return fmt.Errorf("plan %s: two steps are called %q", p.Verb, step.ID)
			case step.Probe == nil || step.Do == nil:
				return fmt.Errorf("plan %s: step %q lacks Probe or Do", p.Verb, step.ID)
			}
			seen[step.ID] = true
		}
	}
	return nil
}
