package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/status"
)

func TestStatusSaysWhoOwnsTheHomeAndWhatIsSafe(t *testing.T) {
	now := time.Now()
	text := func(h *status.Home, b *status.Backup) string {
		var out strings.Builder
		homeText(&out, status.Report{Checked: now, Controller: status.Controller{Home: h}, Backup: b})
		return out.String()
	}
	require.Empty(t, text(nil, nil))
	require.Contains(t, text(&status.Home{Epoch: 3, Owner: "a1", LastPush: now}, nil), "Home: epoch 3 on a1, everything pushed, last ")
	require.Contains(t, text(&status.Home{Epoch: 3, Unpushed: now.Add(-90 * time.Second)}, nil), "changes since 1m30s not pushed")
	require.Contains(t, text(nil, &status.Backup{Repository: "/b"}), "Backup: /b, none counts")
	require.Contains(t, text(nil, &status.Backup{Repository: "/b", Good: now, GoodID: "0123456789abcdef"}), "the last that counts is 01234567 of ")
}
