package plugins

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhatACoreLoads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plugins.json")
	require.NoError(t, os.WriteFile(path, []byte(`[{"name":"a","version":"1","requiredCore":"2.555","needs":[{"name":"b"}]},
		{"name":"b","version":"2","requiredCore":"2.568.4"}, {"name":"c","version":"3","requiredCore":"2.164","needs":[{"name":"b","optional":true}]},
		{"name":"d","version":"4","requiredCore":"2.568.3","needs":[{"name":"gone"}]}]`), 0o600))
	all, err := Read(path)
	require.NoError(t, err)
	loaded, failed := Load(all, "2.568.3")
	require.Len(t, loaded, 1)
	require.Equal(t, "c", loaded[0].Name, "an optional need may be absent")
	require.Equal(t, []Failure{{"a", "1", "Plugin is missing: b"}, {"b", "2", "Jenkins (2.568.4) or higher required"}, {"d", "4", "Plugin is missing: gone"}}, failed)
	loaded, _ = Load(all, "2.569")
	require.Len(t, loaded, 3)
	_, err = Read(path + ".gone")
	require.ErrorIs(t, err, os.ErrNotExist)
}
