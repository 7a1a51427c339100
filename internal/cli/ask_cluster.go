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
	cluster, err := Wizard(ctx, ui.NewPrompter(a.streams), WizardOptions{
		Found: foundPrograms(provision.DiscoverReal(), filepath.Dir(file)), File: file})
	if err != nil {
		return err
	}
	if err := config.Write(file, cluster, false); err != nil {
		return err
	}
	a.say("wrote %s; the same without questions:\n  %s", file, OneLine(cluster))
	return nil
}
