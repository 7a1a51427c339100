package cli

import (
	"context"

	"github.com/jomctl/jomctl/bundles"
)

// checkLinks opens war and plugins.
func checkLinks(_ context.Context, _ *bundles.Release, files []releaseFile) (linkAnswer, error) {
	answer := linkAnswer{Broken: []string{}, Notes: []string{}, Summary: "not checked"}
	return answer, nil
}
