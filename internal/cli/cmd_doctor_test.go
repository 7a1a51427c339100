package cli

import (
	"archive/tar"
	"compress/gzip"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/doctor"
	"github.com/jomctl/jomctl/internal/status"
)

// notInstalled is a bench whose cluster is at addresses of its own where nothing runs.
func notInstalled(t *testing.T) *bench {
	b := newBench(t)
	// Of this process alone, and far from the default.
	net := fmt.Sprintf("127.%d.%d.0", 100+os.Getpid()%100, 1+os.Getpid()/100%250)
	b.write("cluster.yaml", "apiVersion: jomctl/v1\nname: ci\ntarget: local\nlocal:\n  address: "+net+"\n")
	require.NoError(t, os.MkdirAll(b.path(".jomctl", "secrets"), 0o700))
	b.write(".jomctl/secrets/admin", "very-secret-password\n")
	return b
}

func TestDoctorOfAClusterThatIsNotThere(t *testing.T) {
	b := notInstalled(t)
	code, out, errs := b.run("doctor", "-o", "json")
	require.Equal(t, exitFindings, code, errs)
	answer := decode(t, out)
	require.Equal(t, "ci", answer["cluster"])
	require.Len(t, answer["checks"], len(doctor.Checks()))
	first := answer["checks"].([]any)[0].(map[string]any)
	require.Equal(t, "is not installed", first["findings"].([]any)[0].(map[string]any)["problem"])
	code, out, _ = b.run("doctor")
	require.Equal(t, exitFindings, code)
	require.Contains(t, out, "could not look at the frameworks, because: ")
}

func TestDoctorText(t *testing.T) {
	var text strings.Builder
	doctorText(&text, []doctor.Result{
		{Title: "all is well"},
		{Title: "something", Findings: []doctor.Finding{{Finding: status.Finding{Severity: status.Error, Subject: "disk", Problem: "is full", Fix: "make room"}, Evidence: []string{"df\x1b[31m"}}}},
		{Title: "unseen", CouldNot: []string{"it, because: down"}},
	}, 1)
	assert.Contains(t, text.String(), "ok        all is well\n1 found   something\n          error: disk: is full\n            | df")
	assert.Contains(t, text.String(), "fix: make room\n?         unseen\n          could not look at it, because: down\n")
	assert.NotContains(t, text.String(), "\x1b")
}

func TestSupportBundle(t *testing.T) {
	b := notInstalled(t)
	file := b.path("b.tar.gz")
	out, errs := b.ok("support-bundle", "--output", file)
	require.Equal(t, file+"\n", out)
	require.Contains(t, errs, "could not get all of mesos/master-1/state.json: ")
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())
	names := namesIn(t, file)
	require.Contains(t, names, "MANIFEST.json")
	require.Contains(t, names, "cluster.yaml")
	require.NotContains(t, errs, "very-secret-password")

	code, _, errs := b.run("support-bundle", "--output", file)
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, "exists, and is not replaced")
	again, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, info.ModTime(), again.ModTime())

	out, _ = b.ok("support-bundle", "-o", "json", "--output", b.path("c.tar.gz"))
	answer := decode(t, out)
	require.Equal(t, b.path("c.tar.gz"), answer["file"])
	require.NotEmpty(t, answer["missing"])
}

func namesIn(t *testing.T, file string) []string {
	t.Helper()
	opened, err := os.Open(file)
	require.NoError(t, err)
	defer opened.Close()
	packed, err := gzip.NewReader(opened)
	require.NoError(t, err)
	var names []string
	for archive := tar.NewReader(packed); ; {
		header, err := archive.Next()
		if err != nil {
			return names
		}
		_, name, _ := strings.Cut(header.Name, "/")
		names = append(names, name)
	}
}
