package upgrade

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"path/filepath"
	"slices"
	"time"
)

//go:embed report.html.tmpl
var reportTemplate string

// ReportFile is where the report of a run lies.
func (s *Store) ReportFile() string { return filepath.Join(s.Folder(), "report.html") }

// bar is one step on the timeline. From and Width are per cent of the whole run.
type bar struct {
	Step        string
	Took        time.Duration
	From, Width float64
	Open        bool
}

// Report is a page about a run that needs nothing but itself.
func Report(s State) ([]byte, error) {
	page := struct {
		State
		Down  time.Duration
		Ended time.Time
		Bars  []bar
	}{State: s, Down: s.Down().Round(time.Millisecond), Ended: s.Ended["run"], Bars: bars(s)}
	tmpl, err := template.New("report").Funcs(template.FuncMap{"utc": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }}).Parse(reportTemplate)
	if err != nil {
		return nil, fmt.Errorf("writing the report: %w", err)
	}
	var out bytes.Buffer
	if err := tmpl.Execute(&out, page); err != nil {
		return nil, fmt.Errorf("writing the report: %w", err)
	}
	return out.Bytes(), nil
}

// bars are the steps in the order in which they began.
func bars(s State) (all []bar) {
	last := s.Began
	for _, at := range s.Ended {
		if at.After(last) {
			last = at
		}
	}
	whole := max(last.Sub(s.Began), time.Millisecond).Seconds()
	for step, from := range s.Begun {
		to, ended := s.Ended[step]
		if !ended {
			to = last
		}
		all = append(all, bar{Step: step, Took: to.Sub(from).Round(time.Millisecond), Open: !ended && step != opened,
			From: 100 * from.Sub(s.Began).Seconds() / whole, Width: max(0.2, 100*to.Sub(from).Seconds()/whole)})
	}
	slices.SortFunc(all, func(a, b bar) int { return s.Begun[a.Step].Compare(s.Begun[b.Step]) })
	return slices.DeleteFunc(all, func(b bar) bool { return b.Step == opened })
}
