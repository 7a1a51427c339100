package marathon

import (
	"context"
	"net/http"
	"testing"
	"time"

	gomarathon "github.com/gambol99/go-marathon"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

func library(t *testing.T, urls string) gomarathon.Marathon {
	t.Helper()
	config := gomarathon.NewDefaultConfig()
	config.URL = urls
	config.HTTPClient = &http.Client{Timeout: time.Minute}
	config.HTTPSSEClient = &http.Client{}
	config.EventsTransport = gomarathon.EventsTransportSSE
	client, err := gomarathon.NewClient(config)
	require.NoError(t, err)
	return client
}

func errCode(t *testing.T, err error) int {
	t.Helper()
	var api *gomarathon.APIError
	require.ErrorAs(t, err, &api)
	return api.ErrCode
}

// TestClientLibrary repeats what the client library did with a real Marathon, through a leader and a standby.
func TestClientLibrary(t *testing.T) {
	t.Parallel()
	z := testkit.StartZooKeeper(t)
	cluster := newCluster(t)
	leader := launch(t, z.Addr, "http://"+cluster.addr)
	leader.ready()
	standby := launch(t, z.Addr, "http://"+cluster.addr)
	standby.ready()
	client := library(t, standby.url+","+leader.url)
	ok, err := client.Ping()
	require.NoError(t, err)
	assert.True(t, ok)
	info, err := client.Info()
	require.NoError(t, err)
	assert.Equal(t, "1.11.26", info.Version)
	assert.NotEmpty(t, info.FrameworkID)
	name, err := client.Leader()
	require.NoError(t, err)
	assert.Equal(t, leader.url, "http://"+name)
	events, err := client.AddEventsListener(gomarathon.EventIDApplications | gomarathon.EventIDDeploymentSuccess)
	require.NoError(t, err)
	app := gomarathon.NewDockerApplication().Name("/gm/web").CPU(0.1).Memory(32).Count(2)
	app.Container = nil
	app.Command("sleep 100000")
	created, err := client.CreateApplication(app)
	require.NoError(t, err)
	require.Len(t, created.DeploymentIDs(), 1)
	require.NoError(t, client.WaitOnDeployment(created.DeploymentIDs()[0].DeploymentID, patience))
	require.NoError(t, client.WaitOnApplication("/gm/web", patience))
	select {
	case e := <-events:
		assert.NotNil(t, e.Event)
	case <-time.After(patience):
		t.Fatal("no event came through the standby's redirect")
	}
	_, err = client.CreateApplication(app)
	assert.Equal(t, gomarathon.ErrCodeDuplicateID, errCode(t, err))
	t.Run("application", func(t *testing.T) { libraryApplication(t, client) })
	t.Run("tasks", func(t *testing.T) { libraryTasks(t, client) })
	t.Run("deployments and queue", func(t *testing.T) { libraryDeployments(t, client) })
	t.Run("groups", func(t *testing.T) { libraryGroups(t, client) })
	message, err := client.AbdicateLeader()
	require.NoError(t, err)
	assert.Equal(t, "Leadership abdicated", message)
	assert.Equal(t, exitLostLeadership, leader.exit())
	standby.ready()
	assert.NotEmpty(t, standby.output())
}

func libraryApplication(t *testing.T, client gomarathon.Marathon) {
	got, err := client.Application("/gm/web")
	require.NoError(t, err)
	healthy, err := client.ApplicationOK("/gm/web")
	require.NoError(t, err)
	assert.True(t, healthy)
	_, err = client.UpdateApplication(got, false)
	assert.Equal(t, gomarathon.ErrCodeInvalidBean, errCode(t, err), "the document just read carries its version")
	got.Version = ""
	got.VersionInfo = nil
	_, err = client.UpdateApplication(got, false)
	require.NoError(t, err)
	versions, err := client.ApplicationVersions("/gm/web")
	require.NoError(t, err)
	assert.Len(t, versions.Versions, 1)
	old, err := client.ApplicationByVersion("/gm/web", versions.Versions[0])
	require.NoError(t, err)
	assert.Equal(t, "/gm/web", old.ID)
	scaled, err := client.ScaleApplicationInstances("/gm/web", 3, false)
	require.NoError(t, err)
	require.NoError(t, client.WaitOnDeployment(scaled.DeploymentID, patience))
	restarted, err := client.RestartApplication("/gm/web", false)
	require.NoError(t, err)
	require.NoError(t, client.WaitOnDeployment(restarted.DeploymentID, patience))
	_, err = client.Application("/nosuch")
	assert.Equal(t, gomarathon.ErrCodeNotFound, errCode(t, err))
	bad := gomarathon.Application{ID: "/Bad_Id"}
	_, err = client.CreateApplication(&bad)
	assert.Equal(t, gomarathon.ErrCodeInvalidBean, errCode(t, err))
	assert.ErrorContains(t, err, "error.pattern")
}

func libraryTasks(t *testing.T, client gomarathon.Marathon) {
	tasks, err := client.Tasks("/gm/web")
	require.NoError(t, err)
	require.Len(t, tasks.Tasks, 3)
	all, err := client.AllTasks(&gomarathon.AllTasksOpts{Status: "running"})
	require.NoError(t, err)
	assert.Len(t, all.Tasks, 3)
	_, err = client.KillTask(tasks.Tasks[0].ID, nil)
	assert.Equal(t, gomarathon.ErrCodeNotFound, errCode(t, err), "it guesses a wrong app id")
	require.NoError(t, client.KillTasks([]string{tasks.Tasks[0].ID}, nil))
	require.NoError(t, client.WaitOnApplication("/gm/web", patience))
	assert.Equal(t, gomarathon.ErrCodeBadRequest, errCode(t, client.KillTasks([]string{"nosuch"}, nil)))
	killed, err := client.KillApplicationTasks("/gm/web", &gomarathon.KillApplicationTasksOpts{Host: "nosuch"})
	require.NoError(t, err)
	assert.Empty(t, killed.Tasks)
}

func libraryDeployments(t *testing.T, client gomarathon.Marathon) {
	stuck := gomarathon.Application{ID: "/gm/stuck"}
	stuck.Command("sleep 1000").CPU(0.1).AddConstraint("hostname", "LIKE", "nosuch")
	created, err := client.CreateApplication(&stuck)
	require.NoError(t, err)
	list, err := client.Deployments()
	require.NoError(t, err)
	require.Len(t, list, 1)
	_, err = client.ScaleApplicationInstances("/gm/stuck", 3, false)
	assert.Equal(t, gomarathon.ErrCodeAppLocked, errCode(t, err))
	assert.ErrorContains(t, err, created.DeploymentIDs()[0].DeploymentID)
	testkit.Eventually(t, patience, "only that app waits", func(context.Context) bool {
		queue, err := client.Queue()
		return err == nil && len(queue.Items) == 1 && queue.Items[0].Application.ID == "/gm/stuck"
	})
	require.NoError(t, client.DeleteQueueDelay("/gm/stuck"))
	assert.Equal(t, gomarathon.ErrCodeNotFound, errCode(t, client.DeleteQueueDelay("/gm/web")))
	back, err := client.DeleteDeployment(created.DeploymentIDs()[0].DeploymentID, false)
	require.NoError(t, err)
	assert.NotEmpty(t, back.DeploymentID)
	require.NoError(t, client.WaitOnDeployment(back.DeploymentID, patience))
	_, err = client.DeleteDeployment(back.DeploymentID, true)
	assert.Equal(t, gomarathon.ErrCodeNotFound, errCode(t, err))
}

func libraryGroups(t *testing.T, client gomarathon.Marathon) {
	groups, err := client.Groups()
	require.NoError(t, err)
	assert.Len(t, groups.Groups, 1)
	has, err := client.HasGroup("/gm")
	require.NoError(t, err)
	assert.True(t, has)
	require.NoError(t, client.CreateGroup(gomarathon.NewApplicationGroup("/other")))
	deleted, err := client.DeleteGroup("/gm", true)
	require.NoError(t, err)
	require.NoError(t, client.WaitOnDeployment(deleted.DeploymentID, patience))
	_, err = client.DeleteApplication("/gm/web", false)
	assert.Equal(t, gomarathon.ErrCodeNotFound, errCode(t, err))
}
