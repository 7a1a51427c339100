package drill

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// shell runs a script as a host would, with only what it is told on its PATH where path is not empty.
func shell(t *testing.T, path, script string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command("/bin/sh", append([]string{"-c", script, "jomctl"}, args...)...)
	if path != "" {
		cmd.Env = []string{"PATH=" + path}
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// lay makes files, as name and text in turn.
func lay(t *testing.T, root string, pairs ...string) {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		name := filepath.Join(root, pairs[i])
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte(pairs[i+1]), 0o600))
	}
}

func read(t *testing.T, parts ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(parts...))
	require.NoError(t, err)
	return string(data)
}

// nobody is a task that no process is of.
const nobody = "jomctl-test-no-such-task"

func TestAHomeComesBackWithItsBuildsAndGoesOnWithTheNewerHistory(t *testing.T) {
	dir := t.TempDir()
	home, history := filepath.Join(dir, "the home"), filepath.Join(dir, "the history")
	lay(t, dir, "the home/builds", "mine", "the home/.jomctl/home.json", "epoch 1", "the history/HEAD", "old")
	for range 2 { // one that is aside already stays so
		out, err := shell(t, "", homeAwayScript, nobody, home, history)
		require.NoError(t, err, out)
		require.NoDirExists(t, home)
		require.NoDirExists(t, history)
	}
	lay(t, dir, "the home/.jomctl/home.json", "epoch 2", "the home/restored", "", "the history/HEAD", "newer") // the controller has begun anew
	out, err := shell(t, "", homeAwayScript, nobody, home, history)
	require.NoError(t, err, out)
	require.Equal(t, "newer", read(t, history, "HEAD"), "done again it does not take the new ones")
	require.Equal(t, "mine", read(t, home+aside, "builds"), "nor lose the old ones")
	for range 2 {
		out, err := shell(t, "", homeBackScript, home, history)
		require.NoError(t, err, out)
		require.Equal(t, "mine", read(t, home, "builds"))
		require.Equal(t, "epoch 2", read(t, home, ".jomctl/home.json"), "it belongs to the history as that has gone on")
		require.Equal(t, "newer", read(t, history, "HEAD"))
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, entries, 2, "nothing stays beside them")
	}
}

func TestAHomeComesBackWhereNoControllerHasBegunAnew(t *testing.T) {
	dir := t.TempDir()
	home, history := filepath.Join(dir, "home"), filepath.Join(dir, "history")
	lay(t, dir, "home/builds", "mine", "home/.jomctl/home.json", "epoch 1", "history/HEAD", "old")
	_, err := shell(t, "", homeAwayScript, nobody, home, history)
	require.NoError(t, err)
	lay(t, dir, "history/HEAD", "half a clone", "home/half", "") // it was ended while it restored
	out, err := shell(t, "", homeBackScript, home, history)
	require.NoError(t, err, out)
	require.Equal(t, []string{"mine", "epoch 1", "old"}, []string{read(t, home, "builds"), read(t, home, ".jomctl/home.json"), read(t, history, "HEAD")})
	require.NoFileExists(t, filepath.Join(home, "half"))
	// A home without a local history, and one that is there without having been away.
	lay(t, dir, "alone"+aside+"/x", "x", "there/x", "y")
	for _, name := range []string{"alone", "there"} {
		out, err := shell(t, "", homeBackScript, filepath.Join(dir, name), "")
		require.NoError(t, err, out)
		require.NotEmpty(t, read(t, dir, name, "x"))
	}
}

// TestAHomeComesBackAlsoAfterTheTakingBackWasCutOff ends the script at each of its steps and runs it again.
func TestAHomeComesBackAlsoAfterTheTakingBackWasCutOff(t *testing.T) {
	bin := t.TempDir()
	// The programs that change something count themselves, and the shell is killed before the one whose turn it is.
	for _, name := range []string{"mv", "rm", "cp", "mkdir"} {
		path, err := exec.LookPath(name)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\nn=$(cat \"$COUNT\"); [ \"$n\" != 0 ] || { kill -9 $PPID; exit 1; }\necho $((n-1)) >\"$COUNT\"\nexec "+path+" \"$@\"\n"), 0o755))
	}
	for cut := 0; ; cut++ {
		dir := t.TempDir()
		home, history := filepath.Join(dir, "home"), filepath.Join(dir, "history")
		lay(t, dir, "home"+aside+"/builds", "mine", "home"+aside+"/.jomctl/home.json", "epoch 1", "home/.jomctl/home.json", "epoch 2", "history/HEAD", "newer", "history"+aside+"/HEAD", "old", "count", strconv.Itoa(cut))
		cmd := exec.Command("/bin/sh", "-c", homeBackScript, "jomctl", home, history)
		cmd.Env = []string{"PATH=" + bin + ":/usr/bin:/bin", "COUNT=" + filepath.Join(dir, "count")}
		whole := cmd.Run() == nil
		out, err := shell(t, "", homeBackScript, home, history)
		require.NoError(t, err, "cut off at %d: %s", cut, out)
		require.Equal(t, []string{"mine", "epoch 2", "newer"}, []string{read(t, home, "builds"), read(t, home, ".jomctl/home.json"), read(t, history, "HEAD")}, "cut off at %d", cut)
		if whole {
			require.Greater(t, cut, 5, "there was something to be cut off at")
			return
		}
	}
}

func TestAFolderIsMovedAndNeverOntoAnother(t *testing.T) {
	for name, c := range map[string]struct {
		there []string
		want  string
	}{
		"moved":       {[]string{"a/x"}, ""},
		"moved twice": {[]string{"b/x"}, ""},
		"neither":     {nil, "is not there"},
		"both":        {[]string{"a/x", "b/y"}, "is there already"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, one := range c.there {
				lay(t, dir, one, "kept")
			}
			out, err := shell(t, "", moveScript, filepath.Join(dir, "a"), filepath.Join(dir, "b"))
			if c.want == "" {
				require.NoError(t, err, out)
				require.Equal(t, "kept", read(t, dir, "b/x"))
				require.NoDirExists(t, filepath.Join(dir, "a"))
				return
			}
			require.Error(t, err)
			require.Contains(t, out, c.want)
			for _, one := range c.there {
				require.Equal(t, "kept", read(t, dir, one))
			}
		})
	}
}

// TestACutThatTheHostCannotMakeIsNoCut has packet filters that do not work, whose success would be a network that is not cut.
func TestACutThatTheHostCannotMakeIsNoCut(t *testing.T) {
	const fails, works = "#!/bin/sh\nexit 1\n", "#!/bin/sh\necho \"$0 $@\" >>\"${0%/*}/rules\"\n"
	for name, c := range map[string]struct {
		programs map[string]string
		peers    []string
		cut      bool
	}{
		"nft works":                    {map[string]string{"nft": "#!/bin/sh\ncat >\"${0%/*}/rules\"\n"}, []string{"10.0.0.1"}, true},
		"nft fails":                    {map[string]string{"nft": fails}, []string{"10.0.0.1"}, false},
		"no timer":                     {map[string]string{"iptables": works, "systemd-run": fails}, []string{"10.0.0.1"}, false},
		"iptables works":               {map[string]string{"iptables": works, "ip6tables": works}, []string{"10.0.0.1", "fd00::1"}, true},
		"iptables fails":               {map[string]string{"iptables": fails, "ip6tables": fails}, []string{"10.0.0.1"}, false},
		"no IPv6, and nobody needs it": {map[string]string{"iptables": works, "ip6tables": fails}, []string{"10.0.0.1"}, true},
		"no IPv6, and a peer needs it": {map[string]string{"iptables": works, "ip6tables": fails}, []string{"10.0.0.1", "fd00::1"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, program := range []string{"sh", "cat"} {
				path, err := exec.LookPath(program)
				require.NoError(t, err)
				require.NoError(t, os.Symlink(path, filepath.Join(dir, program)))
			}
			all := map[string]string{"systemctl": works, "systemd-run": "#!/bin/sh\necho \"$@\" >\"${0%/*}/timer\"\n"}
			for program, text := range c.programs {
				all[program] = text
			}
			for program, text := range all {
				require.NoError(t, os.WriteFile(filepath.Join(dir, program), []byte(text), 0o755))
			}
			script := strings.Replace(cutScript, "PATH=$PATH:/usr/sbin:/sbin\n", "", 1)
			out, err := shell(t, dir, script, append([]string{"180", "mend it", "0"}, c.peers...)...)
			require.Equal(t, c.cut, err == nil, "%v %s", err, out)
			if c.cut {
				for _, peer := range c.peers {
					require.Contains(t, read(t, dir, "rules"), peer)
				}
				require.Contains(t, read(t, dir, "timer"), "--on-active=180 --timer-property=AccuracySec=1s /bin/sh -c mend it", "the host mends itself")
			}
		})
	}
	require.ErrorContains(t, (&real{}).cut(t.Context(), Injection{Kind: Cut, Host: "a1"}), "nothing to cut it from")
}
