package cli

import (
	"context"
	"path/filepath"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/ui"
	"github.com/jomctl/jomctl/provision"
)

// askForCluster lets the wizard ask, writes the file, and says how to do the same without questions.
func (a *app) askForCluster(ctx context.Context) error {
	file := a.global.File
	cluster, err := a.interruptibly(ctx, func() (*config.Cluster, error) {
		return Wizard(ctx, ui.NewPrompter(a.streams), WizardOptions{
			Found: foundPrograms(provision.DiscoverReal(), filepath.Dir(file)), File: file})
	})
	if err != nil {
		return err
	}
	if err := config.Write(file, cluster, false); err != nil {
		return a.unwritable(err)
	}
	a.say("wrote %s; the same without questions:\n  %s", file, OneLine(cluster))
	return nil
}

// interruptibly ends the questions of a plain terminal at an interrupt, which is a signal there and no key, and which the
// reading of a line does not notice. Where lines are edited Ctrl-C is a key, and the editor puts the terminal right.
func (a *app) interruptibly(ctx context.Context, ask func() (*config.Cluster, error)) (*config.Cluster, error) {
	if a.streams.Redraws() {
		return ask()
	}
	type answer struct {
		cluster *config.Cluster
		err     error
	}
	answers := make(chan answer, 1)
	go func() {
		cluster, err := ask()
		answers <- answer{cluster, err}
	}()
	select {
	case got := <-answers:
		return got.cluster, got.err
	case <-ctx.Done():
		return nil, ui.ErrInterrupted
	}
}
