package keep_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/home/keep"
)

func TestWhatIsKept(t *testing.T) {
	table := keep.NewTable()
	hmac := strings.Repeat("0a", 32)
	for name, kept := range map[string]bool{
		"config.xml": true, "hudson.model.UpdateCenter.xml": true, "nodeMonitors.xml": true, "scriptApproval.xml": true, "jenkins.yaml": true,
		"casc_configs/a/b.yaml": true, "userContent/logo/x.png": true, "init.groovy.d/a.groovy": true, "nodes/n1/config.xml": true,
		"users/admin_" + hmac + "/config.xml": true, "jobs/a/config.xml": true, "jobs/f/jobs/a b/config.xml": true, "jobs/jobs/jobs/config.xml/config.xml": true,
		"jobs/a/promotions/p/config.xml": true,

		"queue.xml": false, "queue.xml.bak": false, "config.xml.bak": false, "credentials.xml": false, "secret.key": false, "identity.key.enc": false,
		"secrets/master.key": false, "jobs/f/credentials.xml": false, "users/admin_" + hmac + "/apiTokenStats.xml": false, "users/users.xml": false,
		"jenkins.telemetry.Correlator.xml": false, "org.jenkinsci.plugins.workflow.flow.FlowExecutionList.xml": false,
		"config.xml-atomic123tmp": false, "jobs/a/config.xml-atomic123tmp": false, "userContent/x-atomic9tmp": false, "config-atomic5tmp.xml": true,
		"jobs/a/builds/1/build.xml": false, "jobs/a/nextBuildNumber": false, "jobs/a/branches/main/config.xml": false, "jobs/a/workspace/config.xml": false,
		"plugins/git.jpi": false, "war/a.xml": false, "logs/x.xml": false, ".lastStarted": false, ".jomctl/home.json": false, "jenkins.install.UpgradeWizard.state": false,
		"failed-boot-attempts.txt": false, "jobs/a.xml": false, "fingerprints/aa/x.xml": false, "scm-sync-configuration/x.xml": false,
	} {
		require.Equal(t, kept, table.File(name), name)
		for dir := filepath.Dir(name); kept && dir != "."; dir = filepath.Dir(dir) {
			require.True(t, table.Folder(dir), "%s lies in %s", name, dir)
		}
	}
	for _, folder := range []string{"secrets", "plugins", "war", "jobs/a/builds", "jobs/a/workspace", "jobs/f/jobs/a/builds", "jobs/a/branches", "nodes/n/x", "users/a/b", ".jomctl", "jobs/a/promotions/p/builds"} {
		require.False(t, table.Folder(folder), folder)
	}
}

func TestNextBuildNumbers(t *testing.T) {
	for name, want := range map[string]string{"jobs/a/nextBuildNumber": "jobs/a", "jobs/f/jobs/a/nextBuildNumber": "jobs/f/jobs/a", "nextBuildNumber": "", "jobs/nextBuildNumber": "",
		"jobs/a/builds/nextBuildNumber": "", "jobs/a/jobs/nextBuildNumber": ""} {
		job, ok := keep.JobOfNumber(name)
		require.Equal(t, want != "", ok, name)
		if ok {
			require.Equal(t, want, job)
		}
	}
}

func TestUsersAreNamedByTheirID(t *testing.T) {
	hashed := "users/bob_" + strings.Repeat("0a", 32) + "/config.xml"
	for id, want := range map[string]string{"bob": "bob", "Bob": "bob", "a.b-c_1": "a.b-c_1", "x@y.z": "x$0040y.z", "../..": "$002e.$002f..", "ü": "$00fc",
		"王": "$738b", "😀": "$d83d$de00"} {
		name, err := keep.Name(hashed, []byte("<?xml version='1.1' encoding='UTF-8'?>\n<user><id>"+id+"</id></user>"))
		require.NoError(t, err)
		require.Equal(t, "users/"+want+"/config.xml", name)
	}
	for _, text := range []string{"<user/>", "<user><id>a", "<user><id></id></user>"} {
		_, err := keep.Name(hashed, []byte(text))
		require.Error(t, err)
	}
	name, err := keep.Name("users/bob/config.xml", []byte("<user><id>other</id></user>"))
	require.NoError(t, err)
	require.Equal(t, "users/bob/config.xml", name, "a folder that Jenkins has not renamed yet")
}

func TestSecretsAreFound(t *testing.T) {
	for text, want := range map[string]string{
		"<a>\n-----BEGIN RSA PRIVATE KEY-----\n</a>":                                 "a private key",
		"<a>-----BEGIN PRIVATE KEY-----</a>":                                         "a private key",
		"<a>-----BEGIN PGP PRIVATE KEY BLOCK-----</a>":                               "a private key",
		"<a><password>hunter2</password></a>":                                        "a password that is not encrypted",
		"<a><managerPassword>hunter2</managerPassword></a>":                          "a password that is not encrypted",
		"<a><x.y.clientSecret plugin=\"x@1\">s3</x.y.clientSecret></a>":              "a password that is not encrypted",
		"<a><url>https://bob:hunter2@git.example/x.git</url></a>":                    "a password in a URL",
		"<a>AKIAIOSFODNN7EXAMPLE</a>":                                                "an access key of AWS",
		"<a>ghp_0123456789abcdefghijklmnopqrstuvwxyz</a>":                            "an access token",
		"<a>glpat-0123456789abcdefghij</a>":                                          "an access token",
		"<a><password>{AQAAABAAAAAQ0aGVzZSBhcmUgbm90IHNlY3JldHM=}</password></a>":    "",
		"<a><passwordHash>#jbcrypt:$2a$10$abcdefghijklmnopqrstuv</passwordHash></a>": "",
		"<a><password></password><password>${PASS}</password></a>":                   "",
		"<a><useSecret>true</useSecret><url>https://git.example/x@y</url></a>":       "",
		"<a><url>https://$USER:$PASS@git.example/x</url></a>":                        "",
		"<a>-----BEGIN PUBLIC KEY-----</a>":                                          "",
		"<a><command>mvn -Dx=http://host:8080/a@b</command></a>":                     "",
	} {
		what, line := keep.FindSecret("jobs/a/config.xml", []byte("<!-- -->\n"+text))
		require.Equal(t, want, what, text)
		if what != "" {
			require.Positive(t, line)
		}
	}
}

// Configuration as code is written by people, in every style that YAML has: what is missed here is in the history for ever, and what is
// taken for a secret by mistake keeps the whole file out of it.
func TestSecretsAreFoundInYAML(t *testing.T) {
	for _, text := range []string{
		"password: hunter2", "- adminPassword: 'x'", "    password: \"hunter2\" # mine", "password: hunter2 # no {variable}", "\"password\": hunter2", "password : hunter2",
		"- {id: x, password: hunter2}", "- usernamePassword: {scope: GLOBAL, password: \"a, b\"}", "{password: hunter2, id: x}", "x: [{secret: a}]", "{ a: 'it''s, b', secret: y }",
		"{scope: GLOBAL,\n  password: hunter2 }", "- string: {id: \"a#1\", secret: s3cret}", "password: |\n  hunter2\n", "password: >-\r\n\r\n  hunter2\r\n", "a:\n  secret: |2\n    x",
		"password: &pw hunter2", "password: !!str hunter2", "password: \"unended", "APITOKEN: 11aa",
		"{scope: GLOBAL,\n  id: x, password: hunter2}", "{scope: GLOBAL,\n  ids: [a, {b: c}], password: hunter2}",
		`{"id":"x","password":"hunter2"}`, `{'password':hunter2}`, "password:\n  hunter2", "- password: # of the bot\n\n  # new\n  hunter2 # x", "password:\n  'hunter2'",
	} {
		what, line := keep.FindSecret("casc/a.yml", []byte("# one\njenkins: {}\n"+text))
		require.Equal(t, "a password that is not encrypted", what, text)
		want := 3
		if strings.HasPrefix(text, "{scope: GLOBAL,\n") || strings.HasPrefix(text, "a:\n") {
			want = 4
		}
		require.Equal(t, want, line, text)
	}
	for _, text := range []string{
		"password: ${PASS}", "password: \"{AQAA=}\"", "password: {AQAA=}", "passwordField: x", "password:\n  x: 1", "password: \"\" # none", "password: '' # set by hand", "password: true # asked",
		"password: \"{AQAA=}\" # encrypted", "password: ${PASS} # from the environment", "password: # later", "# password: hunter2", "a: b # password: hunter2",
		"- usernamePassword: {scope: GLOBAL, id: x, password: \"${PASS}\"}", "{password: ${PASS}, id: x}", "{password: true}", "systemMessage: \"Change it, password: see the wiki\"",
		"systemMessage: Ask for {a, password: x} there", "a: 'it''s, {password: x}'", "{id: \"a, password: b\"}", "{id: 'it''s, password: b'}", "password: |\nb: 1", "password: >\n\n", "secret: *pw", "password: [a]", "password:hunter2", "",
		`{"id":"x","password":"${PASS}"}`, `{"passwordField":"x"}`, "password:\nid: x", "password:\n  x:\ty", "{scope: GLOBAL,\n  id: x, password: ${PASS}}", "{scope: GLOBAL,\n  id: x}\nsystemMessage: Change it, password: see the wiki",
		"a: {b: c\nsystemMessage: Change it, password: see the wiki", "- password:\n  id: x", "password:\n  - a", "password:\n  \"x\": 1", "password:\n  ${PASS}", "password:\n  x:\n    y: 1",
	} {
		what, line := keep.FindSecret("jenkins.yaml", []byte(text+"\n"))
		require.Empty(t, what, "%s, line %d", text, line)
	}
}

func TestFilesAreReadWholeOrNotAtAll(t *testing.T) {
	home := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(home, name), []byte(text), 0o600))
	}
	write("good.xml", "<?xml version='1.1' encoding='UTF-8'?>\n<a>&#x1b;[0m</a>\n")
	data, stamp, err := keep.Read(home, "good.xml")
	require.NoError(t, err)
	require.EqualValues(t, len(data), stamp.Size)
	_, _, err = keep.Read(home, "none.xml")
	require.ErrorIs(t, err, fs.ErrNotExist)

	write("half.xml", "<?xml version='1.1'?>\n<a><b>")
	write("empty.xml", "")
	write("twisted.xml", "<a><b></a></b>")
	write("secret.xml", "<a><password>x</password></a>")
	write("large.bin", strings.Repeat("x", keep.MaxFile+1))
	require.NoError(t, os.Symlink("good.xml", filepath.Join(home, "link.xml")))
	require.NoError(t, syscall.Mkfifo(filepath.Join(home, "pipe.xml"), 0o600))
	require.NoError(t, os.MkdirAll(filepath.Join(home, "nodes/m"), 0o700))
	write("nodes/m/config.xml", "<org.jenkinsci.plugins.mesos.MesosSlave/>")
	for name, reason := range map[string]string{"half.xml": "not well-formed", "empty.xml": "it is empty", "twisted.xml": "not well-formed", "secret.xml": "password", "large.bin": "larger than",
		"link.xml": "link", "pipe.xml": "not a regular file", "nodes/m/config.xml": "Mesos"} {
		_, _, err := keep.Read(home, name)
		var refused *keep.RefusedError
		require.ErrorAs(t, err, &refused, name)
		require.Contains(t, refused.Reason, reason)
	}
}

func TestAMarkOfBeingOfflineIsNoChange(t *testing.T) {
	text := "<slave>\n  <name>n</name>\n  <temporaryOfflineCause class=\"x\">\n    <user>bob</user>\n  </temporaryOfflineCause>\n</slave>"
	require.Equal(t, "<slave>\n  <name>n</name>\n</slave>", string(keep.Normal("nodes/n/config.xml", []byte(text))))
	require.Equal(t, text, string(keep.Normal("jobs/n/config.xml", []byte(text))))
}
