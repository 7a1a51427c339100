package dashboard

import (
	"html/template"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/status"
)

// full is a snapshot in which everything that the page can show is set.
func full(t *testing.T) Snapshot {
	w := newWorld()
	w.change(func(r *status.Report) {
		r.Findings = []status.Finding{{Severity: status.Warning, Subject: "a2", Problem: "is slow", Fix: "wait"}}
		r.Controller.Error, r.Controller.Home.Problem, r.Marathon.App.LastFailure = "a trouble", "another", "a third"
		r.Controller.Queue[0].Stuck = true
		r.Hosts[2].Error = "no route to host"
		r.Hosts[1].Units[0].State, r.Hosts[1].Units[0].LastExit, r.Hosts[1].Units[0].Restarts = "waiting", "exit 1", 2
	})
	s := Snapshot{}.next(w.report, time.Second)
	s.Runs = read(t.Context(), w.sources().Runs)
	s.Probes = []Probe{{Target: "edge", Up: false, Since: seen(), Detail: "refused"}}
	s.Releases.Entries = []Entry{{ID: "release-1", Title: "Jenkins 1 to 2", Begin: seen().Add(-time.Minute), Outcome: "unfinished", Note: "a note",
		Spans: []Span{{Name: "deploy", Begin: seen().Add(-30 * time.Second), Outcome: "running"}}}}
	return s
}

// leaves calls change for each value without parts that v is made of.
func leaves(v reflect.Value, path string, change func(path string, leaf reflect.Value)) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			leaves(v.Elem(), path, change)
		}
	case reflect.Slice:
		for i := range v.Len() {
			leaves(v.Index(i), path+"["+strconv.Itoa(i)+"]", change)
		}
	case reflect.Struct:
		if _, is := v.Interface().(time.Time); is {
			change(path, v)
			return
		}
		for i := range v.NumField() {
			leaves(v.Field(i), path+"."+v.Type().Field(i).Name, change)
		}
	default:
		change(path, v)
	}
}

// other changes a value.
func other(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + 1000)
	case reflect.Float64:
		v.SetFloat(v.Float() + 0.5)
	default:
		if at, is := v.Interface().(time.Time); is {
			v.Set(reflect.ValueOf(at.Add(time.Hour)))
		}
	}
}

// Whatever changes in a snapshot, the page is the same as one that is made anew.
func TestThePageThatWasKeptIsThePageMadeAnew(t *testing.T) {
	kept, err := newPages(Sources{Framework: "jenkins-ci"})
	require.NoError(t, err)
	compare := func(s Snapshot, after string) (page map[string]string) {
		page = (&pages{template: kept.template, framework: kept.framework, made: map[string]made{}}).sections(s)
		for name, html := range kept.sections(s) {
			require.Equal(t, page[name], html, "%s after %s", name, after)
		}
		return page
	}
	before, shown, all := compare(full(t), "nothing"), 0, 0
	leaves(reflect.ValueOf(full(t)), "", func(string, reflect.Value) { all++ })
	for i := range all {
		s, at, changed := full(t), 0, ""
		leaves(reflect.ValueOf(&s).Elem(), "", func(path string, leaf reflect.Value) {
			if at++; at == i+1 {
				other(leaf)
				changed = path
			}
		})
		if after := compare(s, changed); !reflect.DeepEqual(before, after) {
			shown++
		}
		compare(full(t), changed+" set back")
	}
	require.Greater(t, shown, 100, "of %d changes", all)
}

func TestWhatIsTheSameIsNotMadeAgain(t *testing.T) {
	s := full(t)
	p, err := newPages(Sources{Framework: "jenkins-ci"})
	require.NoError(t, err)
	s.Releases.Entries = nil // what goes on lasts longer at each look
	before := p.sections(s)
	p.template = template.Must(template.New("page").Parse(`{{define "agents"}}{{range .Cards}}{{.}}{{end}}{{end}}{{define "agent"}}made again{{end}}{{define "summary"}}{{end}}`))
	s.Report.Checked, s.Answered, s.Took, s.Clients = s.Report.Checked.Add(time.Minute), s.Answered.Add(time.Minute), time.Second, 7
	require.Equal(t, before, p.sections(s))
	first := string(p.made["agent S-10.0.0.11"].html)
	s.Mesos.Agents = append([]status.Agent(nil), s.Mesos.Agents...)
	s.Mesos.Agents[1].Active = false
	require.Equal(t, first+"made again", p.sections(s)["agents"], "one card of two")
	s.Mesos.Agents = s.Mesos.Agents[:1]
	require.Equal(t, first, p.sections(s)["agents"])
	require.NotContains(t, p.made, "agent S-10.0.0.12", "what is gone is forgotten")
}
