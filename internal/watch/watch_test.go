package watch

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/probe"
	"github.com/jomctl/jomctl/internal/status"
)

func begin() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }

// healthy is a cluster of three control hosts and an agent.
func healthy() status.Report {
	r := status.Report{Cluster: "ci", Target: "hosts", Ready: true, Checked: begin(), Mesos: status.Mesos{Leader: "c1:5050", Frameworks: []status.Framework{{ID: "f-1", Name: "jenkins-ci", Active: true}}},
		Marathon: status.Marathon{Leader: "c1:8090", App: &status.App{Running: 1, Instances: 1}}, Controller: status.Controller{State: "up", Home: &status.Home{Epoch: 1}},
		Hosts: []status.Host{{Name: "a1", Disk: &status.Disk{Used: 50, Free: 50, Mount: "/"}}}}
	for _, host := range []string{"c1", "c2", "c3"} {
		r.ZooKeeper.Servers = append(r.ZooKeeper.Servers, status.ZooServer{Address: host + ":2181", Mode: "follower"})
		r.Mesos.Masters = append(r.Mesos.Masters, status.Master{Address: host + ":5050"})
	}
	return r
}

// told are what a watcher tells at a moment, as "begin ID".
func told(w *Watcher, second int) []string {
	all := []string{}
	for _, a := range w.Step(begin().Add(time.Duration(second) * time.Second)) {
		all = append(all, a.State+" "+a.ID)
	}
	return all
}

// watched is a watcher of which the report was changed.
func watched(change func(r *status.Report)) *Watcher {
	w := New("ci", Defaults(), nil)
	set(w, change)
	return w
}

func set(w *Watcher, change func(r *status.Report)) {
	r := healthy()
	if change != nil {
		change(&r)
	}
	w.Reported(r)
}

func TestEachTroubleHasItsAlert(t *testing.T) {
	lose := func(n int) func(r *status.Report) {
		return func(r *status.Report) {
			for i := range n {
				r.ZooKeeper.Servers[i].Mode = ""
			}
		}
	}
	for name, test := range map[string]struct {
		change func(r *status.Report)
		want   []string
	}{
		"nothing":             {nil, []string{}},
		"controller down":     {func(r *status.Report) { r.Controller.State = "refused" }, []string{"begin controller-down"}},
		"two controllers":     {func(r *status.Report) { r.Marathon.App.Running = 2 }, []string{"begin controllers-many"}},
		"one server left out": {lose(1), []string{"begin quorum-at-risk/zookeeper"}},
		"quorum lost":         {lose(2), []string{"begin quorum-at-risk/zookeeper", "begin quorum-lost/zookeeper"}},
		"a master is away":    {func(r *status.Report) { r.Mesos.Masters[2].Error = "refused" }, []string{"begin quorum-at-risk/mesos-masters"}},
		"framework twice": {func(r *status.Report) {
			r.Mesos.Frameworks = append(r.Mesos.Frameworks, status.Framework{ID: "f-2", Name: "jenkins-ci"})
		}, []string{"begin framework-twice/jenkins-ci"}},
		"unpushed":      {func(r *status.Report) { r.Controller.Home.Unpushed = begin().Add(-10 * time.Minute) }, []string{"begin home-unpushed"}},
		"just unpushed": {func(r *status.Report) { r.Controller.Home.Unpushed = begin() }, []string{}},
		"disk":          {func(r *status.Report) { r.Hosts[0].Disk.Free = 5 }, []string{"begin disk/a1"}},
		"another error": {func(r *status.Report) {
			r.Findings = []status.Finding{{Severity: status.Error, Subject: "host a1", Problem: "away"}, {Severity: status.Warning, Subject: "unit", Problem: "restarts"}}
		}, []string{"begin finding/host a1"}},
		"one cause, one alert": {func(r *status.Report) {
			r.Controller.State = "refused"
			r.Findings = []status.Finding{{Severity: status.Error, Subject: "controller", Problem: "does not serve"}}
		}, []string{"begin controller-down"}},
		"nothing answers": {func(r *status.Report) {
			*r = status.Report{Checked: r.Checked, Mesos: status.Mesos{Error: "away"}, Marathon: status.Marathon{Error: "away"}, Controller: status.Controller{State: "refused"},
				Findings: []status.Finding{{Severity: status.Error, Subject: "host a1"}}}
		}, []string{"begin cluster-unreachable"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := watched(test.change)
			require.Empty(t, told(w, 0), "not at once")
			require.Empty(t, told(w, 29))
			require.Equal(t, test.want, told(w, 31))
			require.Empty(t, told(w, 600), "and not again")
			for _, a := range w.Open() {
				require.NotEmpty(t, a.Fix+a.Problem+a.Subject)
				require.Equal(t, []any{"ci", begin()}, []any{a.Cluster, a.Began})
			}
		})
	}
}

func TestAnAlertEndsWhenItIsRightForLongEnough(t *testing.T) {
	w := watched(func(r *status.Report) { r.Controller.State = "refused" })
	told(w, 0)
	require.Equal(t, []string{"begin controller-down"}, told(w, 30))
	set(w, nil)
	require.Empty(t, told(w, 40))
	set(w, func(r *status.Report) { r.Controller.State = "starting" })
	require.Empty(t, told(w, 90), "it was not right for a minute")
	set(w, nil)
	require.Empty(t, told(w, 100))
	require.Empty(t, told(w, 159))
	ended := w.Step(begin().Add(160 * time.Second))
	require.Len(t, ended, 1)
	require.Equal(t, []any{End, begin(), begin().Add(100 * time.Second)}, []any{ended[0].State, ended[0].Began, ended[0].Ended})
	require.Empty(t, told(w, 700))
	require.Empty(t, w.Open())
}

func TestWhatIsShortIsNotTold(t *testing.T) {
	w := watched(nil)
	for second := range 600 {
		set(w, func(r *status.Report) {
			if second%60 < 25 {
				r.Controller.State = "refused"
			}
		})
		require.Empty(t, told(w, second))
	}
}

func TestAValueThatSwingsAroundItsLimitIsToldOnce(t *testing.T) {
	w := watched(nil)
	var all []string
	for second := range 1800 {
		set(w, func(r *status.Report) {
			r.Hosts[0].Disk = &status.Disk{Used: 88, Free: 12} // below the limit, above its end
			if second < 40 || second%100 == 0 {
				r.Hosts[0].Disk = &status.Disk{Used: 91, Free: 9}
			}
		})
		all = append(all, told(w, second)...)
	}
	require.Equal(t, []string{"begin disk/a1"}, all)
	for second := 1800; second < 1900; second++ {
		set(w, func(r *status.Report) { r.Hosts[0].Disk = &status.Disk{Used: 84, Free: 16} })
		all = append(all, told(w, second)...)
	}
	require.Equal(t, []string{"begin disk/a1", "end disk/a1"}, all)
}

func TestWhatIsNotKnownIsNeitherRightNorWrong(t *testing.T) {
	w := watched(func(r *status.Report) { r.Hosts[0].Disk.Free = 1 })
	told(w, 0)
	require.Equal(t, []string{"begin disk/a1"}, told(w, 30))
	set(w, func(r *status.Report) { r.Hosts[0].Disk = nil })
	require.Empty(t, told(w, 60))
	require.Empty(t, told(w, 600))
	require.Len(t, w.Open(), 1)
}

func TestAFrameworkThatRegistersAgainAndAgain(t *testing.T) {
	w := watched(nil)
	again := func(at int) {
		set(w, func(r *status.Report) {
			r.Mesos.Frameworks[0].Reregistered = begin().Add(time.Duration(at) * time.Second)
		})
		// The prober sees the same, more exactly.
		w.Probed(probe.Sample{Target: probe.Framework, OK: true, Framework: &probe.FrameworkState{ID: "f-1", Name: "jenkins-ci", Same: 1, Since: begin().Add(time.Duration(at)*time.Second + 345678)}})
	}
	for second := range 60 {
		again(10)
		require.Empty(t, told(w, second), "once is a leader that has changed")
	}
	again(70)
	again(80)
	require.Empty(t, told(w, 81))
	require.Equal(t, []string{"begin framework-again/f-1"}, told(w, 111))
	require.Empty(t, told(w, 640), "once within ten minutes is still not over")
	require.Empty(t, told(w, 681))
	require.Equal(t, []string{"end framework-again/f-1"}, told(w, 745))
}

func TestTheEdgeSeenFromOutsideDecides(t *testing.T) {
	w := watched(nil)
	w.Probed(probe.Sample{Target: probe.Edge, OK: false, Detail: "HTTP 503"})
	told(w, 0)
	alerts := w.Step(begin().Add(time.Minute))
	require.Len(t, alerts, 1)
	require.Contains(t, alerts[0].Problem, "HTTP 503")
	w.Probed(probe.Sample{Target: probe.Edge, OK: true})
	told(w, 61)
	require.Equal(t, []string{"end controller-down"}, told(w, 122))
}

func TestAnAlertOfAnEarlierRunIsNotToldAgain(t *testing.T) {
	first := watched(func(r *status.Report) { r.Hosts[0].Disk.Free = 1; r.Controller.State = "refused" })
	told(first, 0)
	require.Len(t, told(first, 30), 2)
	second := New("ci", Defaults(), first.Open())
	require.Empty(t, told(second, 31), "before the first report nothing is known")
	set(second, func(r *status.Report) { r.Hosts[0].Disk.Free = 1 })
	require.Empty(t, told(second, 32))
	require.Equal(t, []string{"end controller-down"}, told(second, 93), "which ended meanwhile")
	require.Equal(t, "disk/a1", second.Open()[0].ID, fmt.Sprint(second.Open()))
}
