package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/ui"
)

// bench is a folder with a cluster file, and commands that make files in it.
type bench struct {
	t   *testing.T
	dir string
	// typed is what is typed at a terminal; without it there is no terminal.
	typed string
	// at is called in the Do of a step, and may fail it.
	at func(ctx context.Context, step string, say op.Say) error
	// seen are the values of the flag --with of each time that the command was prepared.
	seen []string
	// inside is called when the command is prepared.
	inside func(s *session)
	// back says of a failed run whether it is taken back at once.
	back   func(error) bool
	answer func(context.Context, op.Result) (string, map[string]any, error)
	// lines lets -o json write events, deadline is that of the run's window.
	lines    bool
	deadline func() *time.Time
	// changes are the lines of a step's preview; nil means one that names it.
	changes map[string][]string
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, dir: t.TempDir()}
	b.write("cluster.yaml", "apiVersion: jomctl/v1\nname: ci\ntarget: local\n")
	return b
}

func (b *bench) path(parts ...string) string {
	return filepath.Join(append([]string{b.dir}, parts...)...)
}

func (b *bench) write(name, text string) {
	b.t.Helper()
	require.NoError(b.t, os.WriteFile(b.path(name), []byte(text), 0o600))
}

func (b *bench) made() []string {
	made := []string{}
	for _, id := range []string{"one", "two", "three"} {
		if _, err := os.Stat(b.path(id)); err == nil {
			made = append(made, id)
		}
	}
	return made
}

func (b *bench) step(id string) op.Step {
	return op.Step{
		ID:    id,
		Title: "make " + id,
		Probe: func(context.Context) (op.State, error) {
			if _, err := os.Stat(b.path(id)); err == nil {
				return op.Done, nil
			}
			return op.Needed, nil
		},
		Do: func(ctx context.Context, say op.Say) error {
			if b.at != nil {
				if err := b.at(ctx, id, say); err != nil {
					return err
				}
			}
			return os.WriteFile(b.path(id), nil, 0o600)
		},
		Undo: func(ctx context.Context, say op.Say) error {
			if b.at != nil {
				if err := b.at(ctx, "undo "+id, say); err != nil {
					return err
				}
			}
			return os.RemoveAll(b.path(id))
		},
		Changes: func(context.Context) []string {
			if b.changes != nil {
				return b.changes[id]
			}
			return []string{"+ " + id}
		},
	}
}

func (b *bench) commands(a *app) []*cobra.Command {
	control := &cobra.Command{Use: "control"}
	control.AddCommand(b.build(a, "add", false))
	all := slices.DeleteFunc(commands(a), func(cmd *cobra.Command) bool { return cmd.Name() == "control" && b.changes != nil })
	if b.changes != nil {
		all = append(all, control)
	}
	return append(all, b.build(a, "build", false), b.build(a, "wreck", true))
}

func (b *bench) build(a *app, name string, closes bool) *cobra.Command {
	var with []string
	cmd := &cobra.Command{Use: name, Args: cobra.MaximumNArgs(1)}
	cmd.Flags().StringArrayVar(&with, "with", nil, "")
	return a.mutatingOf(cmd, manner{load: config.Load, lines: b.lines}, func(_ context.Context, s *session) (mutation, error) {
		b.seen = append(b.seen, fmt.Sprint(with))
		if b.inside != nil {
			b.inside(s)
		}
		return mutation{
			Plan: op.Plan{Stages: []op.Stage{
				{Name: "first", Steps: []op.Step{b.step("one"), b.step("two")}},
				{Name: "then", Parallel: true, Steps: []op.Step{b.step("three")}},
			}},
			Closes: closes,
			Answer: b.answer, TakeBack: b.back, Deadline: b.deadline,
		}, nil
	})
}

// run carries out a command line and returns exit code, stdout and stderr.
func (b *bench) run(args ...string) (int, string, string) {
	b.t.Helper()
	return b.runContext(context.Background(), args...)
}

func (b *bench) runContext(ctx context.Context, args ...string) (int, string, string) {
	b.t.Helper()
	streams, in, out, err := ui.Buffers()
	in.WriteString(b.typed)
	streams.InTTY, streams.ErrTTY = b.typed != "", b.typed != ""
	streams.Env = func(name string) string { return map[string]string{"TERM": "dumb"}[name] }
	code := execute(ctx, append([]string{"-f", b.path("cluster.yaml")}, args...), streams, b.commands)
	return code, out.String(), err.String()
}

func (b *bench) ok(args ...string) (string, string) {
	b.t.Helper()
	code, out, err := b.run(args...)
	require.Equal(b.t, 0, code, "%s\n%s", out, err)
	return out, err
}

// fails makes one step fail from now on.
func (b *bench) fails(step string) {
	b.at = func(_ context.Context, id string, _ op.Say) error {
		if id == step {
			return fmt.Errorf("%s fell over", id)
		}
		return nil
	}
}

func (b *bench) files(folder string) []string {
	b.t.Helper()
	found, err := filepath.Glob(b.path(".jomctl", folder, "*"))
	require.NoError(b.t, err)
	return found
}

// decode reads the one JSON value that stdout has to be.
func decode(t *testing.T, out string) map[string]any {
	t.Helper()
	var value map[string]any
	require.NoError(t, json.Unmarshal([]byte(out), &value), "%s", out)
	return value
}
