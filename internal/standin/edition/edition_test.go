package edition_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/standin/edition"
)

func TestVersion(t *testing.T) {
	t.Setenv(edition.Variable, "")
	require.Equal(t, "1.11.0", edition.Version("1.11.0"))
	t.Setenv(edition.Variable, "1.10.0")
	require.Equal(t, "1.10.0", edition.Version("1.11.0"))
}
