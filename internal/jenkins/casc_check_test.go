package jenkins

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCascConflictsAreFound(t *testing.T) {
	ours, err := Casc(sample())
	require.NoError(t, err)
	check := func(texts ...string) []string {
		files := []File{{CascFile, 0o644, ours}}
		for i, text := range texts {
			files = append(files, File{string(rune('a'+i)) + ".yaml", 0o644, []byte(text)})
		}
		var all []string
		for _, p := range CheckCasc(files) {
			assert.NotEmpty(t, p.Fix)
			all = append(all, p.String())
		}
		return all
	}
	assert.Empty(t, check(), "our own file has no problem")
	assert.Empty(t, check("jenkins:\n  systemMessage: hello\n  quietPeriod: 5\nunclassified:\n  location:\n    adminAddress: a@b\n", "jenkins:\n  nodeMonitors:\n  - architecture\ntool: {git: {}}\n", ""))
	for text, want := range map[string]string{
		"jenkins:\n  numExecutors: 2\n":                                  "a.yaml:2: jenkins.numExecutors: is in jenkins.yaml already, so Jenkins would not start",
		"# mine\nunclassified: {location: {url: http://x/}}\n":           "a.yaml:2: unclassified.location.url: is in jenkins.yaml already, so Jenkins would not start",
		"jenkins:\n  clouds:\n  - mesos: {}\n":                           "a.yaml:2: jenkins.clouds: is in jenkins.yaml already, so Jenkins would not start",
		"unclassified: yes, please\n":                                    "a.yaml:1: unclassified: is a value here and a mapping in jenkins.yaml",
		"jenkins: [\n":                                                   "a.yaml: cannot be read: ",
		"tool: 1\ntool: 2\n":                                             "a.yaml: cannot be read: ",
		"credentials:\n- password: hunter2\n":                            "a.yaml:2: credentials[0].password: has a secret in the file itself",
		"x:\n  apiToken: 12345\n":                                        "a.yaml:2: x.apiToken: has a secret in the file itself",
		"x:\n  secret: \"${S:-hunter2}\"\n":                              "a.yaml:2: x.secret: has a secret in the file itself",
		"x:\n  key: |\n    -----BEGIN OPENSSH PRIVATE KEY-----\n    A\n": "a.yaml:2: x.key: has a secret in the file itself",
	} {
		all := check(text)
		require.Len(t, all, 1, text)
		assert.Contains(t, all[0], want)
		assert.NotContains(t, all[0], "hunter2")
	}
	assert.Equal(t, []string{"b.yaml:1: jenkins.systemMessage: is in a.yaml already, so Jenkins would not start"},
		check("jenkins:\n  systemMessage: one\n", "jenkins: {systemMessage: one}\n"), "also where both say the same")
	assert.Empty(t, check("x: {password: \"${P}\", token: \"${readFile:/run/t}\", useSecret: true, secret: , hashPassword: \"#jbcrypt:$2a$10$x\", credentialsId: git}\n"))
	assert.Empty(t, check("a: &x {b: 1}\nc: *x\nd: !!str 5\n"))
}
