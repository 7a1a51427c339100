package cli

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestManyChangesOfOneKindAreCutShort also keeps every line that tells of something else, or of a loss.
func TestManyChangesOfOneKindAreCutShort(t *testing.T) {
	shown := func(changes ...string) string {
		var text strings.Builder
		writeChanges(&text, changes)
		return strings.Join(strings.Fields(text.String()), " ")
	}
	require.Equal(t, "write a write b write c write d", shown("write a", "write b", "write c", "write d"), "one line is not saved by a line that says so")
	require.Equal(t, "write a write b write c the controller is restarted and 2 more (all of them with --plan -o json)",
		shown("write a", "write b", "write c", "write d", "write e", "the controller is restarted"))
	require.Equal(t, "lost 1 lost 2 lost 3 lost 4 lost 5 lost 6", shown("lost 1", "lost 2", "lost 3", "lost 4", "lost 5", "lost 6"))
}
