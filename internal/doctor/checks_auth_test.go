package doctor

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
)

func TestDoorsThatAreOpenAgainstTheFile(t *testing.T) {
	for name, c := range map[string]struct {
		marathon int
		flags    string
		want     []string
		couldNot int
	}{
		"closed":    {401, `{"flags":{"authenticate_agents":"true","authenticate_frameworks":"true"}}`, nil, 0},
		"open":      {200, `{"flags":{"authenticate_agents":"false"}}`, []string{"answers without a password", "asks agents and frameworks for no credential"}, 0},
		"half open": {401, `{"flags":{"authenticate_agents":"true","authenticate_frameworks":"false"}}`, []string{"asks frameworks for no credential"}, 0},
		"unwell":    {503, `no JSON`, nil, 2},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _, shown := r.BasicAuth()
				assert.False(t, shown, "a stranger has no password")
				if r.URL.Path == "/ping" {
					w.WriteHeader(c.marathon)
					return
				}
				_, _ = io.WriteString(w, c.flags)
			}))
			t.Cleanup(server.Close)
			in := healthy().inputs(t)
			in.Raw = Raw{Masters: []string{server.URL}, Marathons: []string{server.URL}, MarathonUser: "admin", MarathonPassword: "topsecretvalue"}
			look := func() Result {
				checks := slices.DeleteFunc(Checks(), func(c Check) bool { return c.ID != "doors" })
				return run(context.Background(), in, checks, 1)[0]
			}
			require.Empty(t, look().Findings, "nobody wants them closed")
			in.Cluster.Components.Mesos.Authentication, in.Cluster.Components.Marathon.BasicAuth = true, &config.BasicAuth{User: "admin"}
			result := look()
			require.Len(t, result.Findings, len(c.want))
			for i, want := range c.want {
				assert.Contains(t, result.Findings[i].Problem, want)
				assert.Contains(t, result.Findings[i].Fix, "`jomctl install`")
			}
			assert.Len(t, result.CouldNot, c.couldNot)
		})
	}
}
