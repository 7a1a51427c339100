package config

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const authenticated = "components:\n  mesos: {authentication: true}\n  marathon: {basicAuth: {}}\n"

func TestAuthenticationHasDefaultsAndIsKept(t *testing.T) {
	c := parse(t, threeLines+authenticated)
	require.True(t, c.Components.Mesos.Authentication)
	require.Equal(t, &BasicAuth{User: "admin", Password: "file:.jomctl/secrets/marathon"}, c.Components.Marathon.BasicAuth)
	text, err := Marshal(c)
	require.NoError(t, err)
	require.Equal(t, c.Components, parse(t, string(text)).Components)
	require.Equal(t, c.Components, parse(t, string(Show(c))).Components)

	without := parse(t, threeLines)
	require.False(t, without.Components.Mesos.Authentication)
	require.Nil(t, without.Components.Marathon.BasicAuth)
	user, password, err := without.MarathonLogin()
	require.NoError(t, err)
	require.Empty(t, user+password)
}

func TestAuthenticationThatIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"components: {mesos: {authentication: yes}}":                                                "components.mesos.authentication: yes: must be true or false",
		"components: {zookeeper: {authentication: true}}":                                           "unknown key",
		"components: {marathon: {basicAuth: }}":                                                     "components.marathon.basicAuth: must have a value ({} takes the defaults)",
		"components: {marathon: {basicAuth: true}}":                                                 "must be a mapping",
		"components: {marathon: {basicAuth: {user: \"a:b\"}}}":                                      "without colons",
		"components: {marathon: {basicAuth: {password: hunter2}}}":                                  "must be env:NAME or file:PATH",
		"components: {mesos: {authentication: true}}\njenkins: {cloud: {line: libmesos}}":           "cannot be used with jenkins.cloud.line libmesos",
		"components: {mesos: {authentication: true}, marathon: {basicAuth: {user: \"\\u00e4\"}}}\n": "must be a name of ASCII",
	} {
		_, err := Parse([]byte(threeLines+text+"\n"), "cluster.yaml")
		require.ErrorContains(t, err, want, text)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

func TestOpenDoorsAreNoted(t *testing.T) {
	assert.NotContains(t, Notes(parse(t, threeLines)), "authentication")
	notes := Notes(parse(t, threeLines+authenticated))
	require.Len(t, notes, 2, "with that of the one control host")
	assert.Contains(t, notes[0], "port 5050")
	notes = Notes(parse(t, threeLines+"components: {mesos: {authentication: true, source: {path: /opt/mesos}}}\n"))
	assert.Contains(t, notes[1], "stand-in for Marathon")
}

func TestSecretsAreCheckedWhereTheyAreRead(t *testing.T) {
	c := parse(t, threeLines+authenticated)
	c.File = filepath.Join(t.TempDir(), "cluster.yaml")
	write := func(name, text string) {
		path := filepath.Join(c.StateDir(), "secrets", name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	_, _, err := c.MesosCredentials()
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, _, err = c.MarathonLogin()
	require.ErrorIs(t, err, fs.ErrNotExist)

	write("mesos-agent", "agent-secret\n")
	write("mesos-marathon", "short\n")
	_, _, err = c.MesosCredentials()
	require.ErrorContains(t, err, "mesos-marathon: must be 8 or more characters")
	require.NotContains(t, err.Error(), "short")
	write("mesos-marathon", "-long-enough\n")
	_, _, err = c.MesosCredentials()
	require.ErrorContains(t, err, "the first no dash")
	write("mesos-marathon", "marathon-secret\n")
	agent, marathon, err := c.MesosCredentials()
	require.NoError(t, err)
	require.Equal(t, Credential{"mesos-agent", "agent-secret"}, agent)
	require.Equal(t, Credential{"marathon", "marathon-secret"}, marathon)

	for _, bad := range []string{"with:colon", "two\nlines", "ümlaut"} {
		write("marathon", bad)
		_, _, err = c.MarathonLogin()
		require.ErrorContains(t, err, "could log in", bad)
		require.NotContains(t, err.Error(), bad)
	}
	write("marathon", "pass word\n")
	user, password, err := c.MarathonLogin()
	require.NoError(t, err)
	require.Equal(t, "admin pass word", user+" "+password)
	require.Equal(t, []Secret{"file:.jomctl/secrets/admin", agentSecret, marathonSecret, "file:.jomctl/secrets/marathon"}, c.Generated())
	require.Equal(t, c.Generated(), c.Secrets())
}
