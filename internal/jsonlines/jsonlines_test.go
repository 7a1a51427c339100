package jsonlines

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

type run struct {
	Name string `json:"name"`
	Note string `json:"note,omitempty"`
}

func named(name string) func(run) bool { return func(r run) bool { return r.Name == name } }

func TestAppendKeepsTheOrderAndReplaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runs.jsonl")
	all, err := Read[run](path)
	require.NoError(t, err)
	require.Empty(t, all, "no file is no run")
	for _, name := range []string{"a", "b", "c"} {
		require.NoError(t, Append(path, run{Name: name}, named(name)))
	}
	require.NoError(t, Append(path, run{Name: "b", Note: "two\nlines"}, named("b")))
	all, err = Read[run](path)
	require.NoError(t, err)
	require.Equal(t, []run{{Name: "a"}, {Name: "c"}, {Name: "b", Note: "two\nlines"}}, all)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, `{"name":"a"}`+"\n"+`{"name":"c"}`+"\n"+`{"name":"b","note":"two\nlines"}`+"\n", string(data))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
}

func TestALineCutShortIsNamedAndNothingIsLost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runs.jsonl")
	broken := `{"name":"a"}` + "\n" + `{"name":"b`
	require.NoError(t, os.WriteFile(path, []byte(broken), 0o600))
	_, err := Read[run](path)
	require.ErrorContains(t, err, path+", value 2")
	require.ErrorContains(t, Append(path, run{Name: "c"}, named("c")), path+", value 2")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, broken, string(data), "a file that cannot be read is left for somebody to mend")
}
