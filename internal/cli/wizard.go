package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/ui"
)

// Found are real programs on this machine that the wizard offers beside the stand-ins.
type Found struct {
	// Mesos and Marathon are folders with the programs, Wars are files or URLs of jenkins.war.
	Mesos, Marathon, Wars []string
}

// WizardOptions are what the wizard knows before it asks.
type WizardOptions struct {
	// Found are the real programs to offer.
	Found Found
	// Targets are the targets to offer; none means all.
	Targets []config.Target
	// Start, where set, has the answers to begin with.
	Start *config.Cluster
	// File is the path that the cluster will be written to.
	File string
}

// wizard is one series of questions. answers has only what was answered; what follows from it is left to config.Default.
type wizard struct {
	ui.Prompter
	options WizardOptions
	answers *config.Cluster
}

// topic is one question of the wizard, or a few that belong together.
type topic struct {
	title string
	// when, where set, says whether the question makes sense; it sees the completed cluster.
	when func(c *config.Cluster) bool
	// ask asks and puts the answer into w.answers. ui.ErrBack goes back to the topic before.
	ask func(w *wizard) error
	// show is the answer for the summary.
	show func(c *config.Cluster) string
}

// Wizard asks for everything that an install needs and gives the completed, valid cluster. Every answer is checked where it is
// given; at the end the user sees all of them and confirms or changes one. It writes nothing. The errors are those of
// ui.Prompter, and ui.ErrInterrupted when the user stops at the end.
func Wizard(ctx context.Context, p ui.Prompter, options WizardOptions) (*config.Cluster, error) {
	if len(options.Targets) == 0 {
		options.Targets = []config.Target{config.TargetLocal, config.TargetHosts, config.TargetDocker, config.TargetAWS, config.TargetOpenStack}
	}
	w := &wizard{Prompter: p, options: options, answers: &config.Cluster{}}
	if options.Start != nil {
		w.answers = options.Start.Clone()
	}
	w.answers.APIVersion, w.answers.File = config.APIVersion, options.File
	w.answers.Name = or(w.answers.Name, "ci")
	if w.answers.Target == "" {
		w.answers.Target = options.Targets[0]
	}
	w.Say("A few questions, then you see what will be installed before anything happens.\nEnter takes the value in brackets, %s goes back to the question before, Ctrl-C stops.", ui.BackWord)
	if err := w.askAll(ctx); err != nil {
		return nil, err
	}
	return w.confirm(ctx)
}

// complete is the cluster as it would be with the answers so far.
func (w *wizard) complete() *config.Cluster {
	c := w.answers.Clone()
	config.Default(c)
	return c
}

// askAll goes through the topics, forwards and back.
func (w *wizard) askAll(ctx context.Context) error {
	all := topics()
	for i, step := 0, 1; i < len(all); i += step {
		if err := ctx.Err(); err != nil {
			return err
		}
		if i < 0 {
			i, step = 0, 1
		}
		if all[i].when != nil && !all[i].when(w.complete()) {
			continue
		}
		step = 1
		switch err := all[i].ask(w); {
		case errors.Is(err, ui.ErrBack):
			step = -1
			if i == 0 {
				step = 0
			}
		case err != nil:
			return err
		}
	}
	return nil
}

const (
	optionGo     = "yes, this is it"
	optionChange = "change an answer"
	optionStop   = "stop; nothing was written and nothing happens"
)

// confirm shows the summary until the user agrees or stops.
func (w *wizard) confirm(ctx context.Context) (*config.Cluster, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		c := w.complete()
		w.summary(c)
		choices := []string{optionGo, optionChange, optionStop}
		if err := config.Validate(c); err != nil {
			w.Say("\nThis is not right yet:\n%v", err)
			choices = choices[1:]
		}
		i, err := w.Select(ui.Question{Label: "Install this", Default: choices[0], Back: true}, choices)
		switch {
		case errors.Is(err, ui.ErrBack):
			i, choices = 0, []string{optionChange}
		case err != nil:
			return nil, err
		}
		switch choices[i] {
		case optionGo:
			return c, nil
		case optionStop:
			return nil, ui.ErrInterrupted
		}
		if err := w.change(c); err != nil {
			return nil, err
		}
	}
}

// change asks one topic again.
func (w *wizard) change(c *config.Cluster) error {
	var shown []topic
	var titles []string
	for _, t := range topics() {
		if t.when == nil || t.when(c) {
			shown = append(shown, t)
			titles = append(titles, t.title)
		}
	}
	i, err := w.Select(ui.Question{Label: "Which one", Back: true}, titles)
	if err == nil {
		err = shown[i].ask(w)
	}
	if errors.Is(err, ui.ErrBack) {
		return nil
	}
	return err
}

func (w *wizard) summary(c *config.Cluster) {
	w.Say("\nWhat will be installed:")
	for _, t := range topics() {
		if t.when == nil || t.when(c) {
			w.Say("  %-18s %s", t.title, t.show(c))
		}
	}
	if hasStandin(c) {
		w.Say("  What is called a stand-in is a small program that only behaves like the real one. It is for trying out.")
	}
	for _, note := range config.Notes(c) {
		w.Say("  Note: %s", note)
	}
	w.Say("  The same without questions: %s", OneLine(c))
}

func hasStandin(c *config.Cluster) bool {
	return c.Components.Mesos.Source.Standin || c.Components.Marathon.Source.Standin || c.Jenkins.War == "standin"
}

// field is one question whose answer is a text in the file.
type field struct {
	label, help string
	// current is the value that Enter keeps.
	current func(c *config.Cluster) string
	// set puts an answer into a cluster; the error says what is wrong with its form.
	set func(c *config.Cluster, answer string) error
	// paths are where problems with the answer may show.
	paths []string
	// none, where set, is what a user types to have no value.
	none string
}

// text asks for a field. An answer that is the value already changes nothing, so that defaults go on following each other.
func (w *wizard) text(f field) error {
	now := f.current(w.complete())
	q := ui.Question{Label: f.label, Help: f.help, Default: now, Back: true}
	q.Validate = func(answer string) error { return w.try(f, now, answer) }
	answer, err := w.Input(q)
	if err != nil {
		return err
	}
	if answer == now && now != "" {
		return nil
	}
	return f.set(w.answers, f.value(answer))
}

func (f field) value(answer string) string {
	if f.none != "" && answer == f.none {
		return ""
	}
	return answer
}

// try says what would be wrong with an answer.
func (w *wizard) try(f field, now, answer string) error {
	c := w.answers.Clone()
	if answer != now || now == "" {
		if err := f.set(c, f.value(answer)); err != nil {
			return err
		}
	}
	return w.problem(c, f.paths...)
}

// problem is the first thing that is wrong with a cluster at the paths.
func (w *wizard) problem(c *config.Cluster, paths ...string) error {
	c = c.Clone()
	config.Default(c)
	var all config.Problems
	if !errors.As(config.Validate(c), &all) {
		return nil
	}
	at := all.At(paths...)
	if len(at) == 0 {
		return nil
	}
	p := at[0]
	p.File, p.Line = "", 0
	if p.Path == paths[0] {
		p.Path = ""
	}
	return errors.New(p.String())
}

// pick asks for one of a few words.
func (w *wizard) pick(q ui.Question, options []string) (int, error) {
	q.Back = true
	return w.Select(q, options)
}

func whole(answer string) (int, error) {
	n, err := positive(strings.TrimSpace(answer))
	if err != nil {
		return 0, fmt.Errorf("%s: %w", answer, err)
	}
	return n, nil
}
