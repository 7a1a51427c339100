package jenkins

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/jomctl/jomctl/internal/standin/mesos/agent"
	"github.com/jomctl/jomctl/internal/standin/mesos/master"
)

// The test's own program is the stand-in: under these names and with this variable it runs what cmd/standin would.
const runVariable = "JOMCTL_TEST_RUN"

func TestMain(m *testing.M) {
	name := filepath.Base(os.Args[0])
	if run := mesosPrograms[name]; run != nil {
		os.Exit(run(os.Args[1:]))
	}
	switch {
	case name == "java":
		os.Exit(JavaMain(os.Args[1:]))
	case os.Getenv(runVariable) == "jenkins":
		os.Exit(Main(os.Args[1:]))
	}
	// These tests wait for other processes more than they compute.
	flag.Parse()
	_ = flag.Set("test.parallel", "6")
	os.Exit(m.Run())
}

var mesosPrograms = map[string]func([]string) int{"mesos-master": master.Main, "mesos-agent": agent.Main, "mesos-executor": agent.ExecutorMain}
