package home

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/standin/jenkins/xmltree"
)

func write(t *testing.T, dir, name, text string) {
	path := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
}

func read(t *testing.T, dir, name string) string {
	text, err := os.ReadFile(filepath.Join(dir, name))
	require.NoError(t, err)
	return string(text)
}

const secured = `<?xml version='1.1' encoding='UTF-8'?>
<hudson>
  <version>2.289</version>
  <numExecutors>3</numExecutors>
  <mode>EXCLUSIVE</mode>
  <useSecurity>true</useSecurity>
  <authorizationStrategy class="hudson.security.FullControlOnceLoggedInAuthorizationStrategy">
    <denyAnonymousReadAccess>true</denyAnonymousReadAccess>
  </authorizationStrategy>
  <securityRealm class="hudson.security.HudsonPrivateSecurityRealm">
    <disableSignup>true</disableSignup>
  </securityRealm>
  <slaveAgentPort>50000</slaveAgentPort>
  <jdks><jdk>kept</jdk></jdks>
  <nodeRenameMigrationNeeded>false</nodeRenameMigrationNeeded>
</hudson>`

func TestConfigIsReadAndWrittenBack(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "config.xml", secured)
	c, err := LoadConfig(dir)
	require.NoError(t, err)
	require.Equal(t, 3, c.NumExecutors)
	require.Equal(t, "EXCLUSIVE", c.Mode)
	require.True(t, c.UseSecurity)
	require.False(t, c.AnonymousRead)
	require.False(t, c.UseCrumbs, "no crumbIssuer element: crumbs are off")
	require.Equal(t, 50000, c.AgentPort)
	c.Views = []View{{Name: "v1", Jobs: []string{"a", "b"}}}
	c.UseCrumbs = true
	require.NoError(t, c.Save(dir, "2.568.3"))
	text := read(t, dir, "config.xml")
	require.Contains(t, text, "<version>2.568.3</version>")
	require.Contains(t, text, "<jdk>kept</jdk>")
	again, err := LoadConfig(dir)
	require.NoError(t, err)
	require.Equal(t, c.Views, again.Views)
	require.True(t, again.UseCrumbs)
	require.Equal(t, 50000, again.AgentPort)
	require.NoError(t, again.Save(dir, "2.568.3"))
	require.Equal(t, text, read(t, dir, "config.xml"), "writing twice gives the same file")
}

func TestConfigsThatStopABoot(t *testing.T) {
	for name, text := range map[string]string{
		"cut": secured[:len(secured)-8], "empty": "", "other root": "<project/>",
		"realm":    strings.Replace(secured, LocalRealm, "hudson.plugins.ldap.LDAPSecurityRealm", 1),
		"strategy": strings.Replace(secured, LoggedInStrategy, "no.such.Strategy", 1),
	} {
		dir := t.TempDir()
		write(t, dir, "config.xml", text)
		_, err := LoadConfig(dir)
		require.Error(t, err, name)
	}
	c, err := LoadConfig(t.TempDir())
	require.NoError(t, err)
	require.False(t, c.UseSecurity, "nothing there: unsecured")
}

const admin = `<user><id>admin</id><fullName>Ada</fullName><properties><hudson.security.HudsonPrivateSecurityRealm_-Details>
<passwordHash>#jbcrypt:$2a$10$oIETLVeZs.gc5FH6vQj8QOaKSZBpNbWFzD0MZsdNhXIQNIF.8TOae</passwordHash></hudson.security.HudsonPrivateSecurityRealm_-Details></properties></user>`

func TestUsersAreMigratedOnce(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "users/whatever/config.xml", admin)
	write(t, dir, "users/users.xml", "<x/>")
	u, warnings, err := LoadUsers(dir)
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.NoFileExists(t, filepath.Join(dir, "users/users.xml"))
	folders, err := os.ReadDir(filepath.Join(dir, "users"))
	require.NoError(t, err)
	require.Regexp(t, "^admin_[0-9a-f]{64}$", folders[0].Name())
	user, byToken, ok := u.Login("ADMIN", "admin-pw")
	require.True(t, ok)
	require.False(t, byToken)
	require.Equal(t, User{ID: "admin", FullName: "Ada"}, user)
	for range 2 {
		_, _, ok = u.Login("admin", "wrong")
		require.False(t, ok)
		_, _, ok = u.Login("admin", "admin-pw")
		require.True(t, ok, "also from memory")
	}
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "secrets")))
	u, warnings, err = LoadUsers(dir)
	require.NoError(t, err)
	require.Len(t, warnings, 1)
	require.Contains(t, warnings[0], "expected to be in")
	_, _, ok = u.Login("admin", "admin-pw")
	require.False(t, ok, "a home without its secrets has no users")
}

func TestTokensAndAccounts(t *testing.T) {
	dir := t.TempDir()
	u, _, err := LoadUsers(dir)
	require.NoError(t, err)
	require.NoError(t, u.Put("bob", "Bob", "p&w"))
	uuid, value, err := u.NewToken("bob", "t")
	require.NoError(t, err)
	require.Regexp(t, "^11[0-9a-f]{32}$", value)
	reloaded, _, err := LoadUsers(dir)
	require.NoError(t, err)
	_, byToken, ok := reloaded.Login("bob", value)
	require.True(t, ok && byToken)
	stats, err := filepath.Glob(filepath.Join(dir, "users/bob_*/apiTokenStats.xml"))
	require.NoError(t, err)
	require.Len(t, stats, 1, "written on every use of a token")
	require.NoError(t, reloaded.RevokeToken("bob", uuid))
	_, _, ok = reloaded.Login("bob", value)
	require.False(t, ok)
	_, _, ok = reloaded.Login("bob", "p&w")
	require.True(t, ok)
	gone, err := reloaded.Delete("BOB")
	require.NoError(t, err)
	require.True(t, gone)
	require.Empty(t, reloaded.List())
	_, _, err = reloaded.NewToken("bob", "t")
	require.Error(t, err)
}

func TestRootURLKeepsTheAddress(t *testing.T) {
	dir := t.TempDir()
	require.Equal(t, "", RootURL(dir))
	require.NoError(t, Save(filepath.Join(dir, locationFile), xmltree.Elem("jenkins.model.JenkinsLocationConfiguration", xmltree.Text("adminAddress", "a <b@c>"))))
	require.NoError(t, SaveRootURL(dir, "http://x/ci"))
	require.Equal(t, "http://x/ci/", RootURL(dir))
	require.Contains(t, read(t, dir, locationFile), "a &lt;b@c&gt;")
}

func TestBootFiles(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, BootFiles(dir, "2.568.3", false))
	require.NoFileExists(t, filepath.Join(dir, "jenkins.install.UpgradeWizard.state"))
	key := read(t, dir, "secret.key")
	require.NoError(t, BootFiles(dir, "2.568.4", true))
	require.Equal(t, key, read(t, dir, "secret.key"), "made once")
	require.Equal(t, "2.568.4", read(t, dir, "jenkins.install.InstallUtil.lastExecVersion"))
	left, err := filepath.Glob(filepath.Join(dir, "*tmp"))
	require.NoError(t, err)
	require.Empty(t, left)
}
