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

func TestWithYesLossesAreSaidInFull(t *testing.T) {
	b := newBench(t)
	lost := []string{"lost on a1: build 1", "lost on a1: build 2", "lost on a1: build 3", "lost on a1: build 4", "lost on a1: build 5", "lost on a1: build 6"}
	b.changes = map[string][]string{"one": append([]string{"write agent.env"}, lost...), "two": {"write b"}}
	_, err := b.ok("build", "--yes")
	require.Contains(t, err, "build: 3 of 3 steps to do\n  make one\n          "+strings.Join(lost, "\n          ")+"\n")
	require.NotContains(t, err, "write")

	b = newBench(t)
	b.changes = map[string][]string{"one": {"remove 1", "remove 2", "remove 3", "remove 4", "remove 5", "remove 6"}, "three": {"stop mesos-master on m4 for good"}}
	_, err = b.ok("control", "add", "--yes")
	require.Contains(t, err, "remove 6\n  make three\n          stop mesos-master on m4 for good\n", "of a change of control hosts, everything")

	b = newBench(t)
	_, err = b.ok("build", "--yes")
	require.NotContains(t, err, "+ one", "what takes nothing away is not repeated")
}
