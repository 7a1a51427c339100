package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/ui"
)

// inTwo is a bench with a command whose second part is planned when the first is done.
type inTwo struct {
	*bench
	// planned counts how often the second part was prepared, discarded how often the first was discarded.
	planned, discarded int
}

func (b *inTwo) commands(a *app) []*cobra.Command {
	cmd := &cobra.Command{Use: "grow", Args: cobra.NoArgs}
	return append(commands(a), a.mutating(cmd, func(context.Context, *session) (mutation, error) {
		return mutation{Plan: op.Plan{Stages: []op.Stage{{Name: "Ground", Steps: []op.Step{b.step("one")}}}},
			Discard: func() error { b.discarded++; return nil },
			Next: func(context.Context, *session) (mutation, error) {
				b.planned++
				if _, err := os.Stat(b.path("one")); err != nil {
					return mutation{}, errors.New("there is no ground")
				}
				return mutation{Plan: op.Plan{Stages: []op.Stage{{Name: "House", Steps: []op.Step{b.step("two")}}}},
					Answer: func(context.Context, op.Result) (string, map[string]any, error) { return "built\n", nil, nil }}, nil
			}}, nil
	}))
}

func (b *inTwo) run(args ...string) (int, string, string) {
	streams, in, out, err := ui.Buffers()
	in.WriteString(b.typed)
	streams.InTTY, streams.ErrTTY = b.typed != "", b.typed != ""
	streams.Env = func(name string) string { return map[string]string{"TERM": "dumb"}[name] }
	code := execute(context.Background(), append([]string{"-f", b.path("cluster.yaml")}, args...), streams, b.commands)
	return code, out.String(), err.String()
}

func TestTheSecondPartIsPlannedWhenTheFirstIsDone(t *testing.T) {
	b := &inTwo{bench: newBench(t)}
	code, out, err := b.run("grow", "--plan")
	require.Equal(t, 0, code, err)
	assert.Contains(t, out, "+ one")
	assert.Contains(t, err, "The rest depends on it")
	assert.Zero(t, b.planned)
	assert.Equal(t, 1, b.discarded)
	assert.Empty(t, b.made())

	code, out, err = b.run("grow", "--yes")
	require.Equal(t, 0, code, err)
	assert.Equal(t, "built\n", out)
	assert.Equal(t, []string{"one", "two"}, b.made())
	assert.Len(t, b.files("journal"), 1, "both parts are in one journal")
	assert.Equal(t, 2, b.discarded)

	code, out, err = b.run("grow", "--plan")
	require.Equal(t, 0, code, err)
	assert.Contains(t, err, "ground: nothing to do")
	assert.Contains(t, out, "nothing to do, all 1 steps are done")
	code, _, err = b.run("grow", "--yes")
	require.Equal(t, 0, code, err)
	assert.Contains(t, err, "ground: nothing to do")
	assert.Len(t, b.files("journal"), 1, "nothing was run")
}

func TestBothPartsAreAskedFor(t *testing.T) {
	b := &inTwo{bench: newBench(t)}
	code, _, err := b.run("grow")
	require.Equal(t, 2, code)
	require.Contains(t, err, "no terminal")
	require.Equal(t, 1, b.discarded)
	require.Empty(t, b.made())
}

func TestAFailedSecondPartIsResumedAndRolledBack(t *testing.T) {
	b := &inTwo{bench: newBench(t)}
	b.fails("two")
	code, _, err := b.run("grow", "--yes")
	require.Equal(t, 1, code, err)
	require.Equal(t, []string{"one"}, b.made())
	b.at = nil
	code, _, err = b.run("resume", "--yes")
	require.Equal(t, 0, code, err)
	require.Contains(t, err, "ground: nothing to do")
	require.Equal(t, []string{"one", "two"}, b.made())
	require.Len(t, b.files("journal"), 1)

	other := &inTwo{bench: newBench(t)}
	other.fails("two")
	code, _, err = other.run("grow", "--yes")
	require.Equal(t, 1, code, err)
	code, _, err = other.run("rollback", "--yes")
	require.Equal(t, 7, code, err)
	require.Empty(t, other.made(), "both parts were taken back")
}

func TestAFailedFirstPartLeavesTheSecondAlone(t *testing.T) {
	b := &inTwo{bench: newBench(t)}
	b.fails("one")
	code, _, err := b.run("grow", "--yes")
	require.Equal(t, 1, code, err)
	require.Zero(t, b.planned)
	code, _, err = b.run("rollback", "--yes")
	require.Equal(t, 7, code, err)
	require.Zero(t, b.planned, "the journal knows of the first part alone")
}

func TestDestroyOfMachinesThatWereNeverMadeNeedsNoTerraform(t *testing.T) {
	b := newBench(t)
	b.write("cluster.yaml", "apiVersion: jomctl/v1\nname: ci\ntarget: docker\nmachines: {terraform: /nonexistent/terraform}\n")
	out, err := b.ok("destroy", "--yes")
	assert.Contains(t, err, "nothing to do")
	assert.Contains(t, out, "Cluster ci and its machines are gone; ")

	code, _, err := b.run("install", "--yes")
	require.Equal(t, 3, code)
	assert.Contains(t, err, "there is no terraform at /nonexistent/terraform")
	assert.Contains(t, err, "go install github.com/hashicorp/terraform@v")
	code, _, err = b.run("status")
	require.Equal(t, 3, code)
	assert.Contains(t, err, "the machines of cluster ci are not known yet")
}

func TestTerraformIsNeverDownloadedSilently(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", home)
	t.Setenv("PATH", home)
	t.Setenv("GOBIN", home)
	b := newBench(t)
	b.write("cluster.yaml", "apiVersion: jomctl/v1\nname: ci\ntarget: docker\n")
	program := filepath.Join(home, "jomctl", "terraform-1.5.7", "terraform")
	for _, args := range [][]string{{"install", "--yes"}, {"install"}, {"install", "--plan"}} {
		code, _, err := b.run(args...)
		require.Equal(t, 3, code, args)
		assert.Contains(t, err, "there is no terraform on PATH")
		assert.Contains(t, err, "say --install-terraform")
		assert.NotContains(t, err, "can be downloaded")
	}
	b.typed = "n\n"
	code, _, err := b.run("install")
	require.Equal(t, 130, code)
	assert.Contains(t, err, "Terraform 1.5.7 can be downloaded from https://releases.hashicorp.com/terraform/1.5.7/terraform_1.5.7_")
	assert.Contains(t, err, "goes to "+program)
	assert.Contains(t, err, "Download it? [y/N]")
	assert.NoFileExists(t, program)

	b.typed = ""
	require.NoError(t, os.WriteFile(filepath.Join(home, "jomctl"), nil, 0o600)) // in the place of the folder, so that nothing is fetched
	code, _, err = b.run("install", "--yes", "--install-terraform")
	require.Equal(t, 1, code)
	assert.Contains(t, err, "make a folder for Terraform", "the flag says yes")
	b.write("cluster.yaml", "apiVersion: jomctl/v1\nname: ci\ntarget: docker\nmachines: {terraform: /nonexistent/terraform}\n")
	code, _, err = b.run("install", "--yes", "--install-terraform")
	require.Equal(t, 3, code)
	assert.Contains(t, err, "there is no terraform at /nonexistent/terraform", "one that the file names is not replaced")
}
