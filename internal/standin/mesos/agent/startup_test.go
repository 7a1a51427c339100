package agent

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStartsThatFail(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer busy.Close()
	_, port, _ := net.SplitHostPort(busy.Addr().String())
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	all := func(more ...string) []string {
		return append([]string{
			"--master=127.0.0.1:1", "--work_dir=" + dir + "/w", "--runtime_dir=" + dir + "/r", "--ip=127.0.0.1", "--port=0", "--no-systemd_enable_support",
		}, more...)
	}
	for _, c := range []struct {
		name string
		args []string
		code int
		text string
	}{
		{"nothing", nil, 1, "Flag 'work_dir' is required, but it was not provided\n\nSee `mesos-agent --help` for a list of supported flags.\n"},
		{"no master", []string{"--work_dir=" + dir}, 1, "EXIT with status 1: Missing required option `--master` or `--master_detector`"},
		{"unknown flag", all("--nosuchflag=1"), 1, "Failed to load unknown flag 'nosuchflag'\n\nSee `mesos-agent --help`"},
		{"unknown negation", all("--no-such"), 1, "Failed to load unknown flag 'no-such'"},
		{"text without value", all("--attributes"), 1, "Failed to load non-boolean flag 'attributes'"},
		{"twice", all("--port=1"), 1, "Flag 'port' is already loaded via command line"},
		{"bool with a word", all("--strict=maybe"), 1, "Expecting a boolean"},
		{"bad resources", all("--resources=cpus=1"), 1, "EXIT with status 1: Failed to determine agent resources: Bad value for resources, missing or extra ':' in cpus=1"},
		{"bad attributes", all("--attributes=rack"), 134, "Invalid attribute key:value pair 'rack'"},
		{"set attribute", all("--attributes=a:1;c:{x,y}"), 134, "Bad type for attribute c text {x,y} type 2"},
		{"bad isolation", all("--isolation=nosuch"), 1, "Unknown or unsupported isolator 'nosuch'"},
		{"bad containerizer", all("--containerizers=rocket"), 1, "Unknown or unsupported containerizer: rocket"},
		{"bad duration", all("--gc_delay=5"), 1, "Failed to load flag 'gc_delay'"},
		{"bad environment", all("--executor_environment_variables={"), 1, "executor_environment_variables"},
		{"authentication", all("--authenticate_http_readonly"), 1, "The stand-in leaves out authentication (--authenticate_http_readonly)"},
		{"modules", all("--modules={}"), 1, "The stand-in leaves out --modules"},
		{"bad domain", all("--domain={"), 1, "Failed to load flag 'domain'"},
		{"zookeeper without path", append(all()[1:], "--master=zk://127.0.0.1:1"), 1, "Failed to create a master detector: Expecting a (chroot) path for ZooKeeper ('/' is not supported)"},
		{"work_dir below a file", append(all()[:1], "--work_dir="+file+"/w", "--runtime_dir="+dir, "--ip=127.0.0.1", "--port=0", "--no-systemd_enable_support"), 1,
			"EXIT with status 1: Failed to create directory '" + file + "/w/meta/slaves'"},
		{"work_dir is a device", append(all()[:1], "--work_dir=/dev/full", "--runtime_dir="+dir, "--ip=127.0.0.1", "--port=0", "--no-systemd_enable_support"), 1, "EXIT with status 1: Failed to create directory"},
		{"port in use", append(all()[:4], "--port="+port), 134, "Failed to initialize: Failed to bind on 127.0.0.1:" + port + ": Address already in use"},
		{"foreign ip", append(all()[:3], "--ip=192.0.2.1", "--port=5051"), 134, "Failed to initialize: Failed to bind on 192.0.2.1:5051: Cannot assign requested address"},
	} {
		t.Run(c.name, func(t *testing.T) {
			agent := startProgram(t, dir, "", c.args...)
			assert.Equal(t, c.code, agent.code())
			assert.Contains(t, agent.log(), c.text)
		})
	}
}

func TestHelpAndVersion(t *testing.T) {
	help := startProgram(t, "", "", "--help")
	assert.Equal(t, 0, help.code())
	assert.Contains(t, help.log(), "--work_dir=VALUE")
	version := startProgram(t, "", "", "--version")
	assert.Equal(t, 0, version.code())
	assert.Equal(t, "mesos 1.11.0 (stand-in)\n", version.log())
}

func TestFlagForms(t *testing.T) {
	f := newFlags()
	require.NoError(t, f.load(
		[]string{"--no-strict", "--switch_user=false", "--quiet", "--allowed_capabilities={}", "--ip=127.0.0.1"},
		[]string{"MESOS_PORT=6000", "MESOS_IP=127.0.0.9", "MESOS_NOSUCH=1", "OTHER=2"},
	))
	assert.False(t, f.is("strict"))
	assert.False(t, f.is("switch_user"))
	assert.True(t, f.is("quiet"))
	assert.Equal(t, "{}", f.get("effective_capabilities"), "the old name of a flag")
	assert.Equal(t, "6000", f.get("port"))
	assert.Equal(t, "127.0.0.1", f.get("ip"), "the command line wins")
	assert.Equal(t, "1weeks", f.shown()["gc_delay"])
	assert.NotContains(t, f.shown(), "acls")
}

func TestDurations(t *testing.T) {
	for text, wanted := range map[string]string{"90secs": "1.5mins", "15mins": "15mins", "32secs": "32secs", "2500ms": "2.5secs", "0ns": "0ns", "1weeks": "1weeks"} {
		value, err := parseDuration(text)
		require.NoError(t, err)
		assert.Equal(t, wanted, formatDuration(value))
	}
	for _, text := range []string{"", "5", "5 seconds", "5s", "secs"} {
		_, err := parseDuration(text)
		assert.Error(t, err, text)
	}
}
