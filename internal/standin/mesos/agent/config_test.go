package agent

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func configOf(t *testing.T, args ...string) (config, error) {
	t.Helper()
	f := newFlags()
	require.NoError(t, f.load(append([]string{"--work_dir=" + t.TempDir(), "--runtime_dir=" + t.TempDir()}, args...), nil))
	return newConfig(f)
}

func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		name                         string
		args                         []string
		listen, advertised, hostname string
	}{
		{"given", []string{"--ip=127.0.10.11", "--hostname=host", "--port=5061"}, "127.0.10.11:5061", "127.0.10.11", "host"},
		{"no lookup", []string{"--ip=127.0.10.11", "--no-hostname_lookup"}, "127.0.10.11:5051", "127.0.10.11", "127.0.10.11"},
		{"advertised", []string{"--ip=127.0.0.1", "--advertise_ip=10.9.8.7", "--no-hostname_lookup"}, "127.0.0.1:5051", "10.9.8.7", "10.9.8.7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, err := configOf(t, c.args...)
			require.NoError(t, err)
			assert.Equal(t, []string{c.listen, c.advertised, c.hostname}, []string{cfg.listen, cfg.advertised, cfg.info.Hostname})
		})
	}
	t.Run("of every interface, the host's", func(t *testing.T) {
		cfg, err := configOf(t, "--ip=0.0.0.0", "--hostname=h")
		require.NoError(t, err)
		assert.NotContains(t, []string{"", "0.0.0.0"}, cfg.advertised)
	})
	t.Run("not an address", func(t *testing.T) {
		_, err := configOf(t, "--ip=host")
		assert.ErrorContains(t, err, "not an IP address")
	})
	t.Run("the environment of libprocess", func(t *testing.T) {
		t.Setenv("LIBPROCESS_IP", "127.0.10.12")
		cfg, err := configOf(t, "--hostname=h")
		require.NoError(t, err)
		assert.Equal(t, "127.0.10.12:5051", cfg.listen)
	})
}

func TestNumbers(t *testing.T) {
	cfg, err := configOf(t, "--ip=127.0.0.1", "--recovery_timeout=2mins", "--executor_shutdown_grace_period=1500ms", "--containerizers=docker,mesos")
	require.NoError(t, err)
	assert.Equal(t, 2*time.Minute, cfg.recoveryTimeout)
	assert.Equal(t, 1500*time.Millisecond, cfg.shutdownGrace)
	assert.True(t, cfg.docker)
	for _, bad := range []string{"--port=x", "--port=70000", "--max_completed_executors_per_framework=-1", "--zk_session_timeout=10", "--launcher=nosuch"} {
		_, err := configOf(t, "--ip=127.0.0.1", bad)
		assert.Error(t, err, bad)
	}
}

func TestExecutorEnvironmentFlag(t *testing.T) {
	file := filepath.Join(t.TempDir(), "env.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"PATH":"/bin"}`), 0o600))
	for _, text := range []string{`{"PATH":"/bin"}`, file, "file://" + file} {
		env, err := parseExecutorEnvironment(text)
		require.NoError(t, err, text)
		assert.Equal(t, map[string]string{"PATH": "/bin"}, env)
	}
	for _, text := range []string{"{", `{"A":1}`, `[]`, "/no/such/file"} {
		_, err := parseExecutorEnvironment(text)
		assert.Error(t, err, text)
	}
}

func TestCompatible(t *testing.T) {
	base := func(change func(*mesos.AgentInfo)) mesos.AgentInfo {
		attributes, err := parseAttributes("rack:a")
		require.NoError(t, err)
		info := mesos.AgentInfo{Hostname: "h", Port: p(int32(5051)), Attributes: attributes, Resources: []mesos.Resource{scalar("cpus", 2, "*")}}
		if change != nil {
			change(&info)
		}
		return info
	}
	for _, c := range []struct {
		name            string
		change          func(*mesos.AgentInfo)
		equal, additive bool
	}{
		{"the same", nil, true, true},
		{"another name", func(i *mesos.AgentInfo) { i.Hostname = "other" }, false, false},
		{"another port", func(i *mesos.AgentInfo) { i.Port = p(int32(1)) }, false, false},
		{"less", func(i *mesos.AgentInfo) { i.Resources[0].Scalar.Value = 1 }, false, false},
		{"more", func(i *mesos.AgentInfo) { i.Resources[0].Scalar.Value = 3 }, false, true},
		{"a new resource", func(i *mesos.AgentInfo) { i.Resources = append(i.Resources, scalar("mem", 1, "*")) }, false, true},
		{"an attribute gone", func(i *mesos.AgentInfo) { i.Attributes = nil }, false, false},
		{"an attribute changed", func(i *mesos.AgentInfo) { i.Attributes[0].Text = &mesos.Value_Text{Value: "b"} }, false, false},
		{"an attribute more", func(i *mesos.AgentInfo) {
			i.Attributes = append(i.Attributes, mesos.Attribute{Name: "zone", Type: mesos.TEXT, Text: &mesos.Value_Text{Value: "z"}})
		}, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.equal, compatible(base(nil), base(c.change), "equal") == nil)
			assert.Equal(t, c.additive, compatible(base(nil), base(c.change), "additive") == nil)
		})
	}
}

func TestExecutorNames(t *testing.T) {
	for _, c := range []struct {
		command mesos.CommandInfo
		wanted  string
	}{
		{mesos.CommandInfo{Value: p("exit 7")}, "Command Executor (Task: t) (Command: sh -c 'exit 7')"},
		{mesos.CommandInfo{Value: p(`trap "" TERM; sleep 9`)}, `Command Executor (Task: t) (Command: sh -c 'trap "" TERM...')`},
		{mesos.CommandInfo{Shell: p(false), Value: p("/bin/x"), Arguments: []string{"x", "y"}}, "Command Executor (Task: t) (Command: /bin/x x y)"},
	} {
		one := &task{info: mesos.TaskInfo{TaskID: mesos.TaskID{Value: "t"}, Command: &c.command}}
		assert.Equal(t, c.wanted, executorName(one))
	}
}

func TestFileModes(t *testing.T) {
	for mode, wanted := range map[os.FileMode]string{0o644: "-rw-r--r--", os.ModeDir | 0o755: "drwxr-xr-x", os.ModeNamedPipe | 0o600: "prw-------", os.ModeSocket | 0o700: "srwx------"} {
		assert.Equal(t, wanted, modeText(mode))
	}
}
