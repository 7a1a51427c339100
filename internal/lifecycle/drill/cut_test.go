package drill

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestACutDropsPacketsUntilItIsMended uses this machine's own packet filter in a network of its own, with a systemd-run that only writes down
// what it was asked for.
func TestACutDropsPacketsUntilItIsMended(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a network of its own and its packet filter need root")
	}
	filters := 0
	for _, filter := range []string{"nft", "iptables"} {
		path, err := exec.LookPath(filter)
		if err != nil {
			path = "/usr/sbin/" + filter
		}
		if _, err := os.Stat(path); err != nil || exec.Command("unshare", "-n", path, "--version").Run() != nil {
			continue
		}
		filters++
		t.Run(filter, func(t *testing.T) {
			dir := t.TempDir()
			// Only this filter is on the PATH, besides what the scripts need.
			for _, program := range []string{filter, "sh", "bash", "ip", "timeout", "true", "cat"} {
				found, err := exec.LookPath(program)
				if err != nil {
					found = "/usr/sbin/" + program
				}
				require.NoError(t, os.Symlink(found, filepath.Join(dir, program)))
			}
			asked := filepath.Join(dir, "asked")
			stub := "#!/bin/sh\necho \"$@\" >>" + asked + "\n"
			require.NoError(t, os.WriteFile(filepath.Join(dir, "systemd-run"), []byte(stub), 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "systemctl"), []byte("#!/bin/sh\n"), 0o755))
			alone := func(script string) string { // without what the script adds to PATH
				return "PATH=" + dir + "\n" + script[len("PATH=$PATH:/usr/sbin:/sbin\n"):]
			}
			// A refused connection has been through; one whose packets are dropped gets no answer.
			const walk = `through() { timeout 2 bash -c "exec 3<>/dev/tcp/127.9.9.9/$1" 2>/dev/null; [ $? -ne 124 ]; }
ip link set lo up || exit 9
through 9 || exit 10
sh -c "$CUT" jomctl 60 "$MEND" 0 127.9.9.9 2001:db8::1 || exit 11
if through 9; then exit 12; fi
sh -c "$MEND" || exit 13
through 9 || exit 14
sh -c "$MEND" || exit 15
sh -c "$CUT" jomctl 60 "$MEND" 22 127.9.9.9 2001:db8::1 || exit 16
if through 22; then exit 17; fi
through 9 || exit 18
sh -c "$MEND" || exit 19
through 22 || exit 20
`
			cmd := exec.Command("unshare", "-n", "/bin/sh", "-c", walk)
			cmd.Env = []string{"PATH=" + dir, "CUT=" + alone(cutScript), "MEND=" + alone(mendScript)}
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			text, err := os.ReadFile(asked)
			require.NoError(t, err)
			require.Contains(t, string(text), "--on-active=60", "the host mends itself")
		})
	}
	if filters == 0 {
		t.Skip("neither nft nor iptables is here")
	}
}
