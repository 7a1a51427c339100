package jenkins

import (
	"context"
	"net/http"
	"testing"

	"github.com/bndr/gojenkins"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// These are the library's faults themselves. A test that fails here says that the library has got better, and that a
// part of the fence is no longer needed.

func bare(base string) *gojenkins.Jenkins {
	library := gojenkins.CreateJenkins(&http.Client{}, base, "admin", "secret")
	library.Raw = new(gojenkins.ExecutorResponse)
	return library
}

func TestLibraryPanicsOnAPostToADeadServer(t *testing.T) {
	library := bare(deadBase(t))
	assert.Panics(t, func() { _, _ = library.DeleteJob(context.Background(), "x") })
}

func TestLibraryCallsEverythingAnInvalidCharacter(t *testing.T) {
	f := newJenkins(t)
	_, err := bare(f.URL).GetJob(context.Background(), "missing")
	assert.ErrorContains(t, err, "invalid character '<'", "a 404")
	f.phase = "starting"
	_, err = bare(f.URL).GetJob(context.Background(), "missing")
	assert.ErrorContains(t, err, "invalid character '<'", "a 503")
}

func TestLibraryLosesTheSessionBehindALoadBalancer(t *testing.T) {
	f := newJenkins(t)
	_, err := bare(f.URL).CreateJob(context.Background(), "<project/>", "one")
	require.Error(t, err, "it sends the first cookie back, which is the load balancer's")
	assert.Empty(t, f.jobs)
	require.NoError(t, f.client().EnsureJob(context.Background(), "one", "<project/>"))
	assert.NotEmpty(t, f.jobs)
}

func TestLibraryBuildsGarbageURLsBehindAnotherRoot(t *testing.T) {
	f := newJenkins(t)
	f.jobs["one"] = "<project/>"
	_, err := bare(f.URL).GetBuild(context.Background(), "one", 1)
	assert.Error(t, err)
	assert.Zero(t, f.seen("GET /job/one//1/api/json"))
}

func TestLibrarySaysNothingOfAJobThatWaits(t *testing.T) {
	f := newJenkins(t)
	f.wait = 100
	c := f.client()
	require.NoError(t, c.EnsureJob(context.Background(), "one", "<project/>"))
	_, err := c.StartBuild(context.Background(), "one")
	require.NoError(t, err)
	id, err := bare(f.URL).BuildJob(context.Background(), "one", nil)
	require.NoError(t, err)
	assert.Zero(t, id)
}

func TestFenceAnswersCrumbRequestsItself(t *testing.T) {
	f := newJenkins(t)
	c := f.client()
	require.NoError(t, c.EnsureJob(context.Background(), "one", "<project/>"))
	require.NoError(t, c.DeleteJob(context.Background(), "one"))
	assert.Equal(t, 1, f.seen("GET /crumbIssuer"), "one for the session, and none of the library's")
	assert.Zero(t, f.seen("GET /crumbIssuer/api/json/api/json"))
}
