package cli

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/ui"
)

func TestUsageErrorsEndWithTwo(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"unknown command": {[]string{"frobnicate"}, "unknown command"},
		"unknown flag":    {[]string{"version", "--nope"}, "unknown flag: --nope"},
		"subcommand":      {[]string{"config", "bogus"}, "unknown command \"bogus\""},
		"bad output":      {[]string{"version", "-o", "xml"}, `"xml" is not a format (want text or json)`},
		"arguments":       {[]string{"version", "now"}, "unknown command \"now\""},
		"no value":        {[]string{"version", "--file"}, "flag needs an argument"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, err := newBench(t).run(test.args...)
			require.Equal(t, 2, code)
			require.Empty(t, out)
			require.Contains(t, err, test.want)
			require.Contains(t, err, "jomctl --help")
		})
	}
}

func TestRunIsTheProgram(t *testing.T) {
	streams, _, out, err := ui.Buffers()
	require.Equal(t, 0, Run(context.Background(), []string{"version", "-o", "json"}, streams))
	require.Empty(t, err.String())
	value := decode(t, out.String())
	require.Equal(t, "dev", value["version"])
	require.NotEmpty(t, value["go"])
	out.Reset()
	require.Equal(t, 0, Run(context.Background(), nil, streams))
	require.Contains(t, out.String(), "Exit codes: 0 done or nothing to do")
	out.Reset()
	require.Equal(t, 0, Run(context.Background(), []string{"version"}, streams))
	require.True(t, strings.HasPrefix(out.String(), "jomctl dev ("))
}

func TestCommandsThatOnlyLookLeaveNoState(t *testing.T) {
	b := newBench(t)
	b.ok("version")
	b.ok("config", "show")
	b.ok("config", "validate")
	b.ok("config", "schema")
	require.NoDirExists(t, b.path(".jomctl"))
}

func TestConfigValidate(t *testing.T) {
	b := newBench(t)
	out, _ := b.ok("config", "validate")
	require.Contains(t, out, "is valid")
	out, _ = b.ok("config", "validate", "-o", "json")
	require.Equal(t, true, decode(t, out)["valid"])

	b.write("cluster.yaml", "apiVersion: jomctl/v1\nname: ci\ntarget: moon\nfoo: 1\n")
	code, out, err := b.run("config", "validate")
	require.Equal(t, 2, code)
	require.Empty(t, out)
	require.Contains(t, err, "foo")
	require.Contains(t, err, "moon")
	code, out, err = b.run("config", "validate", "-o", "json")
	require.Equal(t, 2, code)
	require.Empty(t, err)
	value := decode(t, out)
	require.Equal(t, false, value["valid"])
	problems := value["problems"].([]any)
	require.Len(t, problems, 2)
	require.EqualValues(t, 3, problems[0].(map[string]any)["line"])
	require.Equal(t, "target", problems[0].(map[string]any)["path"])

	require.NoError(t, os.Remove(b.path("cluster.yaml")))
	code, _, err = b.run("config", "show")
	require.Equal(t, 2, code)
	require.Contains(t, err, "cluster.yaml")
}

func TestConfigShowAndSchema(t *testing.T) {
	b := newBench(t)
	out, _ := b.ok("config", "show")
	require.Contains(t, out, "target: local")
	b.write("cluster.yaml", out)
	again, _ := b.ok("config", "show")
	require.Equal(t, out, again, "what is shown is a valid file that means the same")
	out, _ = b.ok("config", "show", "-o", "json")
	require.Equal(t, "local", decode(t, out)["target"])
	out, _ = b.ok("config", "schema")
	require.Contains(t, decode(t, out)["$schema"], "json-schema.org")
}

func TestUnlock(t *testing.T) {
	b := newBench(t)
	_, err := b.ok("unlock")
	require.Contains(t, err, "there is no lock")
	lock, ctx, lockErr := op.AcquireLock(context.Background(), b.path(".jomctl"), op.CurrentOwner("r", "build"), op.LockOptions{})
	require.NoError(t, lockErr)
	defer lock.Release()
	require.NoError(t, ctx.Err())
	code, _, err := b.run("unlock")
	require.Equal(t, 5, code)
	require.Contains(t, err, `locked by "build"`)
	out, _ := b.ok("unlock", "--force", "-o", "json")
	require.Equal(t, true, decode(t, out)["removed"])
	out, _ = b.ok("unlock", "-o", "json")
	require.Equal(t, map[string]any{"removed": false}, decode(t, out))
}

func TestLogFileIsWhereItIsWanted(t *testing.T) {
	b := newBench(t)
	b.inside = func(s *session) { s.Log.Info("login", "user", "admin", "password", "hunter2") }
	b.ok("build", "--yes", "--log-file", b.path("logs", "my.log"))
	require.Empty(t, b.files("log"))
	text, err := os.ReadFile(b.path("logs", "my.log"))
	require.NoError(t, err)
	require.Contains(t, string(text), "user=admin password=[redacted]")
	require.NotContains(t, string(text), "hunter2")
	b.write("file", "")
	code, _, stderr := b.run("build", "--yes", "--log-file", b.path("file", "my.log"))
	require.Equal(t, 2, code)
	require.Contains(t, stderr, "--log-file "+b.path("file", "my.log")+": creating the folder of the log")
	code, _, _ = b.run("version", "--log-file", b.path("file", "my.log"))
	require.Equal(t, 2, code, "all commands take it")

	other := newBench(t)
	other.write(".jomctl", "")
	code, _, stderr = other.run("build", "--yes")
	require.Equal(t, 3, code)
	require.Contains(t, stderr, "move the cluster file")
}

func TestWithoutALogNothingIsLogged(t *testing.T) {
	logger := (&logFile{}).logger()
	require.False(t, logger.With("a", 1).WithGroup("g").Enabled(context.Background(), slog.LevelError))
	logger.Error("dropped")
}

func TestPanicsAreFailuresWithTheirStackInTheLog(t *testing.T) {
	b := newBench(t)
	b.at = func(context.Context, string, op.Say) error { panic("fell over") }
	code, _, stderr := b.run("build", "--yes")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "Error: step one: panic: fell over")
	require.NotContains(t, stderr, "goroutine")
	log, err := os.ReadFile(b.files("log")[0])
	require.NoError(t, err)
	require.Contains(t, string(log), "goroutine")
}

func TestProveWithoutAClusterIsRefusedAtOnce(t *testing.T) {
	b := newBench(t)
	code, _, stderr := b.run("prove", "--yes")
	require.Equal(t, 3, code)
	require.Contains(t, stderr, "cluster ci is not installed")
	require.Contains(t, stderr, "jomctl install")
	require.Empty(t, b.files("journal"), "there is nothing to resume")
}
