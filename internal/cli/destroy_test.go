package cli

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDestroyGoesByWhatWasInstalled leaves no cluster behind that nobody can end because its file has changed or is gone.
func TestDestroyGoesByWhatWasInstalled(t *testing.T) {
	for name, change := range map[string]func(b *bench){
		"file gone":    func(b *bench) { require.NoError(b.t, os.Remove(b.path("cluster.yaml"))) },
		"file broken":  func(b *bench) { b.write("cluster.yaml", "name: [") },
		"name changed": func(b *bench) { b.write("cluster.yaml", "apiVersion: jomctl/v1\nname: other\ntarget: local\n") },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			shown, _ := b.ok("config", "show")
			require.NoError(t, os.MkdirAll(b.path(".jomctl", "hosts", "a1"), 0o700))
			b.write(".jomctl/installed.yaml", shown)
			change(b)
			out, _ := b.ok("destroy", "--yes")
			require.Contains(t, out, "Cluster ci is gone")
			require.NoDirExists(t, b.path(".jomctl", "hosts"))
			require.NoFileExists(t, b.path(".jomctl", "installed.yaml"))
			_, err := os.Stat(b.path("cluster.yaml"))
			require.Equal(t, name == "file gone", os.IsNotExist(err), "the user's file is never touched")
		})
	}
}

func TestDestroyWithoutARecordGoesByTheFile(t *testing.T) {
	b := newBench(t)
	out, _ := b.ok("destroy", "--yes")
	require.Contains(t, out, "cluster.yaml is kept")
	b.write(".jomctl/installed.yaml", "nonsense")
	_, stderr := b.ok("destroy", "--yes")
	require.Contains(t, stderr, "installed.yaml cannot be used")
	require.NoFileExists(t, b.path(".jomctl", "installed.yaml"))
	require.NoError(t, os.Remove(b.path("cluster.yaml")))
	code, _, _ := b.run("destroy", "--yes")
	require.Equal(t, 2, code)
}

// TestDestroyMakesRoomOnAFullDisk runs in a name space of its own, where the bench lies on a disk that is full.
func TestDestroyMakesRoomOnAFullDisk(t *testing.T) {
	if out, err := exec.Command("unshare", "-rm", "true").CombinedOutput(); err != nil {
		t.Skipf("no disk of its own can be made here: %v: %s", err, out)
	}
	b := newBench(t)
	shown, _ := b.ok("config", "show")
	cmd := exec.Command("unshare", "-rm", "sh", "-c", `mount -t tmpfs -o size=64k none "$BENCH" && cd "$BENCH" && mkdir -p .jomctl/hosts/a1 || exit 99
printf %s "$SHOWN" > .jomctl/installed.yaml
dd if=/dev/zero of=.jomctl/hosts/a1/filler bs=4k 2>/dev/null
if "$0" prove --yes; then exit 98; fi
"$0" destroy --yes && ls -A .jomctl && cat .jomctl/journal/*`, os.Args[0])
	cmd.Env = append(os.Environ(), "BENCH="+b.dir, "SHOWN="+shown)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "Cluster ci is gone")
	require.Contains(t, string(out), `"kind":"begin-run"`)
	require.Contains(t, string(out), `"outcome":"done"`)
	require.NotContains(t, string(out), "hosts\n")
}
