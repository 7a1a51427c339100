package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle"
	"github.com/jomctl/jomctl/internal/lifecycle/drill"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/ui"
)

func newDrillCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "drill", Short: "Make one fault, measure how the cluster recovers, put everything back", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(newDrillList(a), newDrillRun(a), newDrillUndo(a), newDrillHistory(a), newDrillReport(a))
	return cmd
}

// drills is a cluster with what can be drilled on it.
type drills struct {
	env   *lifecycle.Env
	world drill.World
	all   []drill.Scenario
	facts drill.Facts
}

func openDrills(ctx context.Context, c *config.Cluster) (*drills, error) {
	all, err := drill.All(c)
	if err != nil {
		return nil, err
	}
	d := &drills{all: all}
	if d.env, err = lifecycle.Look(c); err != nil {
		return nil, err
	}
	if d.world, err = drill.NewWorld(d.env); err != nil {
		return nil, &lifecycle.Refusal{Problem: fmt.Sprintf("cluster %s cannot be drilled: %v", c.Name, err), Fix: "run `jomctl install` first"}
	}
	d.facts, err = d.world.Look(ctx)
	return d, err
}

// scenarioJSON is one line of `drill list`.
type scenarioJSON struct {
	Name        string       `json:"name"`
	Title       string       `json:"title"`
	Hypothesis  string       `json:"hypothesis"`
	BlastRadius string       `json:"blastRadius,omitempty"`
	Available   bool         `json:"available"`
	Reason      string       `json:"reason,omitempty"`
	Own         bool         `json:"own"`
	Target      drill.Target `json:"target"`
}

func newDrillList(a *app) *cobra.Command {
	return &cobra.Command{Use: "list", Short: "Show the scenarios, and those that this cluster cannot have with the reason", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Load(a.global.File)
			if err != nil {
				return err
			}
			d, err := openDrills(cmd.Context(), c)
			if err != nil {
				return err
			}
			var list []scenarioJSON
			for _, s := range d.all {
				one := scenarioJSON{Name: s.Name, Title: s.Title, Hypothesis: s.Hypothesis, Own: s.Own, Available: true, Target: drill.TargetOf(c, s)}
				if s.Unavailable != nil {
					one.Reason = s.Unavailable(d.facts)
				}
				if one.Available = one.Reason == ""; one.Available {
					one.BlastRadius = s.Blast(d.facts)
				}
				list = append(list, one)
			}
			if a.global.Output == formatJSON {
				return a.writeJSON(map[string]any{"scenarios": list})
			}
			table := ui.NewTable("NAME", "TARGET", "WHAT")
			for _, one := range list {
				what := one.Title
				if !one.Available {
					what = "not available: " + one.Reason
				}
				table.Row(one.Name, fmt.Sprintf("%.0fs", one.Target.Recovery), what)
			}
			return table.Write(a.streams.Out, 0)
		}}
}

type drillOptions struct {
	suite, confirm string
	now, plan      bool
	repeat         int
}

func newDrillRun(a *app) *cobra.Command {
	o := &drillOptions{}
	cmd := &cobra.Command{
		Use:   "run [NAME...]",
		Short: "Run scenarios one after the other",
		Long: "run makes one fault at a time, measures from outside how the cluster recovers, counts what is lost, and takes the fault back: also when it\n" +
			"is interrupted, and when it was killed with the next command that changes anything.\n" +
			"Exit code 0: all passed; 4: recovered, and a target was missed; 1: not recovered; 3: refused before any fault.",
	}
	cmd.Flags().StringVar(&o.suite, "suite", "", "run all scenarios of a suite that this cluster can have: standard")
	cmd.Flags().BoolVar(&o.now, "now", false, "run outside of the maintenance windows, too")
	cmd.Flags().BoolVar(&o.plan, "plan", false, "show what would be done, and do nothing")
	cmd.Flags().StringVar(&o.confirm, "confirm", "", "the name of a production cluster, instead of typing it")
	cmd.Flags().IntVar(&o.repeat, "repeat", 1, "run everything so many times, to see the spread")
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return a.runDrills(cmd, o, args) }
	return cmd
}

func (a *app) runDrills(cmd *cobra.Command, o *drillOptions, names []string) error {
	ctx := cmd.Context()
	if o.repeat < 1 || o.repeat > 100 {
		return &usageError{fmt.Errorf("--repeat %d: want 1 to 100", o.repeat)}
	}
	c, err := config.Load(a.global.File)
	if err != nil {
		return err
	}
	if o.plan {
		_, _, plan, err := a.prepareDrills(ctx, c, o, names)
		if err != nil {
			return err
		}
		return a.showDrills(ctx, plan)
	}
	if err := a.openLog("drill"); err != nil {
		return err
	}
	lock, held, err := op.AcquireLock(ctx, a.global.stateDir(), op.CurrentOwner(uuid.NewString(), drill.Verb), op.LockOptions{Note: func(text string) { a.say("Note: %s", text) }})
	if err != nil {
		return err
	}
	err = a.lockedDrills(held, cmd, c, o, names, lock)
	return errors.Join(err, lock.Release())
}

func (a *app) lockedDrills(ctx context.Context, cmd *cobra.Command, c *config.Cluster, o *drillOptions, names []string, lock *op.Lock) error {
	left, err := a.undoDrills(ctx, c)
	if err != nil {
		return err
	}
	if a.again != nil { // resume and rollback: a drill that was cut off is taken back, and not gone on with
		a.say("%d faults of the drill were taken back; it is not gone on with", left)
		return nil
	}
	d, chosen, plan, err := a.prepareDrills(ctx, c, o, names)
	if err != nil {
		return err
	}
	if err := lock.AddLease(ctx, lastingLease{leaseOf(d.env)}); err != nil {
		return err
	}
	preview, err := op.Preview(ctx, plan)
	if err != nil {
		return err
	}
	if err := a.confirmDrills(ctx, c, o, previewText(preview)); err != nil {
		return err
	}
	var all []drill.Result
	runID := uuid.NewString() // one for all, so that a report of the last run has everything of it
	for range o.repeat {
		results, err := a.executeDrills(ctx, cmd, d, c, o, chosen, names, runID)
		all = append(all, results...)
		if err != nil {
			return errors.Join(a.answerDrills(all), err)
		}
	}
	if err := a.answerDrills(all); err != nil {
		return err
	}
	for _, r := range all {
		if !r.Passed {
			return &reported{exitFindings}
		}
	}
	return nil
}

// prepareDrills chooses and refuses. Nothing has been touched.
func (a *app) prepareDrills(ctx context.Context, c *config.Cluster, o *drillOptions, names []string) (*drills, []drill.Scenario, op.Plan, error) {
	d, err := openDrills(ctx, c)
	if err != nil {
		return nil, nil, op.Plan{}, err
	}
	chosen, err := drill.Choose(d.all, names, o.suite, d.facts)
	if err != nil {
		return nil, nil, op.Plan{}, err
	}
	if !o.now {
		if err := drill.InWindow(c, time.Now(), drill.Needs(c, chosen)*time.Duration(o.repeat)); err != nil {
			return nil, nil, op.Plan{}, err
		}
	}
	for _, s := range chosen {
		if err := drill.Refuse(s, d.facts); err != nil {
			return nil, nil, op.Plan{}, err
		}
	}
	return d, chosen, drill.Plan(d.world, chosen, d.facts, drill.Options{Cluster: c, State: a.global.stateDir()}), nil
}

func (a *app) showDrills(ctx context.Context, plan op.Plan) error {
	preview, err := op.Preview(ctx, plan)
	if err != nil {
		return err
	}
	if a.global.Output == formatJSON {
		return a.writeJSON(preview)
	}
	_, err = io.WriteString(a.streams.Out, previewText(preview))
	return err
}

// confirmDrills asks for a yes, and on a production cluster for its name: with --yes, too.
func (a *app) confirmDrills(ctx context.Context, c *config.Cluster, o *drillOptions, text string) error {
	production := c.DrillStage() == config.StageProduction
	switch {
	case production && o.confirm == c.Name, !production && a.global.Yes:
		a.say("%s", firstLine(text))
		return nil
	case production && o.confirm != "":
		return &usageError{fmt.Errorf("--confirm %s: the cluster is named %s", o.confirm, c.Name)}
	}
	if _, err := io.WriteString(a.streams.Err, text); err != nil {
		return err
	}
	if !a.streams.CanPrompt() {
		if production {
			return &usageError{errors.New("this is a production cluster (drill.stage), and there is no terminal to ask on: say --confirm and its name, or --plan to look only")}
		}
		return &usageError{errors.New("there is no terminal to ask on: say --yes to go ahead, or --plan to look only")}
	}
	if production {
		typed, err := askLine(ctx, a.streams, "This is a production cluster. Type its name to make these faults: ")
		if err != nil {
			return err
		}
		if typed != c.Name {
			return &declinedError{}
		}
		return nil
	}
	yes, err := askYesNo(ctx, a.streams, "Make these faults")
	if err == nil && !yes {
		err = &declinedError{}
	}
	return err
}

func (a *app) executeDrills(ctx context.Context, cmd *cobra.Command, d *drills, c *config.Cluster, o *drillOptions, chosen []drill.Scenario, names []string, runID string) ([]drill.Result, error) {
	journal, err := op.CreateJournal(a.global.journalDir(), drill.Verb)
	if err != nil {
		return nil, err
	}
	defer journal.Close()
	m := &mutator{app: a, cmd: cmd, args: names, session: &session{Cluster: c, RunID: runID}}
	opts, undraw := m.options(ctx, journal, mutation{})
	defer undraw()
	var saveErr error
	mayBegin := func(s drill.Scenario) error { // drills before it may have taken longer than their targets
		if o.now {
			return nil
		}
		return drill.InWindow(c, time.Now(), drill.Needs(c, []drill.Scenario{s}))
	}
	results, err := drill.Execute(ctx, d.world, chosen, d.facts, drill.Options{Cluster: c, State: a.global.stateDir(), RunID: runID, MayBegin: mayBegin,
		Got: func(r drill.Result) { saveErr = errors.Join(saveErr, drill.Save(a.global.stateDir(), r)) }}, opts)
	return results, errors.Join(err, saveErr)
}

func newDrillUndo(a *app) *cobra.Command {
	return &cobra.Command{Use: "undo", Short: "Take back the faults of a drill that was killed", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Load(a.global.File)
			if err != nil {
				return err
			}
			lock, held, err := op.AcquireLock(cmd.Context(), a.global.stateDir(), op.CurrentOwner(uuid.NewString(), lifecycle.DrillUndoVerb), op.LockOptions{Note: func(text string) { a.say("Note: %s", text) }})
			if err != nil {
				return err
			}
			count, err := a.undoDrills(held, c)
			if err == nil && count == 0 {
				a.say("no drill has left anything behind")
			}
			return errors.Join(err, lock.Release())
		}}
}
