package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/op"
)

// brought is a file of this machine that the hosts of a controller get, where neither its image nor they have it.
type brought struct {
	from, to string
	mark     string // tells another file of the same path
}

// toBring are the war and the plugins that a controller on hosts of their own needs; none where its image has them.
func (c controller) toBring() ([]brought, error) {
	if c.env.own == nil || !c.war.Real() || c.selfContained() {
		return nil, nil
	}
	all := []brought{{from: c.war.Path(), to: c.warThere()}}
	given, err := c.givenPlugins()
	if err != nil {
		return nil, err
	}
	for _, plugin := range given {
		all = append(all, brought{from: plugin.File, to: filepath.Join(c.pluginsThere(), filepath.Base(plugin.Name)+".jpi")})
	}
	for i, one := range all {
		info, err := os.Stat(one.from)
		if err != nil {
			return nil, fmt.Errorf("reading what the controller gets: %w", err)
		}
		all[i].mark = fmt.Sprintf("%s %d %d", one.to, info.Size(), info.ModTime().Unix())
	}
	return all, nil
}

// broughtFile says on a host what it was brought last, and is written when all of it is there.
func (c controller) broughtFile() string { return filepath.Join(c.programDir(), "brought") }

func marks(all []brought) string {
	var text strings.Builder
	for _, one := range all {
		text.WriteString(one.mark + "\n")
	}
	return text.String()
}

// lacking are the hosts that were brought something else.
func (c controller) lacking(ctx context.Context, all []brought) ([]host.Machine, error) {
	var lacking []host.Machine
	for _, m := range c.on {
		have, err := m.ReadFile(ctx, c.broughtFile())
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if len(all) > 0 && string(have) != marks(all) {
			lacking = append(lacking, m)
		}
	}
	return lacking, nil
}

// bringStep sends war and plugins to the hosts that the controller may run on.
func (e *Env) bringStep() op.Step {
	c := e.controller()
	look := func(ctx context.Context) ([]brought, []host.Machine, error) {
		all, err := c.toBring()
		if err != nil {
			return nil, nil, err
		}
		lacking, err := c.lacking(ctx, all)
		return all, lacking, err
	}
	return op.Step{ID: "controller-war", Title: "jenkins.war and plugins on the controller's hosts", Budget: time.Hour,
		Probe: func(ctx context.Context) (op.State, error) {
			if c.war.Real() && !c.war.Cached() || !e.own.known() {
				return op.Later, nil
			}
			_, lacking, err := look(ctx)
			return op.NeededUnless(len(lacking) == 0), err
		},
		Changes: func(ctx context.Context) []string {
			all, lacking, _ := look(ctx) // the probe has said what is wrong
			var lines []string
			for _, m := range lacking {
				lines = append(lines, fmt.Sprintf("%s: bring jenkins.war and %d plugins", m.Name(), len(all)-1))
			}
			return lines
		},
		Do: func(ctx context.Context, say op.Say) error {
			all, lacking, err := look(ctx)
			if err != nil {
				return err
			}
			return host.Each(ctx, lacking, parallel, func(ctx context.Context, m host.Machine) error { return c.bring(ctx, m, all, say) })
		},
	}
}

// bring makes a host's war and plugins those of this machine.
func (c controller) bring(ctx context.Context, m host.Machine, all []brought, say op.Say) error {
	uploader, can := m.(host.Uploader)
	if !can {
		return fmt.Errorf("host %s takes no files", m.Name())
	}
	keep := []string{"find", c.pluginsThere(), "-type", "f"}
	for i, one := range all {
		say("%s: %s (%d of %d)", m.Name(), filepath.Base(one.to), i+1, len(all))
		if _, err := uploader.Upload(ctx, one.from, one.to, 0o644); err != nil {
			return err
		}
		keep = append(keep, "!", "-path", one.to)
	}
	if len(all) > 1 {
		if _, err := m.Run(ctx, append(keep, "-delete")...); err != nil {
			return fmt.Errorf("remove old plugins: %w", err)
		}
	}
	_, err := m.WriteFile(ctx, c.broughtFile(), []byte(marks(all)), 0o644)
	return err
}
