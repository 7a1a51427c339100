package dashboard

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestJournalsBecomeEntries(t *testing.T) {
	dir := t.TempDir()
	line := func(second int, rest string) string {
		return fmt.Sprintf(`{"time":%q,%s}`+"\n", seen().Add(time.Duration(second)*time.Second).Format(time.RFC3339), rest)
	}
	begin := line(0, `"kind":"begin-run","meta":{"verb":"install","user":"ann","host":"desk"}`) + line(1, `"kind":"begin","step":"zookeeper"`)
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("20261121T120000.000-install.jsonl", begin+line(5, `"kind":"end","step":"zookeeper"`)+line(6, `"kind":"end-run","outcome":"done"`))
	write("20261121T130000.000-install.jsonl", begin+line(5, `"kind":"failed","step":"zookeeper","error":"no java"`)+line(6, `"kind":"end-run","outcome":"failed","error":"step zookeeper: no java"`))
	write("20261121T140000.000-install.jsonl", begin)
	write("20261121T110000.000-install.jsonl", "nonsense\n"+begin)

	entries, err := (&Journals{Dir: dir}).Entries(t.Context())
	require.ErrorContains(t, err, "20261121T110000.000-install.jsonl", "what cannot be read is said, and the rest is shown")
	require.Len(t, entries, 3)
	cut, failed, done := entries[0], entries[1], entries[2]
	require.Equal(t, []any{"cut off", true, "stopped"}, []any{cut.Outcome, cut.Bad, cut.Spans[0].Outcome})
	require.Equal(t, []any{"failed", true, "by ann@desk: step zookeeper: no java"}, []any{failed.Outcome, failed.Bad, failed.Note})
	require.Equal(t, []any{"done", false, "install"}, []any{done.Outcome, done.Bad, done.Title})
	require.Equal(t, 4*time.Second, done.Spans[0].End.Sub(done.Spans[0].Begin))

	entries, _ = (&Journals{Dir: dir, Running: func() bool { return true }}).Entries(t.Context())
	require.Equal(t, []any{"running", true, "by ann@desk; now: zookeeper"}, []any{entries[0].Outcome, entries[0].End.IsZero(), entries[0].Note})

	entries, err = (&Journals{Dir: filepath.Join(dir, "none")}).Entries(t.Context())
	require.NoError(t, err)
	require.Empty(t, entries)
}
