package war

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/bundles"
	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
	"github.com/jomctl/jomctl/internal/op"
)

func TestAWarOfTheUsersOwnIsCopiedAndFetchedAgainWhenItChanges(t *testing.T) {
	c := lifecycletest.Local(t, "jenkins: {war: ./mine.war}\n")
	source := filepath.Join(c.Dir(), "mine.war")
	require.NoError(t, os.WriteFile(source, lifecycletest.War(t, "2.568.2"), 0o600))
	w := Of(c, &bundles.Release{})
	require.True(t, w.Real())
	require.False(t, w.Cached())
	require.NoError(t, w.Fetch(t.Context(), lifecycletest.Quiet))
	require.True(t, w.Cached())

	newer := time.Now().Add(time.Hour)
	require.NoError(t, os.Chtimes(source, newer, newer))
	require.False(t, w.Cached(), "the user has put another war there")
	require.NoError(t, os.Remove(source))
	require.True(t, w.Cached(), "the copy outlives the file")
}

func TestADownloadMustHaveItsChecksum(t *testing.T) {
	data := lifecycletest.War(t, "2.568.3")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/jenkins.war" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(data)
	}))
	defer server.Close()
	c := lifecycletest.Local(t, "jenkins: {war: \""+server.URL+"/jenkins.war\"}\n")

	right := Of(c, &bundles.Release{Core: bundles.Core{SHA256: lifecycletest.SHA256(data)}})
	require.NoError(t, right.Fetch(t.Context(), lifecycletest.Quiet))
	require.True(t, right.Cached())

	wrong := Of(c, &bundles.Release{Core: bundles.Core{SHA256: lifecycletest.SHA256([]byte("another"))}})
	err := wrong.Fetch(t.Context(), lifecycletest.Quiet)
	var refusal *op.Refusal
	require.ErrorAs(t, err, &refusal)
	require.Contains(t, err.Error(), lifecycletest.SHA256(data))
	require.Equal(t, 3, refusal.ExitCode())
	require.NotEmpty(t, refusal.Hint())
	require.NoFileExists(t, wrong.Path(), "nothing that is wrong gets the name")
	leftovers, err := filepath.Glob(filepath.Join(filepath.Dir(wrong.Path()), ".jenkins-*"))
	require.NoError(t, err)
	require.Empty(t, leftovers)

	c.Jenkins.War = server.URL + "/elsewhere.war"
	require.ErrorContains(t, Of(c, &bundles.Release{Core: bundles.Core{SHA256: lifecycletest.SHA256([]byte("x"))}}).Fetch(t.Context(), lifecycletest.Quiet), "404")
}

func TestAFileThatIsNoWarIsRefused(t *testing.T) {
	c := lifecycletest.Local(t, "jenkins: {war: ./mine.war}\n")
	require.NoError(t, os.WriteFile(filepath.Join(c.Dir(), "mine.war"), []byte("<html>not found</html>"), 0o600))
	err := Of(c, &bundles.Release{}).Fetch(t.Context(), lifecycletest.Quiet)
	var refusal *op.Refusal
	require.ErrorAs(t, err, &refusal)
}

func TestTheGivenChecksumOfAFileIsComparedBeforeAnythingIsTouched(t *testing.T) {
	data := lifecycletest.War(t, "2.568.3")
	c := lifecycletest.Local(t, "jenkins: {war: ./mine.war, sha256: "+lifecycletest.SHA256(data)+"}\n")
	source := filepath.Join(c.Dir(), "mine.war")
	require.NoError(t, os.WriteFile(source, data, 0o600))
	require.Empty(t, Of(c, &bundles.Release{}).Preflight())
	require.NoError(t, os.WriteFile(source, append(data, 0), 0o600))
	findings := Of(c, &bundles.Release{}).Preflight()
	require.Len(t, findings, 1)
	require.Contains(t, findings[0].Problem, "want "+lifecycletest.SHA256(data))
}

func TestPluginsOfTheWarAreSeen(t *testing.T) {
	c := lifecycletest.Local(t, "jenkins: {war: ./mine.war}\n")
	require.NoError(t, os.WriteFile(filepath.Join(c.Dir(), "mine.war"), lifecycletest.War(t, "2.568.3", "WEB-INF/plugins/mesos.hpi", "WEB-INF/lib/git.jpi"), 0o600))
	w := Of(c, &bundles.Release{})
	require.Equal(t, []string{"mesos"}, w.Bundled(), "a jar of the war is no plugin")
}

func TestAReleaseThatDoesNotKnowItsWarIsRefused(t *testing.T) {
	c := lifecycletest.Local(t, "release: legacy\njenkins: {war: \"https://get.jenkins.io/war-stable/2.289.3/jenkins.war\"}\n")
	release, err := bundles.Load("legacy")
	require.NoError(t, err)
	w := Of(c, release)
	findings := w.Preflight()
	require.Len(t, findings, 1)
	require.Contains(t, findings[0].Problem, "cannot be verified")
	var refusal *op.Refusal
	require.ErrorAs(t, w.Fetch(t.Context(), lifecycletest.Quiet), &refusal, "nothing was asked of the server")
	c.Jenkins.SHA256 = lifecycletest.SHA256([]byte("known by the user"))
	require.Empty(t, Of(c, release).Preflight())
}

func TestAWarThatWasBroughtIsNotDownloadedAgain(t *testing.T) {
	data := lifecycletest.War(t, "2.568.3")
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	brought := filepath.Join(cache, "jomctl", "releases", lifecycletest.SHA256(data), "jenkins.war")
	require.NoError(t, os.MkdirAll(filepath.Dir(brought), 0o755))
	require.NoError(t, os.WriteFile(brought, data, 0o600))
	c := lifecycletest.Local(t, "jenkins: {war: \"http://127.0.0.1:1/jenkins.war\"}\n")
	w := Of(c, &bundles.Release{Core: bundles.Core{SHA256: lifecycletest.SHA256(data)}})
	require.NoError(t, w.Fetch(t.Context(), lifecycletest.Quiet))
	require.True(t, w.Cached())
}

func TestADownloadThatIsNoWarIsRefused(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("no war")) }))
	defer server.Close()
	c := lifecycletest.Local(t, "jenkins: {war: \""+server.URL+"/jenkins.war\", sha256: "+lifecycletest.SHA256([]byte("no war"))+"}\n")
	w := Of(c, &bundles.Release{})
	var refusal *op.Refusal
	require.ErrorAs(t, w.Fetch(t.Context(), lifecycletest.Quiet), &refusal)
	require.False(t, w.Cached())
}
