package jenkins

import (
	"os"
	"path/filepath"
	"testing"
)

// The test's own program is the stand-in: under these names and with this variable it runs what cmd/standin would.
const runVariable = "JOMCTL_TEST_RUN"

func TestMain(m *testing.M) {
	switch {
	case filepath.Base(os.Args[0]) == "java":
		os.Exit(JavaMain(os.Args[1:]))
	case os.Getenv(runVariable) == "jenkins":
		os.Exit(Main(os.Args[1:]))
	}
	os.Exit(m.Run())
}
