package config

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheLoginOfTheRegistry(t *testing.T) {
	dir := t.TempDir()
	c := &Cluster{File: filepath.Join(dir, "cluster.yaml")}
	user, _, err := c.RegistryLogin()
	require.NoError(t, err)
	require.Empty(t, user, "there is no registry")
	c.Registry = &Registry{Address: "registry.example:443"}
	user, _, err = c.RegistryLogin()
	require.NoError(t, err)
	require.Empty(t, user)

	c.Registry.User, c.Registry.Password = "ci", "file:password"
	_, _, err = c.RegistryLogin()
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "the password of the registry registry.example:443")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "password"), []byte("s3:cret\n"), 0o600))
	user, password, err := c.RegistryLogin()
	require.NoError(t, err)
	data, err := DockerConfig(c.Registry.Address, user, password)
	require.NoError(t, err)
	var read struct {
		Auths map[string]struct{ Auth []byte }
	}
	require.NoError(t, json.Unmarshal(data, &read))
	require.Equal(t, "ci:s3:cret", string(read.Auths["registry.example:443"].Auth))
}
