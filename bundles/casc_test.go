package bundles

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAReleaseBringsConfigurationAsCode(t *testing.T) {
	own := t.TempDir()
	bundle := "name: mine\ncore: {version: '1', url: u, sha256: '" + strings.Repeat("0", 64) + "'}\njava: [21]\nline: http\ntemplate: t\n"
	write := func(name, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(own, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(own, name), []byte(text), 0o600))
	}
	write("bundle.yaml", bundle)
	r, err := Load(own)
	require.NoError(t, err)
	require.Empty(t, r.Casc)
	write("casc/b.yaml", "b: 1\n")
	write("casc/a.yml", "a: 1\n")
	r, err = Load(own)
	require.NoError(t, err)
	require.Equal(t, []CascFile{{"a.yml", []byte("a: 1\n")}, {"b.yaml", []byte("b: 1\n")}}, r.Casc)

	for _, name := range []string{"casc/README.md", "casc/more/c.yaml"} {
		write(name, "x")
		_, err = Load(own)
		require.ErrorContains(t, err, "want files of configuration as code alone")
		require.NoError(t, os.RemoveAll(filepath.Join(own, "casc", strings.Split(name, "/")[1])))
	}
	require.NoError(t, os.RemoveAll(filepath.Join(own, "casc")))
	write("casc", "a file")
	_, err = Load(own)
	require.Error(t, err)
}
