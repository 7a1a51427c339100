// Package uitest answers questions in tests.
package uitest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jomctl/jomctl/internal/ui"
)

// Step is one expected question and what is answered to it.
type Step struct {
	label   string
	kind    string
	answer  string
	problem string
	err     error
}

// Answer expects Input or Secret with a label that contains the given text, and types the answer.
func Answer(label, answer string) Step { return Step{label: label, kind: "text", answer: answer} }

// Enter expects Input or Secret and takes the default.
func Enter(label string) Step { return Step{label: label, kind: "default"} }

// Refused expects Input or Secret, types the answer and expects that it is refused with a message that contains problem.
// The same question is then asked again: it needs a further step.
func Refused(label, answer, problem string) Step {
	return Step{label: label, kind: "text", answer: answer, problem: problem}
}

// Choose expects Select and takes the one option that contains the given text; empty takes the default.
func Choose(label, option string) Step { return Step{label: label, kind: "option", answer: option} }

// Say expects Confirm and answers yes or no.
func Say(label string, yes bool) Step {
	answer := "no"
	if yes {
		answer = "yes"
	}
	return Step{label: label, kind: "confirm", answer: answer}
}

// Back expects any question that allows it and goes back.
func Back(label string) Step { return Step{label: label, kind: "back"} }

// Fail expects any question and answers it with an error, such as ui.ErrInterrupted.
func Fail(label string, err error) Step { return Step{label: label, kind: "error", err: err} }

// Script is a ui.Prompter that expects exactly its steps, in their order.
type Script struct {
	t     testing.TB
	steps []Step
	lines []string
}

// New makes a Script that reports unexpected questions at once and unasked ones when the test ends.
func New(t testing.TB, steps ...Step) *Script {
	s := &Script{t: t, steps: steps}
	t.Cleanup(func() {
		for _, step := range s.steps {
			if !t.Failed() {
				t.Errorf("the question %q was never asked", step.label)
			}
		}
	})
	return s
}

// Transcript is everything that was shown: questions, helps, options, answers and what was said.
func (s *Script) Transcript() string { return strings.Join(s.lines, "\n") + "\n" }

func (s *Script) note(format string, args ...any) {
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
}

// next takes the step for a question, or gives the error to answer with.
func (s *Script) next(q ui.Question, kinds ...string) (Step, error) {
	s.t.Helper()
	if q.Help != "" {
		s.note("%s", q.Help)
	}
	s.note("? %s [%s]", q.Label, q.Default)
	if len(s.steps) == 0 {
		return Step{}, s.fail("unexpected question %q", q.Label)
	}
	step := s.steps[0]
	if !strings.Contains(q.Label, step.label) {
		return Step{}, s.fail("asked %q where %q was expected", q.Label, step.label)
	}
	s.steps = s.steps[1:]
	switch step.kind {
	case "error":
		return Step{}, step.err
	case "back":
		if !q.Back {
			return Step{}, s.fail("%q does not allow to go back", q.Label)
		}
		return Step{}, ui.ErrBack
	}
	for _, kind := range kinds {
		if step.kind == kind {
			return step, nil
		}
	}
	return Step{}, s.fail("%q is asked another way than the step %q expects", q.Label, step.kind)
}

func (s *Script) fail(format string, args ...any) error {
	s.t.Helper()
	err := fmt.Errorf(format, args...)
	s.t.Error(err)
	return err
}

// Input answers as the next step says.
func (s *Script) Input(q ui.Question) (string, error) {
	s.t.Helper()
	for {
		step, err := s.next(q, "text", "default")
		if err != nil {
			return "", err
		}
		answer := step.answer
		if step.kind == "default" {
			answer = q.Default
		}
		s.note("> %s", answer)
		var problem error
		if q.Validate != nil {
			problem = q.Validate(answer)
		}
		switch {
		case problem == nil && step.problem == "":
			return answer, nil
		case problem == nil:
			return "", s.fail("%q took %q, which was to be refused with %q", q.Label, answer, step.problem)
		case step.problem == "" || !strings.Contains(problem.Error(), step.problem):
			return "", s.fail("%q refused %q: %v", q.Label, answer, problem)
		}
		s.note("! %v", problem)
	}
}

// Secret is Input.
func (s *Script) Secret(q ui.Question) (string, error) { return s.Input(q) }

// Select answers as the next step says.
func (s *Script) Select(q ui.Question, options []string) (int, error) {
	s.t.Helper()
	step, err := s.next(q, "option")
	for _, o := range options {
		s.note("  - %s", o)
	}
	if err != nil {
		return 0, err
	}
	found := -1
	for i, o := range options {
		if (step.answer != "" && !strings.Contains(o, step.answer)) || (step.answer == "" && o != q.Default) {
			continue
		}
		if found >= 0 {
			return 0, s.fail("%q: both %q and %q contain %q", q.Label, options[found], o, step.answer)
		}
		found = i
	}
	if found < 0 {
		return 0, s.fail("%q has no option %q, only %q", q.Label, step.answer, options)
	}
	s.note("> %s", options[found])
	return found, nil
}

// Confirm answers as the next step says.
func (s *Script) Confirm(q ui.Question) (bool, error) {
	s.t.Helper()
	step, err := s.next(q, "confirm")
	if err != nil {
		return false, err
	}
	s.note("> %s", step.answer)
	return step.answer == "yes", nil
}

// Say records what was said.
func (s *Script) Say(format string, args ...any) { s.note(format, args...) }
