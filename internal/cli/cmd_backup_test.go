package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/backup"
	"github.com/jomctl/jomctl/internal/testkit"
	"github.com/jomctl/jomctl/internal/ui"
)

// saved is a folder with a cluster file that names a repository, and no home yet.
func saved(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	b.write("cluster.yaml", "apiVersion: jomctl/v1\nname: ci\ntarget: local\nlocal: {address: 127.93.8.0}\nbackup: {repository: ./repository}\n")
	return b
}

// program runs a command of the program and returns what it wrote.
func (b *bench) program(code int, args ...string) (out, errOut string) {
	b.t.Helper()
	streams, _, stdout, stderr := ui.Buffers()
	got := Run(b.t.Context(), append([]string{"-f", b.path("cluster.yaml")}, args...), streams)
	require.Equal(b.t, code, got, "%v\n%s\n%s", args, stdout, stderr)
	return stdout.String(), stderr.String()
}

func (b *bench) inHome(name, text string) {
	b.t.Helper()
	name = filepath.Join(".jomctl", "hosts", "a1", "jenkins_home", name) // where it is by default
	require.NoError(b.t, os.MkdirAll(filepath.Dir(b.path(name)), 0o755))
	b.write(name, text)
}

func TestRestoreMustBeToldWhere(t *testing.T) {
	b := saved(t)
	for _, args := range [][]string{{}, {"--to", "x", "--in-place"}, {"--to", "x", "--stop"}, {"--to", "x", "--plan"}, {"x"}} {
		b.program(exitUsage, append([]string{"restore"}, args...)...)
	}
	bare := newBench(t)
	for _, command := range []string{"backup", "backups"} {
		_, errOut := bare.program(exitRefused, command)
		require.Contains(t, errOut, "backup.repository")
	}
}

func TestBackupsFromTheCommandLine(t *testing.T) {
	if _, err := exec.LookPath("restic"); err != nil {
		testkit.Missing(t, "restic (apt-get install restic)")
	}
	b := saved(t)
	_, errOut := b.program(exitRefused, "backup")
	require.Contains(t, errOut, "there is no home")
	require.NoDirExists(t, b.path("repository"))
	b.inHome("config.xml", "<hudson/>")
	b.inHome("jobs/a/config.xml", "<torn>")
	b.inHome("secrets/master.key", "x")
	_, errOut = b.program(exitRefused, "backups", "verify")
	require.Contains(t, errOut, "there is no backup")
	out, _ := b.program(exitFindings, "backup", "--verify")
	require.Contains(t, out, "It does NOT count")
	require.Contains(t, out, "problem: jobs/a/config.xml cannot be read")
	out, _ = b.program(exitFindings, "backups")
	require.Contains(t, out, "NO: jobs/a/config.xml")
	_, errOut = b.program(exitRefused, "restore", "--to", b.path("to"))
	require.Contains(t, errOut, "none of the 1 backups counts")

	b.inHome("jobs/a/config.xml", "<project/>")
	out, _ = b.program(0, "backup")
	require.Contains(t, out, "does not count yet")
	out, _ = b.program(0, "backups", "verify")
	require.Contains(t, out, "It counts: restored and read, 3 files, 2 of them XML, 1 jobs, 0 accounts")
	out, _ = b.program(0, "backups", "-o", "json")
	var list struct {
		Backups []struct {
			ID, Cluster, Release string
			Proof                *backup.Proof
		}
	}
	require.NoError(t, json.Unmarshal([]byte(out), &list))
	require.Len(t, list.Backups, 2)
	require.Equal(t, []string{"ci", "default"}, []string{list.Backups[0].Cluster, list.Backups[0].Release})
	require.True(t, list.Backups[0].Proof.Counts())
	require.False(t, list.Backups[1].Proof.Counts())

	out, _ = b.program(0, "restore", "--to", b.path("to"))
	require.Contains(t, out, list.Backups[0].ID[:8])
	out, _ = b.program(exitFindings, "restore", "--from", list.Backups[1].ID[:8], "--to", b.path("torn"))
	require.Contains(t, out, "problem: jobs/a/config.xml")
	_, errOut = b.program(exitFailed, "restore", "--from", "zz", "--to", b.path("none"))
	require.Contains(t, errOut, "no such backup")
	b.write(".jomctl/secrets/backup", "another")
	_, errOut = b.program(exitFailed, "backups")
	require.Contains(t, errOut, "does not open the repository")
	require.Contains(t, errOut, "Hint:")
}

func TestHowABackupIsShown(t *testing.T) {
	for n, want := range map[int64]string{0: "0.0 KiB", 1536: "1.5 KiB", 3 << 20: "3.0 MiB", 5 << 30: "5.0 GiB"} {
		require.Equal(t, want, byteText(n))
	}
	require.Equal(t, "not verified", countsText(backup.Record{}))
	require.Contains(t, countsText(backup.Record{Proof: &backup.Proof{Verdict: backup.Verdict{XML: 4}}, Unsettled: []string{"x"}}), "yes, 4 XML files read")
	var text bytes.Buffer
	backupProof(&text, backup.Record{Proof: &backup.Proof{Verdict: backup.Verdict{Warnings: []string{"a build"}}}})
	require.Contains(t, text.String(), "It counts")
	require.Contains(t, text.String(), "warning: a build")
}
