package probe

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whoever else answers in a service's place, a proxy or a page of the edge, is not taken for it, and what it said is told.
func TestOddAnswersAreNoService(t *testing.T) {
	page := func(code int, text string, headers ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i+1 < len(headers); i += 2 {
				w.Header().Set(headers[i], headers[i+1])
			}
			w.WriteHeader(code)
			_, _ = w.Write([]byte(text))
		}
	}
	for name, test := range map[string]struct {
		answer                               http.HandlerFunc
		edge, api, marathon, task, mesos, fw string // "ok", or the detail; - where nothing is said
	}{
		"a proxy's page":     {page(200, "<html>Welcome</html>"), "ok", "HTTP 200", "not the JSON that was expected", "-", "not the JSON that was expected", "no master leads"},
		"a proxy's error":    {page(502, "<html>Bad gateway</html>"), "HTTP 502", "HTTP 502", "HTTP 502", "-", "HTTP 502", "no master leads"},
		"a full edge":        {page(503, "No server is available"), "HTTP 503", "HTTP 503", "HTTP 503", "-", "HTTP 503", "no master leads"},
		"Jenkins that boots": {page(503, "x", "X-Jenkins", "2.5"), "starting", "HTTP 503", "HTTP 503", "-", "HTTP 503", "no master leads"},
		"a login elsewhere":  {page(302, "", "Location", "http://sso.example/"), "HTTP 302", "HTTP 302", "HTTP 302", "-", "HTTP 302", "no master leads"},
		"empty JSON":         {page(200, "{}", "X-Jenkins", "2.5"), "ok", "ok", "ok", "no task", "ok", "not registered"},
		"JSON of another":    {page(200, `{"tasks":"none","get_frameworks":[]}`), "ok", "HTTP 200", "not the JSON that was expected", "-", "not the JSON that was expected", "no master leads"},
		"half of it":         {page(200, `{"tasks":[`), "ok", "HTTP 200", "not the JSON that was expected", "-", "not the JSON that was expected", "no master leads"},
		"no app, in JSON":    {page(404, `{"message":"no app"}`), "HTTP 404", "HTTP 404", "ok", "there is no app /ci/jenkins", "HTTP 404", "no master leads"},
		"cut off":            {page(200, `{}`, "Content-Length", "100"), "unexpected EOF", "unexpected EOF", "unexpected EOF", "-", "unexpected EOF", "no master leads"},
		"without end":        {page(200, `{"tasks":[`+strings.Repeat(`{"id":"x"},`, maxAnswer/10)), "ok", "HTTP 200", "not the JSON that was expected", "-", "not the JSON that was expected", "no master leads"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(test.answer)
			t.Cleanup(server.Close)
			p := New(Config{URL: server.URL + "/", Marathons: []string{server.URL + "/"}, Masters: []string{strings.TrimPrefix(server.URL, "http://")}, AppID: "/ci/jenkins", FrameworkID: "f1", FrameworkName: "jenkins"})
			said := map[string]string{Task: "-"}
			for _, samples := range [][]Sample{p.askEdge(t.Context()), p.askAPI(t.Context()), p.askMarathon(t.Context()), p.askMesos(t.Context())} {
				for _, s := range samples {
					if said[s.Target] = s.Detail; s.OK {
						require.Empty(t, s.Detail)
						said[s.Target] = "ok"
					}
				}
			}
			for target, want := range map[string]string{Edge: test.edge, API: test.api, Marathon: test.marathon, Task: test.task, Mesos: test.mesos, Framework: test.fw} {
				require.Contains(t, said[target], want, target)
			}
		})
	}
}

func TestALoginThatCannotBeReadIsSaid(t *testing.T) {
	asked := false
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	t.Cleanup(server.Close)
	p := New(Config{Marathons: []string{server.URL}, Login: func() (string, string, error) { return "", "", errors.New("the file is gone") }})
	samples := p.askMarathon(t.Context())
	require.Len(t, samples, 1, "nothing is known of the task")
	require.False(t, samples[0].OK)
	require.Equal(t, "reading the login: the file is gone", samples[0].Detail)
	require.False(t, asked)
}
