package host

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func serviceUnit() Unit {
	return Unit{Name: "prog", Description: "100% of it", Argv: []string{"/bin/sleep", "1000"}, Dir: "/tmp", Env: map[string]string{"A": "b"},
		RestartDelay: 1500 * time.Millisecond, StopTimeout: 10 * time.Second, KillMode: KillGroup, LogFile: "/var/log/x"}
}

func TestServiceFile(t *testing.T) {
	u := serviceUnit()
	files, err := renderUnit(u)
	require.NoError(t, err)
	for _, line := range []string{"Description=100%% of it", "StartLimitIntervalSec=0", "X-JomctlDigest=" + u.Digest(), "Restart=always", "RestartSec=1500ms",
		"TimeoutStopSec=10000ms", "KillMode=control-group", "ExecStart=/bin/sleep 1000", "EnvironmentFile=/etc/jomctl/prog.env", "StandardOutput=journal",
		"WantedBy=multi-user.target"} {
		assert.Contains(t, files.unit, line+"\n")
	}
	assert.NotContains(t, files.unit, "Delegate")
	assert.True(t, intact(files.unit))
	assert.False(t, intact(strings.Replace(files.unit, "1000", "2000", 1)))
	assert.False(t, intact(""))
	assert.Equal(t, "A=\"b\"\nJOMCTL_UNIT_DIGEST="+u.Digest()+"\n", files.env)

	u.KillMode, u.StopTimeout = KillProcess, 0
	files, err = renderUnit(u)
	require.NoError(t, err)
	assert.Contains(t, files.unit, "KillMode=process\n")
	assert.Contains(t, files.unit, "Delegate=yes\n")
	assert.Contains(t, files.unit, "TimeoutStopSec=1ms\n", "0 would be without end")
}

func TestWordsAreQuotedForSystemd(t *testing.T) {
	cases := map[string]string{"plain/x=1,y": "plain/x=1,y", "": `""`, "a b": `"a b"`, `say "x"`: `"say \"x\""`, `a\b`: `"a\\b"`, "50%": `"50%%"`,
		"$HOME": `"$$HOME"`, "a\nb\tc": `"a\nb\x09c"`, ";": `";"`, "it's": `"it's"`, "ü": "ü"}
	for word, want := range cases {
		assert.Equal(t, want, execWord(word, false))
	}
	assert.Equal(t, "/opt/$x", execWord("/opt/$x", true))
	u := serviceUnit()
	u.Env = map[string]string{"A": `a "b" \c $d ` + "`e`\nf", "B": ""}
	env, err := renderEnv(u)
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(env, "A=\"a \\\"b\\\" \\\\c \\$d \\`e\\`\nf\"\nB=\"\"\n"), "%s", env)
}

func TestWhatSystemdCannotTakeIsRefused(t *testing.T) {
	cases := map[string]func(*Unit){
		"name":           func(u *Unit) { u.Name = "a b" },
		"argument 1":     func(u *Unit) { u.Argv[1] = "\xff" },
		"description":    func(u *Unit) { u.Description = "a\nExecStart=/bin/evil" },
		"working folder": func(u *Unit) { u.Dir = "/x\n" },
		"no name of an":  func(u *Unit) { u.Env = map[string]string{"A-B": "x"} },
		"value of A":     func(u *Unit) { u.Env = map[string]string{"A": "a\x01"} },
		"kill mode":      func(u *Unit) { u.KillMode = "x" },
	}
	for what, change := range cases {
		u := serviceUnit()
		change(&u)
		_, err := renderUnit(u)
		assert.ErrorContains(t, err, what)
	}
}

func TestSystemdTakesTheFile(t *testing.T) {
	program, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd is not on this machine")
	}
	u := serviceUnit()
	u.Argv = []string{"/bin/sh", "-c", "x", "a b", "$HOME", "%n", `"q" \`, "l\nm", ";", ""}
	u.KillMode = KillProcess
	files, err := renderUnit(u)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "jomctl-prog.service")
	require.NoError(t, os.WriteFile(path, []byte(files.unit), 0o644))
	out, _ := exec.Command(program, "verify", "--man=no", path).CombinedOutput()
	for line := range strings.Lines(string(out)) { // other units of the machine may be in disorder
		assert.NotContains(t, line, "jomctl-prog")
	}
}

func recordedState(t *testing.T, name string) unitState {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "systemd", name+".txt"))
	require.NoError(t, err)
	states, err := parseStates(string(text))
	require.NoError(t, err)
	require.Len(t, states, 1)
	return states[0]
}

// The recordings are of systemd 252: a unit that exits with 7, one that does not exist, one that was killed.
func TestStateOfAService(t *testing.T) {
	at := func(clock string) time.Time { return stamp("Sat 2026-11-21 " + clock + " UTC") }
	digest := func(name string) string { return recordedState(t, name).fileDigest }
	const log = "journalctl -u jomctl-rec"
	cases := map[string]Status{
		"running": {Digest: digest("running"), Active: true, Running: true, PID: 6429, Since: at("15:13:14")},
		"waiting": {Digest: digest("waiting"), Active: true, LastExit: &Exit{Code: 7, Time: at("15:13:15")}},
		"exec-failed": {Digest: digest("exec-failed"), Active: true, LastExit: &Exit{Code: 203, Time: at("15:13:18")},
			Problem: "the program cannot be executed (is it there, executable, and for this processor?)"},
		"restarted": {Digest: digest("restarted"), Active: true, Running: true, PID: 6604, Since: at("15:13:20"), Restarts: 1,
			LastExit: &Exit{Code: -1, Signal: "killed", Time: at("15:13:20")}},
		"stopped": {Digest: digest("stopped"), Restarts: 1, LastExit: &Exit{Code: -1, Signal: "terminated", Time: at("15:13:22")}},
	}
	for name, want := range cases {
		got := recordedState(t, name).status
		if want.LastExit != nil && got.LastExit != nil {
			assert.True(t, want.LastExit.Time.Equal(got.LastExit.Time), "%s: %s", name, got.LastExit.Time)
			want.LastExit.Time = got.LastExit.Time
		}
		want.Name, want.LogFile = "rec", log
		assert.Equal(t, want, got, name)
	}
	masked := recordedState(t, "masked").status
	assert.Equal(t, []string{"jomctl-rec.service is masked"}, masked.Drift)
	assert.True(t, strings.HasPrefix(masked.Digest, "altered-"))
	assert.Equal(t, Status{Name: "rec"}, recordedState(t, "unknown").status)
}

func TestStatesAreReadOneByOne(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join("testdata", "systemd", name+".txt"))
		require.NoError(t, err)
		return strings.TrimSuffix(string(text), "=== end\n")
	}
	states, err := parseStates(read("running") + read("masked") + read("waiting") + "=== end\n")
	require.NoError(t, err)
	require.Len(t, states, 3)
	assert.True(t, states[0].status.Running)
	assert.Empty(t, states[0].status.Drift)
	assert.Empty(t, states[2].status.Drift)
	states, err = parseStates("=== end\n")
	require.NoError(t, err)
	assert.Empty(t, states)
	_, err = parseStates(read("running"))
	require.ErrorContains(t, err, "cut off")
	_, err = parseStates(strings.Replace(read("running"), "MainPID=6429", "MainPID=x", 1) + "=== end\n")
	require.ErrorContains(t, err, "unit rec: MainPID=x is no number")
}

func TestDriftOfAService(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "systemd", "running.txt"))
	require.NoError(t, err)
	cases := []struct {
		old, new, says string
		altered        bool
	}{
		{"ExecStart=/bin/sh", "ExecStart=/bin/bash", "/etc/systemd/system/jomctl-rec.service was changed", true},
		{"EnvSum=", "EnvSum=0", "/etc/jomctl/rec.env was changed", true},
		{"EnvMode=600", "EnvMode=644", "has mode 644", false},
		{"NeedDaemonReload=no", "NeedDaemonReload=yes", "daemon-reload", false},
		{"UnitFileState=enabled", "UnitFileState=disabled", "not started with the host (disabled)", false},
		{"DropInPaths=", "DropInPaths=/etc/x.conf", "/etc/x.conf changes the unit", true},
		{"FragmentPath=/etc", "FragmentPath=/run", "takes the place of", true},
	}
	digest := recordedState(t, "running").status.Digest
	for _, c := range cases {
		states, err := parseStates(strings.Replace(string(text), c.old, c.new, 1))
		require.NoError(t, err)
		assert.Contains(t, strings.Join(states[0].status.Drift, "; "), c.says)
		assert.Equal(t, !c.altered, states[0].status.Digest == digest, c.says)
	}
	between := strings.Replace(string(text), "ActiveState=active", "ActiveState=deactivating", 1)
	for job, active := range map[string]bool{"Job=": true, "Job=77\nJobType=stop": false, "Job=77\nJobType=restart": true} {
		states, err := parseStates(strings.Replace(between, "Job=", job, 1))
		require.NoError(t, err)
		assert.Equal(t, active, states[0].status.Active, "a program that ended by itself is still being kept running; %s", job)
	}
	old := strings.Replace(string(text), "Digest="+digest, "Digest="+strings.Repeat("0", 64), 1)
	states, err := parseStates(old)
	require.NoError(t, err)
	assert.Equal(t, strings.Repeat("0", 64), states[0].status.Digest, "what runs counts, where it was not started anew with the new file")
}

func TestUnitNamesAreChecked(t *testing.T) {
	s := NewSystemd(locals(t, "a1")[0])
	for _, name := range []string{"", "a b", "../x", "a;b", "-x"} {
		_, err := s.Status(t.Context(), name)
		require.ErrorContains(t, err, "the name must be made of", name)
		require.ErrorContains(t, s.Stop(t.Context(), name), "the name must be made of", name)
		require.ErrorContains(t, s.Remove(t.Context(), name), "the name must be made of", name)
		_, err = s.Mask(t.Context(), name)
		require.ErrorContains(t, err, "not the name of a service of others", name)
	}
	assert.Contains(t, ForeignUnits(), "mesos-slave")
}

func TestJournalOfALocalUnit(t *testing.T) {
	r := newRig(t)
	text, err := r.units.Journal(t.Context(), "prog", 10)
	require.NoError(t, err)
	assert.Empty(t, text)
	r.apply(r.unit("for i in 1 2 3 4; do echo line $i; done; exec sleep 1000"))
	r.await("it has written", func() bool {
		text, err = r.units.Journal(t.Context(), "prog", 2)
		require.NoError(t, err)
		return text == "line 3\nline 4\n"
	})
	for lines, want := range map[int]string{0: "", 1: "line 4\n", 4: "line 1\nline 2\nline 3\nline 4\n", 100: "line 1\nline 2\nline 3\nline 4\n"} {
		text, err = r.units.Journal(t.Context(), "prog", lines)
		require.NoError(t, err)
		assert.Equal(t, want, text, "%d lines", lines)
	}
}
