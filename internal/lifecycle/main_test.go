package lifecycle

import (
	"context"
	"os"
	"testing"

	"github.com/jomctl/jomctl/internal/host"
)

// TestMain lets the test binary be the supervisor, as jomctl is.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "supervise" {
		os.Exit(host.Supervise(context.Background(), os.Args[2]))
	}
	os.Exit(m.Run())
}
