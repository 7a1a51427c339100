package config

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const releasesFile = "../../docs/releases.md"

// lineTable is the table of docs/releases.md.
func lineTable() string {
	var b strings.Builder
	b.WriteString("| what | key of a template | `line: http` | `line: libmesos` |\n|---|---|---|---|\n")
	cell := func(why string) string {
		if why == "" {
			return "yes"
		}
		return "no: " + why
	}
	for _, f := range LineFeatures() {
		key := ""
		if f.Key != "" {
			key = "`" + f.Key + "`"
		}
		b.WriteString("| " + f.What + " | " + key + " | " + cell(f.HTTP) + " | " + cell(f.Libmesos) + " |\n")
	}
	return b.String()
}

func TestTheTableOfTheLinesIsInTheDocs(t *testing.T) {
	data, err := os.ReadFile(releasesFile)
	require.NoError(t, err)
	text := string(data)
	const begin, end = "<!-- lines: written by `go test ./internal/config -run Lines -update` -->\n", "<!-- end of lines -->"
	before, rest, found := strings.Cut(text, begin)
	require.True(t, found)
	_, after, found := strings.Cut(rest, end)
	require.True(t, found)
	want := before + begin + lineTable() + end + after
	if *update {
		require.NoError(t, os.WriteFile(releasesFile, []byte(want), 0o644))
		return
	}
	require.Equal(t, want, text, "go test ./internal/config -run Lines -update writes it anew")
}

func TestWhatALineCannotExpressIsRefusedWithItsPlace(t *testing.T) {
	const head = "apiVersion: jomctl/v1\nname: ci\ntarget: local\n"
	template := func(line, more string) string {
		return head + "jenkins: {cloud: {line: " + line + ", templates: [{label: x, " + more + "}]}}\n"
	}
	const at = "jenkins.cloud.templates[0]."
	for text, want := range map[string][]string{
		template("http", "executors: 2"):                                            {at + "executors: 2: cannot be expressed in line http: its build agents have one executor", "leave it out"},
		template("http", "jvmArgs: -Xss1m"):                                         {at + "jvmArgs: -Xss1m: cannot be expressed in line http: it has no field", "-Xmx32m"},
		template("http", "image: a, dockerOptions: {shm-size: 1g}"):                 {at + "dockerOptions: shm-size: 1g: cannot be expressed in line http"},
		template("libmesos", "executors: 65"):                                       {at + "executors: 65: must be a number from 1 to 64"},
		template("libmesos", "jvmArgs: -Xmx1g"):                                     {at + "jvmArgs: -Xmx1g: must not have -Xmx"},
		template("libmesos", "jvmArgs: \"-Da=$(id)\""):                              {at + "jvmArgs: -Da=$(id): must be plain words"},
		template("http", "attributes: {rack: \"r1,r2\"}"):                           {at + "attributes: rack: r1,r2: names and values must be"},
		template("libmesos", "dockerOptions: {shm-size: 1g}"):                       {at + "dockerOptions: shm-size: 1g: need an image"},
		template("libmesos", "image: a, dockerOptions: {--shm-size: 1g}"):           {at + "dockerOptions: --shm-size: must be a long option"},
		template("libmesos", "image: a, dockerOptions: {shm-size: 1g}, jvmArgs: x"): nil,
		template("libmesos", "executors: 4, attributes: {rack: r1}"):                nil,
		template("http", "executors: 1, attributes: {rack: r1}"):                    nil,
	} {
		_, err := Parse([]byte(text), "cluster.yaml")
		if want == nil {
			require.NoError(t, err, text)
			continue
		}
		for _, part := range want {
			require.ErrorContains(t, err, part, text)
		}
	}
}
