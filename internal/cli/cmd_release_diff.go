package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/bundles"
	"github.com/jomctl/jomctl/bundles/resolve"
	"github.com/jomctl/jomctl/internal/ui"
)

func newReleaseDiffCommand(a *app) *cobra.Command {
	opts := centerOptions{}
	cmd := &cobra.Command{Use: "diff FROM TO", Short: "What changes from one release to another: core, plugins, security warnings", Args: cobra.ExactArgs(2),
		Long: "Security warnings are those that were known when the releases were locked; --update-center gives newer ones.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return runReleaseDiff(cmd.Context(), a, opts, args[0], args[1])
		}}
	opts.bind(cmd)
	return cmd
}

func runReleaseDiff(ctx context.Context, a *app, opts centerOptions, from, to string) error {
	before, err := bundles.Load(from)
	if err != nil {
		return err
	}
	after, err := bundles.Load(to)
	if err != nil {
		return err
	}
	known, err := opts.known(ctx, a, before, after)
	if err != nil {
		return err
	}
	diff := resolve.Compare(before.Lock, after.Lock, before.Core.Version, after.Core.Version, known)
	if a.global.Output == formatJSON {
		return a.writeJSON(map[string]any{"from": before.Name, "to": after.Name, "diff": diff, "warningsAsOf": known.AsOf})
	}
	for _, release := range []*bundles.Release{before, after} {
		if problems := release.Audit(); len(problems) > 0 {
			a.say("Note: the release %s is not complete: %s", release.Name, problems[0])
		}
	}
	a.diffText(diff, known)
	return nil
}

// known is what the releases, those that jomctl brings and the given update centers tell about security.
func (o *centerOptions) known(ctx context.Context, a *app, releases ...*bundles.Release) (resolve.Knowledge, error) {
	centers, err := o.read(ctx, a)
	if err != nil {
		return resolve.Knowledge{}, err
	}
	return bundles.Known(allAdvisories(centers), releases...)
}

// diffText writes a difference for people: what somebody must know first, then the list of plugins.
func (a *app) diffText(d resolve.Diff, known resolve.Knowledge) {
	out := a.streams.Out
	if d.Empty() {
		fmt.Fprintln(out, "nothing changes")
	}
	if d.From != d.To {
		fmt.Fprintf(out, "core: %s -> %s\n", d.From, d.To)
	}
	table := ui.NewTable()
	for _, c := range d.Plugins {
		table.Row(changeRow(c)...)
	}
	_ = table.Write(out, 0)
	for _, s := range d.Split {
		text := "is locked"
		for _, lacked := range d.LackedSplit {
			if lacked == s.Name {
				text = "is not locked, and only needed by plugins that were built for the old core"
			}
		}
		fmt.Fprintf(out, "left the core after %s: plugin %s; it %s\n", s.When, s.Name, text)
	}
	for _, group := range []struct {
		title string
		all   []resolve.Warning
	}{{"warning fixed", d.Fixed}, {"WARNING INTRODUCED", d.Introduced}, {"warning stays", d.Remaining}} {
		for _, w := range group.all {
			fmt.Fprintf(out, "%s: %s\n", group.title, warningText(w))
		}
	}
	fmt.Fprintf(out, "security warnings: %d fixed, %d introduced, %d stay, as of %s\n", len(d.Fixed), len(d.Introduced), len(d.Remaining), known.AsOf.Format("2006-01-02"))
}

func changeRow(c resolve.Change) []string {
	switch {
	case c.From == "":
		return []string{"  new", c.Name, "", c.To}
	case c.To == "":
		return []string{"  gone", c.Name, c.From, ""}
	case c.Changed:
		return []string{"  other file", c.Name, c.From, c.To}
	case c.Older:
		return []string{"  OLDER", c.Name, c.From, c.To}
	}
	return []string{"  newer", c.Name, c.From, c.To}
}

func warningText(w resolve.Warning) string {
	return strings.Join([]string{w.Name, w.Version + ":", ui.Clean(w.Message), "(" + w.ID + ", " + ui.Clean(w.URL) + ")"}, " ")
}
