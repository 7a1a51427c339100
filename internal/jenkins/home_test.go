package jenkins

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A recorded hash: a new one would have another salt each time.
const hash = "#jbcrypt:$2a$10$oIETLVeZs.gc5FH6vQj8QOaKSZBpNbWFzD0MZsdNhXIQNIF.8TOae"

func TestHomeFilesGolden(t *testing.T) {
	for name, casc := range map[string]bool{"home-casc.txt": true, "home-xml.txt": false} {
		files, err := HomeFiles(Home{Version: "2.568.2", User: "admin", PasswordHash: hash, Cloud: sample(), Casc: casc})
		require.NoError(t, err)
		var all strings.Builder
		for _, f := range files {
			if strings.HasSuffix(f.Path, ".xml") {
				wellFormed(t, string(f.Data))
			}
			all.WriteString("--- " + f.Path + " " + f.Mode.String() + "\n" + string(f.Data) + "\n")
		}
		golden(t, name, []byte(all.String()))
	}
}

// What the recorded, hand-written home needed to be secured from its first answer on.
func TestHomeFilesAreSecured(t *testing.T) {
	files, err := HomeFiles(Home{Version: "2.568.2", User: "admin", PasswordHash: hash, Cloud: sample(), Casc: true})
	require.NoError(t, err)
	byPath := map[string]string{}
	for _, f := range files {
		byPath[f.Path] = string(f.Data)
	}
	for _, needed := range []string{
		"<useSecurity>true</useSecurity>", "<denyAnonymousReadAccess>true</denyAnonymousReadAccess>", "<disableSignup>true</disableSignup>",
		`<crumbIssuer class="hudson.security.csrf.DefaultCrumbIssuer"/>`, "<slaveAgentPort>50000</slaveAgentPort>", "<numExecutors>0</numExecutors>",
		"<nodeRenameMigrationNeeded>false</nodeRenameMigrationNeeded>", "<workspaceDir>${JENKINS_HOME}/workspace/${ITEM_FULL_NAME}</workspaceDir>",
	} {
		assert.Contains(t, byPath["config.xml"], needed)
	}
	assert.Contains(t, byPath["users/admin/config.xml"], "<passwordHash>"+hash+"</passwordHash>")
	assert.Equal(t, "2.568.2", byPath["jenkins.install.UpgradeWizard.state"])
	assert.Contains(t, byPath, "jenkins.yaml")
}

func TestHomeFilesRefuse(t *testing.T) {
	good := Home{Version: "2.568.2", User: "admin", PasswordHash: hash, Cloud: sample()}
	for name, spoil := range map[string]func(*Home){
		"no user":        func(h *Home) { h.User = "" },
		"path as user":   func(h *Home) { h.User = "../x" },
		"plain password": func(h *Home) { h.PasswordHash = "secret" },
		"bad cloud":      func(h *Home) { h.Cloud.FrameworkID = "" },
		"bad casc cloud": func(h *Home) { h.Cloud.FrameworkID, h.Casc = "", true },
	} {
		h := good
		spoil(&h)
		_, err := HomeFiles(h)
		assert.ErrorContains(t, err, "write the first files of the home", name)
	}
}

func TestHashPassword(t *testing.T) {
	made, err := HashPassword("s3cret")
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(made, "#jbcrypt:$2a$10$"), made)
	assert.True(t, PasswordMatches(made, "s3cret"))
	assert.False(t, PasswordMatches(made, "other"))
	_, err = HashPassword("")
	assert.Error(t, err)
	_, err = HashPassword(strings.Repeat("x", 73))
	assert.ErrorContains(t, err, "72")
}

func TestFreestyleJobIsWellFormed(t *testing.T) {
	text := FreestyleJob("mesos", "echo \"a\" && sleep 1 < /dev/null", "it's <fine>")
	wellFormed(t, text)
	assert.Contains(t, text, "<assignedNode>mesos</assignedNode>")
	assert.Contains(t, text, "&amp;&amp;")
}
