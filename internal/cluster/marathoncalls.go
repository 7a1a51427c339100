package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	marathon "github.com/gambol99/go-marathon"
)

// MarathonInfo is what the leading Marathon says about itself.
type MarathonInfo struct {
	Name        string
	Version     string
	FrameworkID string
	// Leader is host:port.
	Leader string
	// StandIn says that it is a stand-in and not the real program.
	StandIn bool
}

// Deployed is the answer to a change. Deployment is empty when there was nothing to change; Version is the app's
// version that WaitDeployed has to see.
type Deployed struct {
	Deployment string
	Version    string
}

// Info asks the leading Marathon about itself.
func (m Marathon) Info(ctx context.Context) (MarathonInfo, error) {
	var info MarathonInfo
	a := attempt{what: "ask Marathon about itself", on: m.names()}
	var f *fence
	a.setup = func(used *fence) { f = used }
	a.call = func(c marathon.Marathon) error {
		answer, err := c.Info()
		if err != nil {
			return err
		}
		info = MarathonInfo{Name: answer.Name, Version: answer.Version, FrameworkID: answer.FrameworkID, Leader: answer.Leader}
		var more struct {
			BuildRef string `json:"buildref"`
		}
		_ = json.Unmarshal(f.last.body, &more)
		info.StandIn = isStandIn(more.BuildRef)
		return nil
	}
	err := m.run(ctx, a)
	return info, err
}

// Leader asks who leads (host:port). Without a leader it tries again for Patience.
func (m Marathon) Leader(ctx context.Context) (leader string, err error) {
	err = m.run(ctx, attempt{what: "ask for the leading Marathon", on: m.names(), call: func(c marathon.Marathon) error {
		leader, err = c.Leader()
		var api *marathon.APIError
		if errors.As(err, &api) && api.ErrCode == marathon.ErrCodeNotFound {
			return ErrNoLeader // and not that something does not exist: it is worth another try
		}
		return err
	}})
	return leader, err
}

// Ping is nil when the leader answers. It does not wait.
func (m Marathon) Ping(ctx context.Context) error {
	var last error
	for _, base := range m.URLs {
		last = m.one(ctx, base, attempt{setup: func(f *fence) { f.ping = true }, call: func(c marathon.Marathon) error {
			_, err := c.Ping()
			return err
		}})
		if last == nil {
			return nil
		}
	}
	return failed("ping Marathon", m.names(), last)
}

// App reads one app with its tasks, deployments and last failure; an app that is not there is ErrNotFound.
func (m Marathon) App(ctx context.Context, id string) (app App, err error) {
	var f *fence
	err = m.run(ctx, attempt{what: "read the app", on: id,
		setup: func(used *fence) { f = used },
		call: func(c marathon.Marathon) error {
			answer, err := c.Application(id)
			if err != nil {
				return err
			}
			app, err = appOf(answer, f.last.body)
			return err
		}})
	return app, err
}

// Deploy makes the app what the document says, whether it exists or not: fields that the document leaves out go back
// to their defaults. An app that already is so is left alone, and no deployment starts. The document is sent as it
// is, because the library would lose parts of it.
func (m Marathon) Deploy(ctx context.Context, doc []byte) (Deployed, error) {
	return m.deploy(ctx, doc, false)
}

// DeployForced is Deploy that takes the app away from a deployment that holds it.
func (m Marathon) DeployForced(ctx context.Context, doc []byte) (Deployed, error) {
	return m.deploy(ctx, doc, true)
}

func (m Marathon) deploy(ctx context.Context, doc []byte, force bool) (Deployed, error) {
	var head struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(doc, &head); err != nil || head.ID == "" {
		return Deployed{}, failed("deploy an app", "", fmt.Errorf("its document has no id: %w", err))
	}
	var found App
	same := func() (bool, error) {
		var err error
		if found, err = m.App(ctx, head.ID); err != nil {
			return false, err
		}
		diff, err := Diff(doc, found.Raw)
		return err == nil && len(diff) == 0, err
	}
	unchanged, err := same()
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Deployed{}, err
	}
	if unchanged {
		return Deployed{Version: found.Version, Deployment: first(found.Deployments)}, nil
	}
	var answer *marathon.DeploymentID
	var used *fence
	err = m.run(ctx, attempt{what: "deploy the app", on: head.ID, done: same,
		setup: func(f *fence) { used, f.body, f.query = f, doc, "partialUpdate=false" },
		call: func(c marathon.Marathon) (err error) {
			if answer, err = c.UpdateApplication(&marathon.Application{ID: head.ID}, force); err != nil {
				answer = nil
				return err
			}
			if id := used.last.header.Get("Marathon-Deployment-Id"); id != "" {
				answer.DeploymentID = id
			}
			return nil
		}})
	if err != nil {
		return Deployed{}, err
	}
	if answer == nil { // an answer got lost, the change did not
		return Deployed{Version: found.Version, Deployment: first(found.Deployments)}, nil
	}
	return Deployed{Deployment: answer.DeploymentID, Version: answer.Version}, nil
}

// Delete removes the app and kills its tasks; it is done when the app is gone already.
func (m Marathon) Delete(ctx context.Context, id string) error {
	err := m.run(ctx, attempt{what: "delete the app", on: id, call: func(c marathon.Marathon) error {
		_, err := c.DeleteApplication(id, true)
		return err
	}})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// Scale sets the number of instances; 0 suspends the app. force takes the app away from a running deployment.
func (m Marathon) Scale(ctx context.Context, id string, instances int, force bool) (Deployed, error) {
	app, err := m.App(ctx, id)
	if err != nil {
		return Deployed{}, err
	}
	if app.Instances == instances && len(app.Deployments) == 0 {
		return Deployed{Version: app.Version}, nil
	}
	var answer *marathon.DeploymentID
	err = m.run(ctx, attempt{what: fmt.Sprintf("scale the app to %d", instances), on: id, call: func(c marathon.Marathon) (err error) {
		answer, err = c.ScaleApplicationInstances(id, instances, force)
		return err
	}})
	if err != nil {
		return Deployed{}, err
	}
	return Deployed{Deployment: answer.DeploymentID, Version: answer.Version}, nil
}

// Restart replaces all tasks by new ones of the same document. A restart whose answer got lost is not made twice.
func (m Marathon) Restart(ctx context.Context, id string, force bool) (Deployed, error) {
	before, err := m.App(ctx, id)
	if err != nil {
		return Deployed{}, err
	}
	var after App
	var answer *marathon.DeploymentID
	err = m.run(ctx, attempt{what: "restart the app", on: id,
		done: func() (bool, error) {
			var err error
			after, err = m.App(ctx, id)
			return err == nil && after.Version != before.Version, err
		},
		call: func(c marathon.Marathon) (err error) {
			answer, err = c.RestartApplication(id, force)
			return err
		}})
	if err != nil {
		return Deployed{}, err
	}
	if answer == nil {
		return Deployed{Version: after.Version, Deployment: first(after.Deployments)}, nil
	}
	return Deployed{Deployment: answer.DeploymentID, Version: answer.Version}, nil
}

// KillTasks kills tasks by id; Marathon starts others in their place. Ids that are gone already do no harm.
func (m Marathon) KillTasks(ctx context.Context, ids ...string) error {
	return m.run(ctx, attempt{what: "kill tasks", on: fmt.Sprint(ids), call: func(c marathon.Marathon) error {
		return c.KillTasks(ids, &marathon.KillTaskOpts{})
	}})
}

// Deployment is a running deployment.
type Deployment struct {
	ID      string
	Version string
	Apps    []string
	Step    int
	Steps   int
	Doing   []string // "RestartApplication /jenkins"
}

// Deployments lists what is being deployed; finished ones are not kept anywhere.
func (m Marathon) Deployments(ctx context.Context) (all []Deployment, err error) {
	err = m.run(ctx, attempt{what: "list deployments", on: m.names(), call: func(c marathon.Marathon) error {
		answer, err := c.Deployments()
		all = nil
		for _, d := range answer {
			one := Deployment{ID: d.ID, Version: d.Version, Apps: d.AffectedApps, Step: d.CurrentStep, Steps: d.TotalSteps}
			for _, action := range d.CurrentActions {
				one.Doing = append(one.Doing, action.Action+" "+action.App)
			}
			all = append(all, one)
		}
		return err
	}})
	return all, err
}

// DropDeployment ends a deployment. With undo a rollback of it is started (which can hang like any other), without
// it what is done stays done. One that has ended is no error.
func (m Marathon) DropDeployment(ctx context.Context, id string, undo bool) error {
	err := m.run(ctx, attempt{what: "end the deployment", on: id, call: func(c marathon.Marathon) error {
		_, err := c.DeleteDeployment(id, !undo)
		return err
	}})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// ResetDelay lets a waiting app start at once instead of after its back-off; nothing waiting is no error.
func (m Marathon) ResetDelay(ctx context.Context, id string) error {
	err := m.run(ctx, attempt{what: "reset the launch delay", on: id, call: func(c marathon.Marathon) error {
		return c.DeleteQueueDelay(id)
	}})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// get reads what the library has no call for, through the same fence.
func (m Marathon) get(ctx context.Context, what, path string, out any) error {
	a := attempt{what: what, on: m.names()}
	var f *fence
	a.setup = func(used *fence) { f = used }
	a.call = func(c marathon.Marathon) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.GetMarathonURL()+path, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Accept", "application/json")
		user, password, err := m.login()
		if err != nil {
			return err
		}
		if user != "" {
			req.SetBasicAuth(user, password)
		}
		resp, err := f.RoundTrip(req)
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
		return decode(http.MethodGet, f.last, out)
	}
	return m.run(ctx, a)
}

func lockedBy(body []byte) error {
	var lock struct {
		Deployments []struct {
			ID string `json:"id"`
		} `json:"deployments"`
	}
	_ = json.Unmarshal(body, &lock)
	e := &LockedError{}
	for _, d := range lock.Deployments {
		e.Deployments = append(e.Deployments, d.ID)
	}
	return e
}

func (m Marathon) names() string { return fmt.Sprint(m.URLs) }

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}
