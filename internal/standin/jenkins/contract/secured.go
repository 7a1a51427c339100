package contract

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Secured runs starts on homes that are secured, broken, or neither.
func Secured(t *testing.T, p Program) {
	t.Run("secured from the first answer", func(t *testing.T) { securedFirst(t, p) })
	t.Run("without secrets nobody can log in", func(t *testing.T) { securedWithoutSecrets(t, p) })
	t.Run("without users nobody can log in", func(t *testing.T) {
		dir := t.TempDir()
		WriteFile(t, dir, "config.xml", SecuredConfig)
		c := p.Start(t, dir).Up()
		require.Equal(t, http.StatusForbidden, c.Do(Anonymous, "GET", "api/json", "").Status)
		require.Equal(t, http.StatusUnauthorized, c.Do(Password, "GET", "whoAmI/api/json", "").Status)
	})
	t.Run("unsecured when there is nothing", func(t *testing.T) {
		c := p.Start(t, t.TempDir()).Up()
		answer := c.Do(Anonymous, "GET", "api/json", "")
		require.Equal(t, http.StatusOK, answer.Status)
		require.Equal(t, false, value(t, answer.Body, "useSecurity"))
		require.Equal(t, true, value(t, answer.Body, "useCrumbs"))
	})
	for name, config := range map[string]string{"broken": SecuredConfig[:len(SecuredConfig)-12], "empty": "",
		"unknown strategy": strings.Replace(SecuredConfig, "hudson.security.FullControlOnceLoggedInAuthorizationStrategy", "no.such.Strategy", 1)} {
		t.Run("config.xml "+name+" is 500 everywhere", func(t *testing.T) { securedBroken(t, p, config) })
	}
}

func securedFirst(t *testing.T, p Program) {
	c := p.Start(t, SecuredHome(t))
	c.AwaitStatus("api/json", http.StatusForbidden)
	c.Up()
	require.NoFileExists(t, filepath.Join(c.Home, "users/users.xml"))
	folders, err := os.ReadDir(filepath.Join(c.Home, "users"))
	require.NoError(t, err)
	require.Len(t, folders, 1)
	require.Regexp(t, "^admin_[0-9a-f]{64}$", folders[0].Name())
	require.Equal(t, user, field(t, c.Do(Password, "GET", "whoAmI/api/json", "").Body, "name"))
	c.Signal(syscall.SIGTERM)
	c.Exit()
	again := p.Start(t, c.Home).Up()
	require.Equal(t, user, field(t, again.Do(Password, "GET", "whoAmI/api/json", "").Body, "name"), "and after a second start")
}

func securedWithoutSecrets(t *testing.T, p Program) {
	c := p.Start(t, SecuredHome(t)).Up()
	c.Signal(syscall.SIGTERM)
	c.Exit()
	require.NoError(t, os.RemoveAll(filepath.Join(c.Home, "secrets")))
	lost := p.Start(t, c.Home).Up()
	require.Equal(t, http.StatusUnauthorized, lost.Do(Password, "GET", "whoAmI/api/json", "").Status)
	lost.Signal(syscall.SIGTERM)
	lost.Exit()
	folders, err := filepath.Glob(filepath.Join(c.Home, "users/admin_*"))
	require.NoError(t, err)
	require.Len(t, folders, 1)
	require.NoError(t, os.Rename(folders[0], filepath.Join(c.Home, "users/admin")))
	cured := p.Start(t, c.Home).Up()
	require.Equal(t, user, field(t, cured.Do(Password, "GET", "whoAmI/api/json", "").Body, "name"), "renamed to the bare id it is taken over")
}

func securedBroken(t *testing.T, p Program, config string) {
	dir := SecuredHome(t)
	WriteFile(t, dir, "config.xml", config)
	WriteFile(t, dir, "queue.xml", "<hudson.model.Queue_-State><items/><properties><lost/></properties></hudson.model.Queue_-State>")
	c := p.Start(t, dir)
	c.AwaitStatus("login", http.StatusInternalServerError)
	for _, path := range []string{"", "api/json", "whoAmI/api/json", "nosuch"} {
		answer := c.Do(Anonymous, "GET", path, "")
		require.Equal(t, http.StatusInternalServerError, answer.Status, path)
		require.Equal(t, "Jenkins", answer.Title())
		require.Empty(t, answer.Header.Get("X-Jenkins"))
	}
	c.Signal(syscall.SIGTERM)
	require.Equal(t, 143, c.Exit(), "it still obeys")
	queue, err := os.ReadFile(filepath.Join(dir, "queue.xml"))
	require.NoError(t, err)
	require.NotContains(t, string(queue), "lost", "a failed boot empties the queue")
}
