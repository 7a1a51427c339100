package cli

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/jenkins"
)

func TestAnInstallThatIsRefusedSaysThatItsFileIsKept(t *testing.T) {
	b := newBench(t)
	require.NoError(t, os.Remove(b.path("cluster.yaml")))
	install := []string{"install", "--name", "ci", "--target", "local", "--base-address", "127.0.69.0"}
	code, _, stderr := b.run(install...) // there is nobody to confirm it, and perhaps this machine lacks something
	require.Contains(t, []int{exitUsage, exitRefused}, code)
	require.Contains(t, stderr, "cluster.yaml was written and is kept: `jomctl install` goes by it; remove it to answer anew")
	require.FileExists(t, b.path("cluster.yaml"))
	_, _, stderr = b.run(install...)
	require.NotContains(t, stderr, "was written", "it was there before")
}

func TestAFolderWithoutRoomOrRightsIsRefusedWithTheFix(t *testing.T) {
	a := &app{global: globalOptions{File: t.TempDir() + "/cluster.yaml"}}
	for cause, fix := range map[error]string{fs.ErrPermission: "a folder that you may write to", syscall.EROFS: "a folder that you may write to", syscall.ENOSPC: "make room"} {
		err := a.unwritable(fmt.Errorf("write: %w", cause))
		require.Equal(t, exitRefused, exitCode(err), cause)
		require.Contains(t, hintOf(err), fix)
	}
	require.Equal(t, exitFailed, exitCode(a.unwritable(syscall.EIO)))
}

func TestNothingIsProvenWhereTheControllerDoesNotServe(t *testing.T) {
	b := newBench(t)
	b.write("cluster.yaml", "apiVersion: jomctl/v1\nname: ci\ntarget: local\nlocal:\n  address: 127.0.69.0\n")
	code, _, stderr := b.run("prove", "--yes")
	require.Equal(t, exitRefused, code)
	require.Contains(t, stderr, "is not installed")
	require.NoError(t, os.MkdirAll(b.path(".jomctl", "secrets"), 0o700))
	b.write(".jomctl/secrets/admin", "secret")
	code, _, stderr = b.run("prove", "--yes")
	require.Equal(t, exitRefused, code, stderr)
	require.Contains(t, stderr, "there is nothing to prove: the controller at http://127.0.69.10:8080 does not serve")
	require.Empty(t, b.files("journal"), "there is nothing to resume")
	require.NotContains(t, proofText(jenkins.Proof{}), "0 of 0")
}
