package provision

import (
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
)

// The secrets of authenticated.
const (
	secretOfAgents, secretOfMarathon, passwordOfMarathon = "secret-of-agents", "secret-of-marathon", "password of $marathon"
)

func authenticate(c *config.Cluster) {
	c.Components.Mesos.Authentication = true
	c.Components.Marathon.BasicAuth = &config.BasicAuth{}
}

// writeSecrets makes the secrets that install generates.
func writeSecrets(t *testing.T, c *config.Cluster) {
	t.Helper()
	for name, text := range map[string]string{"mesos-agent": secretOfAgents, "mesos-marathon": secretOfMarathon, "marathon": passwordOfMarathon} {
		writeFile(t, filepath.Join(c.StateDir(), "secrets", name), text+"\n", 0o600)
	}
}

// fileOf is the only file of a service with that name.
func fileOf(t *testing.T, s Service, name string) File {
	t.Helper()
	for _, f := range s.Files {
		if filepath.Base(f.Path) == name {
			return f
		}
	}
	require.Fail(t, "no file "+name, "%s has %d files", s.Title(), len(s.Files))
	return File{}
}

// requireHidden looks for secrets where everybody may look: in arguments, descriptions and files that others may read.
func requireHidden(t *testing.T, services ...Service) {
	t.Helper()
	for _, s := range services {
		shown := strings.Join(s.Unit.Argv, " ") + s.Unit.Description + s.Title()
		for _, f := range s.Files {
			if f.Mode.Perm()&0o077 != 0 {
				shown += string(f.Data)
			}
		}
		for _, secret := range []string{secretOfAgents, secretOfMarathon, passwordOfMarathon, "cGFzc3dvcmQgb2YgJG1hcmF0aG9u"} {
			require.NotContains(t, shown, secret, s.Title())
		}
	}
}

func TestCredentialsOfMesos(t *testing.T) {
	c := newConfig(t, authenticate)
	writeSecrets(t, c)
	f := newFleet(t, c, standins())
	requireHidden(t, f.AllServices()...)

	master := f.Services(RoleMesosMaster)[0]
	file := fileOf(t, master, "credentials.json")
	assert.JSONEq(t, `{"credentials": [{"principal": "mesos-agent", "secret": "secret-of-agents"}, {"principal": "marathon", "secret": "secret-of-marathon"}]}`, string(file.Data))
	assert.Subset(t, master.Unit.Argv, []string{"--authenticate_agents", "--authenticate_frameworks", "--credentials=" + file.Path})
	assert.NotContains(t, strings.Join(master.Unit.Argv, " "), "http", "the plugin of Jenkins has no credential")

	agent := f.Services(RoleMesosAgent)[0]
	file = fileOf(t, agent, "credential.json")
	assert.JSONEq(t, `{"principal": "mesos-agent", "secret": "secret-of-agents"}`, string(file.Data))
	assert.Contains(t, agent.Unit.Argv, "--credential="+file.Path)

	marathon := f.Services(RoleMarathon)[0]
	file = fileOf(t, marathon, "mesos-secret")
	assert.Equal(t, secretOfMarathon, string(file.Data), "a line end would be a part of it")
	assert.Subset(t, marathon.Unit.Argv, []string{"--mesos_authentication", "--mesos_authentication_principal", "marathon", "--mesos_authentication_secret_file", file.Path})

	apply(t, f.Services(RoleEdge)[0]) // a file whose password has characters of its own is taken
	before := master.Unit.Digest()
	writeFile(t, filepath.Join(c.StateDir(), "secrets", "mesos-marathon"), "another-secret", 0o600)
	assert.NotEqual(t, before, f.Services(RoleMesosMaster)[0].Unit.Digest(), "a changed secret is in force")
}

func TestCredentialsThatNobodyReadsAnyMoreAreRemoved(t *testing.T) {
	c := ownHosts(t, authenticate)
	writeSecrets(t, c)
	f, fakes := hostFleet(t, c, standins(), machineValues())
	roles := []string{RoleMesosMaster, RoleMarathon, RoleMesosAgent}
	secrets := map[string]string{}
	for _, role := range roles {
		s := f.Services(role)[0]
		for _, file := range s.Files {
			if file.Mode == 0o600 {
				secrets[role] = file.Path
			}
		}
		apply(t, s)
		_, err := fakes[s.Host.Name()].Stat(t.Context(), secrets[role])
		require.NoError(t, err)
	}
	c.Components.Mesos.Authentication, c.Components.Marathon.BasicAuth = false, nil
	for _, role := range roles {
		s := f.Services(role)[0]
		_, changes, err := s.Probe(t.Context())
		require.NoError(t, err)
		require.Contains(t, strings.Join(changes, "\n"), "remove "+s.Host.Name()+":")
		apply(t, s)
		_, err = fakes[s.Host.Name()].Stat(t.Context(), secrets[role])
		require.ErrorIs(t, err, fs.ErrNotExist)
	}
}

func TestNoCredentialsWhereNobodyAsks(t *testing.T) {
	c := newConfig(t)
	for _, s := range newFleet(t, c, standins()).AllServices() {
		assert.NotContains(t, strings.Join(s.Unit.Argv, " "), "credential")
		assert.NotContains(t, strings.Join(pairs(s.Unit.Env, "="), " "), "CREDENTIALS")
		if s.Role == RoleMarathon {
			assert.Subset(t, s.Unit.Argv, []string{"--mesos_authentication_principal", "marathon"}, "which can never be changed later")
			assert.NotContains(t, s.Unit.Argv, "--mesos_authentication")
		}
	}
}

func TestThePasswordOfMarathon(t *testing.T) {
	c := newConfig(t, authenticate)
	writeSecrets(t, c)
	p := standins()
	p.Mesos = MesosPrograms{Master: "/opt/m/mesos-master", Agent: "/opt/m/mesos-agent", Library: "/opt/m/libmesos.so"}
	p.Marathon = MarathonProgram{Start: "/opt/marathon/bin/marathon", Java: Java{Home: "/opt/java"}, Library: "/opt/m/libmesos.so"}
	f := newFleet(t, c, p)
	requireHidden(t, f.AllServices()...)
	s := f.Services(RoleMarathon)[0]
	assert.Equal(t, "admin:"+passwordOfMarathon, s.Unit.Env["MESOSPHERE_HTTP_CREDENTIALS"])
	assert.NotContains(t, strings.Join(pairs(s.Unit.Env, "="), "\n"), "MARATHON_", "each would be a flag")
	log := fileOf(t, s, "logback.xml")
	assert.Contains(t, string(log.Data), "http_credentials")
	assert.Regexp(t, `^-Xmx512m -Dlogback.configurationFile=file:///\S+/logback.xml$`, s.Unit.Env["JAVA_OPTS"], "the start script cuts at blanks")

	p.Marathon.Image, p.Marathon.Docker = "repo/marathon:1", "/usr/bin/docker"
	f = newFleet(t, c, p)
	requireHidden(t, f.AllServices()...)
	s = f.Services(RoleMarathon)[0]
	assert.Subset(t, s.Unit.Argv, []string{"--env=MESOSPHERE_HTTP_CREDENTIALS", "--env=MARATHON_MESOS_AUTHENTICATION_SECRET",
		"--volume=" + fileOf(t, s, "logback.xml").Path + ":/etc/jomctl-logback.xml:ro",
		"--env=JAVA_OPTS=-Xmx512m -Dlogback.configurationFile=file:///etc/jomctl-logback.xml"})
	assert.Equal(t, secretOfMarathon, s.Unit.Env["MARATHON_MESOS_AUTHENTICATION_SECRET"])
	assert.True(t, realFlags(t)[RoleMarathon]["mesos_authentication_secret"], "the variable is made a flag")
	assert.NotContains(t, s.Unit.Argv, "--mesos_authentication_secret_file", "the image's user cannot read it")
}

func TestAServiceWithoutItsSecretIsNotTouchedButRemoved(t *testing.T) {
	c := newConfig(t, authenticate)
	f := newFleet(t, c, standins())
	for _, s := range f.AllServices() {
		if s.Role == RoleZooKeeper {
			continue
		}
		_, _, err := s.Probe(t.Context())
		require.ErrorContains(t, err, "secrets/", s.Title())
		_, err = s.Apply(t.Context())
		require.ErrorContains(t, err, "secrets/", s.Title())
		require.NoDirExists(t, s.Dirs[0])
		require.NoError(t, s.Remove(t.Context()))
	}
}

func TestTheEdgeKnowsThePasswordOfMarathon(t *testing.T) {
	r := newEdgeRig(t, authenticate)
	writeSecrets(t, r.c)
	f := newFleet(t, r.c, installed(t, r.c))
	r.service = f.Services(RoleEdge)[0]
	require.Equal(t, "-rw-------", r.service.Files[0].Mode.String())
	isCheck := func(q *http.Request) bool { return q.URL.Path == "/ping" }
	h := r.c.HostsWith(config.RoleControl)[0]
	startFake(t, h.Name, h.Address, MarathonPort, isCheck, func(w http.ResponseWriter, q *http.Request) {
		if user, password, ok := q.BasicAuth(); !ok || user != "admin" || password != passwordOfMarathon {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, "pong\n")
	}).up.Store(true)
	apply(t, r.service)
	r.await(EdgeMarathonPort, "200 c1")
	assert.NotContains(t, logOf(r.service), "Basic")
}

func TestTheModuleOfSASLIsFound(t *testing.T) {
	root := t.TempDir()
	require.False(t, crammd5(root))
	writeFile(t, filepath.Join(root, "usr/lib/x86_64-linux-gnu/sasl2/libcrammd5.so.2"), "", 0o644)
	require.True(t, crammd5(root))
}
