package history_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/home/history"
)

// What the home holds when an order is carried out may be in no commit yet: the controller was killed before, or somebody changed files while none ran.
func TestAnOrderLosesNothing(t *testing.T) {
	s := newSite(t)
	h := filled(s)
	old := s.git("rev-parse", "main")
	h.write("jobs/a/config.xml", "<project>saved, and never committed</project>")
	h.write("jobs/new/config.xml", "<project>new, and never committed</project>")
	require.NoError(t, h.controller().Config.Give(history.Order{Commit: old}))
	h.down(h.up())
	require.Equal(t, "<project>a</project>", h.read("jobs/a/config.xml"))
	require.NoFileExists(t, filepath.Join(h.home(), "jobs/new/config.xml"))
	require.Equal(t, "<project>a</project>", s.git("show", "main:jobs/a/config.xml"))
	all := s.git("log", "-p", "main")
	require.Contains(t, all, "saved, and never committed")
	require.Contains(t, all, "new, and never committed")
	s.oneWriter("main")
}

func TestAnOrderThatCannotBeCarriedOutIsNamed(t *testing.T) {
	h := filled(newSite(t))
	file := h.controller().Config.OrderFile()
	for _, text := range []string{"", "{", `{"commit": "main"}`, `{"commit": "00000000000000000000000000000000000000ff"}`} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		err := h.controller().Open(t.Context())
		require.ErrorContains(t, err, file)
		require.ErrorContains(t, err, "remove that file")
	}
}
