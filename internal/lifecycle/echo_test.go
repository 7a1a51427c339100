package lifecycle

import (
	"encoding/json"
	"maps"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
)

// echo is a document that was given to a real Marathon 1.11.26, and the app that it showed then.
type echo struct {
	Document map[string]any `json:"document"`
	App      map[string]any `json:"app"`
}

func diff(t *testing.T, document, app any) []string {
	t.Helper()
	want, err := json.Marshal(document)
	require.NoError(t, err)
	have, err := json.Marshal(app)
	require.NoError(t, err)
	lines, err := cluster.Diff(want, have)
	require.NoError(t, err)
	return lines
}

// What Marathon adds of its own must not look like a change, or every second install would restart the controller.
func TestASecondInstallSeesNoChangeInWhatMarathonShows(t *testing.T) {
	data, err := os.ReadFile("testdata/echo.json")
	require.NoError(t, err)
	var all []echo
	require.NoError(t, json.Unmarshal(data, &all))
	require.Len(t, all, 6)
	added := map[string]any{}
	for _, e := range all {
		require.Empty(t, diff(t, e.Document, e.App), e.Document["id"])
		maps.Copy(added, e.App)
	}

	// The controller's own document, with all the fields that any app was shown with and its list of checks as completed.
	doc := document(t, environment(t, lifecycletest.Local(t, "")).controller())
	app := maps.Clone(added)
	for _, theirs := range []string{"args", "fetch", "user", "acceptedResourceRoles"} { // somebody had asked for them
		delete(app, theirs)
	}
	maps.Copy(app, doc)
	check := maps.Clone(doc["healthChecks"].([]any)[0].(map[string]any))
	check["ipProtocol"] = "IPv4"
	app["healthChecks"] = []any{check}
	require.Empty(t, diff(t, doc, app))
	check["gracePeriodSeconds"] = 1.0
	require.Len(t, diff(t, doc, app), 1, "a change is still seen")
}
