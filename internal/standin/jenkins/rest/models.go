package rest

import (
	"slices"
	"strings"

	"github.com/jomctl/jomctl/internal/standin/jenkins/core"
	"github.com/jomctl/jomctl/internal/standin/jenkins/home"
)

// view renders the controller for one request. base is the URL (with a slash) that the url fields begin with. All methods are
// called under the controller's lock.
type view struct {
	c    *core.Controller
	base string
}

var loadNames = strings.Fields("availableExecutors busyExecutors connectingExecutors definedExecutors idleExecutors onlineExecutors queueLength totalExecutors")

func load(class string, total bool) *bean {
	o := object(class)
	names := loadNames
	if total {
		names = append(slices.Clone(names), "totalQueueLength")
	}
	for _, n := range names {
		o.add(f(n, object("", f("hour", object("")), f("min", object("")), f("sec10", object("")))))
	}
	return o
}

func (v view) root() *bean {
	cfg := v.c.Config()
	quiet, reason := v.c.Quiet()
	var why, url, message any
	if quiet && reason != "" {
		why = reason
	}
	if root := v.c.RootURL(); root != "" {
		url = root
	}
	if cfg.SystemMessage != "" {
		message = cfg.SystemMessage
	}
	node := v.c.Nodes()[0]
	return object("hudson.model.Hudson",
		f("assignedLabels", func() any { return v.labels(node, false) }), f("mode", cfg.Mode), f("nodeDescription", node.Description),
		f2("nodeName", ""), f("numExecutors", cfg.NumExecutors), f("description", message),
		f("jobs", func() any { return beans(v.c.Jobs(), v.job) }), f("overallLoad", load("", true)), f("primaryView", v.view("all")),
		f("quietDownReason", why), f("quietingDown", quiet), f("slaveAgentPort", cfg.AgentPort),
		f("unlabeledLoad", load("jenkins.model.UnlabeledLoadStatistics", false)), f("url", url), f("useCrumbs", cfg.UseCrumbs),
		f("useSecurity", cfg.UseSecurity), f("views", func() any { return v.views() }))
}

func (v view) views() []*bean {
	out := []*bean{v.view("all")}
	for _, w := range v.c.Config().Views {
		out = append(out, v.view(w.Name))
	}
	slices.SortFunc(out, func(a, b *bean) int { return strings.Compare(a.fields[2].value.(string), b.fields[2].value.(string)) })
	return out
}

// view renders a view, or gives nil when there is none of that name.
func (v view) view(name string) *bean {
	class, url := "hudson.model.AllView", v.base
	jobs := func() any { return beans(v.c.Jobs(), v.job) }
	if name != "all" {
		i := slices.IndexFunc(v.c.Config().Views, func(w home.View) bool { return w.Name == name })
		if i < 0 {
			return nil
		}
		class, url = "hudson.model.ListView", v.base+"view/"+esc(name)+"/"
		names := v.c.Config().Views[i].Jobs
		jobs = func() any {
			var list []*core.Job
			for _, n := range names {
				if j := v.c.Job(n); j != nil {
					list = append(list, j)
				}
			}
			return beans(list, v.job)
		}
	}
	return object(class, f("description", nil), f("jobs", jobs), f2("name", name), f("property", []*bean{}), f2("url", url))
}

func (v view) jobURL(j *core.Job) string { return v.base + "job/" + esc(j.Name) + "/" }

func (v view) job(j *core.Job) *bean { return v.jobNamed(j, v.jobURL(j)) }

func (v view) jobNamed(j *core.Job, url string) *bean {
	cfg := j.Config
	var description, label, shown any
	if cfg.HasDescription {
		description = cfg.Description
	}
	if cfg.Label != "" {
		label = cfg.Label
	}
	display := j.Name
	if cfg.DisplayName != "" {
		display, shown = cfg.DisplayName, cfg.DisplayName
	}
	params := []*bean{}
	actions := []*bean{object(""), object("")}
	if cfg.HasParams {
		p := object("hudson.model.ParametersDefinitionProperty", f2("parameterDefinitions", beans(cfg.Params, paramDefinition)))
		params = append(params, p)
		actions = append([]*bean{p}, actions...)
	}
	done := func(b *core.Build) bool { return !b.Building }
	result := func(results ...string) func(*core.Build) bool {
		return func(b *core.Build) bool { return !b.Building && slices.Contains(results, b.Result) }
	}
	last := func(fits func(*core.Build) bool) any {
		return func() any { return v.buildOrNil(j.Last(fits)) }
	}
	return object("hudson.model.FreeStyleProject", f("actions", actions), f("description", description), f("displayName", display),
		f("displayNameOrNull", shown), f("fullDisplayName", display), f("fullName", j.Name), f3("name", j.Name), f3("url", url),
		f("buildable", j.Buildable()), f("builds", func() any { return beans(j.Builds[:min(len(j.Builds), 100)], v.build) }),
		field{name: "allBuilds", vis: -999, value: func() any { return beans(j.Builds, v.build) }},
		f2("color", j.Color()), f("firstBuild", func() any {
			if len(j.Builds) == 0 {
				return nil
			}
			return v.build(j.Builds[len(j.Builds)-1])
		}), f("healthReport", health(j)), f("inQueue", v.c.ItemOf(j) != nil), f("keepDependencies", cfg.KeepDeps),
		f("lastBuild", last(func(*core.Build) bool { return true })), f("lastCompletedBuild", last(done)),
		f("lastFailedBuild", last(result("FAILURE"))), f("lastStableBuild", last(result("SUCCESS"))),
		f("lastSuccessfulBuild", last(result("SUCCESS", "UNSTABLE"))), f("lastUnstableBuild", last(result("UNSTABLE"))),
		f("lastUnsuccessfulBuild", last(func(b *core.Build) bool { return !b.Building && b.Result != "SUCCESS" })),
		f("nextBuildNumber", j.NextBuild), f("property", params), f("queueItem", func() any {
			if item := v.c.ItemOf(j); item != nil {
				return v.item(item)
			}
			return nil
		}), f("concurrentBuild", cfg.Concurrent), f("disabled", cfg.Disabled), f("downstreamProjects", []*bean{}), f("labelExpression", label),
		f("scm", object("hudson.scm.NullSCM")), f("upstreamProjects", []*bean{}))
}

func paramDefinition(p core.Param) *bean {
	var description any
	if p.Description != "" {
		description = p.Description
	}
	value := object("hudson.model.StringParameterValue", f3("name", p.Name), f3("value", p.Value))
	return object("hudson.model.StringParameterDefinition", f2("defaultParameterValue", value), f2("description", description), f2("name", p.Name),
		f2("type", "StringParameterDefinition"))
}

func health(j *core.Job) []*bean {
	done, failed := 0, 0
	for _, b := range j.Builds {
		if !b.Building && done < 5 {
			done++
			if b.Result == "FAILURE" {
				failed++
			}
		}
	}
	if done == 0 {
		return []*bean{}
	}
	score, icon, text := 100*(done-failed)/done, "80plus", "No recent builds failed."
	switch {
	case failed == done:
		text = "All recent builds failed."
	case failed > 0:
		text = itoa(failed) + " out of the last " + itoa(done) + " builds failed."
	}
	switch {
	case score < 20:
		icon = "00to19"
	case score < 40:
		icon = "20to39"
	case score < 60:
		icon = "40to59"
	case score < 80:
		icon = "60to79"
	}
	return []*bean{object("", f2("description", "Build stability: "+text), f2("iconClassName", "icon-health-"+icon), f2("iconUrl", "health-"+icon+".png"), f2("score", score))}
}

func (v view) buildOrNil(b *core.Build) any {
	if b == nil {
		return nil
	}
	return v.build(b)
}

func (v view) build(b *core.Build) *bean {
	actions := []*bean{}
	if len(b.Params) > 0 {
		actions = append(actions, v.params(b.Params))
	}
	actions = append(actions, v.cause(b.User))
	if b.Interrupted {
		actions = append(actions, object("jenkins.model.InterruptedBuildAction"))
	}
	actions = append(actions, object(""))
	var description, result, executor any
	if b.Description != "" {
		description = b.Description
	}
	if !b.Building {
		result = b.Result
	} else if n := b.Node(); n != nil {
		executor = func() any { return v.executor(n, b.Executor) }
	}
	name := "#" + itoa(b.Number)
	changes := object("hudson.scm.EmptyChangeLogSet", f2("items", []*bean{}), f2("kind", nil))
	return object("hudson.model.FreeStyleBuild", f("actions", actions), f("artifacts", []*bean{}), f("building", b.Building), f("description", description),
		f("displayName", name), f("duration", b.Duration.Milliseconds()), f("estimatedDuration", b.Job.Estimate()), f("executor", executor),
		f("fullDisplayName", b.Job.Name+" "+name), f("id", itoa(b.Number)), f("inProgress", b.Building), f("keepLog", b.KeepLog), f2("number", b.Number),
		f("queueId", b.QueueID), f("result", result), f("timestamp", b.Start.UnixMilli()), f2("url", v.jobURL(b.Job)+itoa(b.Number)+"/"),
		f("builtOn", b.BuiltOn), f("changeSet", changes), f("culprits", []*bean{}))
}

func (v view) params(params []core.Param) *bean {
	return object("hudson.model.ParametersAction", f2("parameters", beans(params, func(p core.Param) *bean {
		return object("hudson.model.StringParameterValue", f3("name", p.Name), f3("value", p.Value))
	})))
}

func (v view) cause(user string) *bean {
	var id any
	name := "anonymous"
	if user != "" {
		id, name = user, user
		if u, ok := v.c.Users.Get(user); ok {
			name = u.FullName
		}
	}
	c := object("hudson.model.Cause$UserIdCause", f3("shortDescription", "Started by user "+name), f3("userId", id), f3("userName", name))
	return object("hudson.model.CauseAction", f2("causes", []*bean{c}))
}

func (v view) item(i *core.Item) *bean {
	actions := []*bean{}
	if len(i.Params) > 0 {
		actions = append(actions, v.params(i.Params))
	}
	actions = append(actions, v.cause(i.User))
	o := object(i.Class(), f("actions", actions), f2("blocked", i.Blocked()), f2("buildable", i.Buildable()), f2("id", i.ID),
		f2("inQueueSince", i.Since.UnixMilli()), f2("params", i.ParamText()), f2("stuck", v.c.Stuck(i)),
		f2("task", func() any { return v.job(i.Job()) }), f2("url", "queue/item/"+itoa(i.ID)+"/"), f2("why", v.c.Why(i)))
	switch {
	case i.Waiting():
		o.add(f2("timestamp", i.Until.UnixMilli()))
	case i.Left():
		o.add(f("cancelled", i.Cancelled), f("executable", func() any { return v.buildOrNil(i.Build) }))
	default:
		o.add(f2("buildableStartMilliseconds", i.Ready.UnixMilli()))
		if i.Buildable() {
			o.add(f2("pending", false))
		}
	}
	return o
}

func (v view) queue() *bean {
	return object("hudson.model.Queue", inlined("discoverableItems", []*bean{}), inlined("items", func() any { return beans(v.c.Items(), v.item) }))
}
