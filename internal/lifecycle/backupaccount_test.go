package lifecycle

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/jenkins"
	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
)

func TestTheAdminOfARestoredHomeHasThePasswordOfTheCluster(t *testing.T) {
	c := lifecycletest.Local(t, "")
	root := filepath.Join(t.TempDir(), "home [1]")
	account := func(name, id, hash string) string {
		file := filepath.Join(root, "users", name, "config.xml")
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte("<user><id>"+id+"</id><p><passwordHash>"+hash+"</passwordHash></p></user>"), 0o600))
		return file
	}
	said := 0
	say := func(string, ...any) { said++ }
	admin, other := account("admin_1", "Admin", "#jbcrypt:old"), account("bob_2", "bob", "#jbcrypt:bob")
	require.NoError(t, keepAdmin(root, c, say), "without a password there is nothing to give")
	require.Zero(t, said)
	require.NoError(t, generate(c.Jenkins.Admin.Password, c))
	require.NoError(t, keepAdmin(root, c, say))
	require.Equal(t, 1, said)
	text, err := os.ReadFile(admin)
	require.NoError(t, err)
	password, err := c.Jenkins.Admin.Password.Resolve(c)
	require.NoError(t, err)
	require.True(t, jenkins.PasswordMatches(string(passwordHash.FindSubmatch(text)[1]), password))
	require.Contains(t, string(text), "<id>Admin</id>")
	text, err = os.ReadFile(other)
	require.NoError(t, err)
	require.Contains(t, string(text), "<passwordHash>#jbcrypt:bob</passwordHash>")
	require.NoError(t, keepAdmin(root, c, say))
	require.Equal(t, 1, said, "once is enough")
}
