package contract

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// MasterStartup asserts how mesos-master refuses flags.
func MasterStartup(t *testing.T, launcher Launcher) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer busy.Close()
	_, port, err := net.SplitHostPort(busy.Addr().String())
	require.NoError(t, err)
	work := "--work_dir=" + t.TempDir()
	cases := []struct {
		flags []string
		code  int
		text  string
	}{
		{nil, 1, "EXIT with status 1: --work_dir needed for replicated log based registry"},
		{[]string{"--nosuchflag=1", work}, 1, "Failed to load unknown flag 'nosuchflag'\n\nSee `mesos-master --help` for a list of supported flags."},
		{[]string{"--quorum=abc", work}, 1, "Failed to load flag 'quorum': Failed to load value 'abc': Failed to convert into required type"},
		{[]string{"--zk=zk://127.0.0.1:1/mesos", work, "--ip=127.0.0.1", "--port=0"}, 1, "EXIT with status 1: Need to specify --quorum for replicated log based registry when using ZooKeeper"},
		{[]string{"--zk=127.0.0.1:1/mesos", "--quorum=1", work, "--ip=127.0.0.1", "--port=0"}, 1, "EXIT with status 1: Error parsing ZooKeeper URL: Expecting 'zk://' at the beginning of the URL"},
		{[]string{"--zk=zk://127.0.0.1:1", "--quorum=1", work, "--ip=127.0.0.1", "--port=0"}, 1, "EXIT with status 1: Failed to create a master contender: Expecting a (chroot) path for ZooKeeper ('/' is not supported)"},
		{[]string{"--work_dir=/proc/nope"}, 1, "EXIT with status 1: Failed to create work directory '/proc/nope'"},
	}
	for _, c := range cases {
		output, code := launcher.Run(t, "mesos-master", patience, c.flags...)
		require.Equal(t, c.code, code, "%v: %s", c.flags, output)
		require.Contains(t, output, c.text)
	}
	// Both abort; the status of an abort is 134 in a shell and -1 here for a program that a signal has ended.
	output, code := launcher.Run(t, "mesos-master", patience, work, "--ip=127.0.0.1", "--port="+port)
	require.NotZero(t, code)
	require.Contains(t, output, "Failed to initialize: Failed to bind on 127.0.0.1:"+port+": Address already in use")
	output, code = launcher.Run(t, "mesos-master", patience, work, "--ip=203.0.113.9", "--port="+port)
	require.NotZero(t, code)
	require.Contains(t, output, "Cannot assign requested address")
}
