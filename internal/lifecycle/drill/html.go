package drill

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"math"
	"strings"
	"time"

	"github.com/wcharczuk/go-chart/v2"
	"github.com/wcharczuk/go-chart/v2/drawing"

	"github.com/jomctl/jomctl/internal/probe"
)

//go:embed report.html.tmpl
var reportTemplate string

// htmlDrill is one drill as the page shows it.
type htmlDrill struct {
	Result
	// Chart is an SVG as a data URI; empty where nothing was measured. Alt says in words what it shows.
	Chart template.URL
	Alt   string
}

// Verdict is one word.
func (d htmlDrill) Verdict() string {
	switch {
	case d.Passed:
		return "passed"
	case d.Recovered:
		return "missed"
	}
	return "not recovered"
}

// Took is the recovery for people.
func (d htmlDrill) Took() string {
	if d.Recovery.Seconds < 0 {
		return "never"
	}
	return fmt.Sprintf("%.1f s", d.Recovery.Seconds)
}

// HTML is the report for people: one page without anything from elsewhere.
func HTML(results []Result, trends []Trend) ([]byte, error) {
	page := struct {
		Cluster string
		Made    string
		Passed  int
		Drills  []htmlDrill
		Trends  []Trend
	}{Made: time.Now().UTC().Format("2006-01-02 15:04 MST"), Trends: trends}
	for _, r := range results {
		page.Cluster = r.Cluster
		if r.Passed {
			page.Passed++
		}
		d := htmlDrill{Result: r}
		svg, err := timelineSVG(r)
		if err != nil {
			return nil, fmt.Errorf("drawing the timeline of %s: %w", r.Name, err)
		}
		if svg != nil {
			d.Chart = template.URL("data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString(svg))
			d.Alt = altOf(r)
		}
		page.Drills = append(page.Drills, d)
	}
	parsed, err := template.New("report").Funcs(template.FuncMap{
		"sec":   func(v float64) string { return fmt.Sprintf("%.1f", v) },
		"day":   func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") },
		"since": func(r Result, t time.Time) string { return fmt.Sprintf("%+.1f s", t.Sub(faultOf(r)).Seconds()) },
	}).Parse(reportTemplate)
	if err != nil {
		return nil, fmt.Errorf("reading the template of the report: %w", err)
	}
	var out bytes.Buffer
	if err := parsed.Execute(&out, page); err != nil {
		return nil, fmt.Errorf("writing the report: %w", err)
	}
	return out.Bytes(), nil
}

func faultOf(r Result) time.Time {
	for _, e := range r.Events {
		if e.Kind == probe.EventFault {
			return e.At
		}
	}
	return r.Began
}

func altOf(r Result) string {
	var parts []string
	for _, p := range r.Phases {
		parts = append(parts, fmt.Sprintf("%s %.1f seconds", p.Phase, p.Seconds()))
	}
	for _, o := range r.Outages {
		parts = append(parts, fmt.Sprintf("%s failed %d of %d times", o.Target, o.Failed, o.Asked))
	}
	return "Timeline of " + r.Name + ": " + strings.Join(parts, ", ")
}

// timelineSVG draws when each target served, as one line per target that is broken where it did not, with the fault and the phases as
// vertical lines.
func timelineSVG(r Result) ([]byte, error) {
	fault := faultOf(r)
	rows := rowsOf(r)
	if len(rows) == 0 {
		return nil, nil
	}
	graph := chart.Chart{Width: 960, Height: 70 + 34*len(rows), Background: chart.Style{Padding: chart.Box{Top: 24, Left: 16, Right: 110, Bottom: 8}},
		XAxis: chart.XAxis{Name: "seconds after the fault", Ticks: secondsOf(r, fault)},
		YAxis: chart.YAxis{AxisType: chart.YAxisSecondary, Range: &chart.ContinuousRange{Min: 0, Max: float64(len(rows)) + 0.8}}}
	at := func(t time.Time) float64 { return t.Sub(fault).Seconds() }
	for row, target := range rows {
		y := float64(len(rows) - row)
		graph.YAxis.Ticks = append([]chart.Tick{{Value: y, Label: target + "  "}}, graph.YAxis.Ticks...)
		for _, i := range r.Intervals {
			if i.Target != target {
				continue
			}
			from, to := at(i.From), max(at(i.To), at(i.From)+0.1)
			color, width := drawing.ColorFromHex("1a7f37"), 6.0
			if !i.Up {
				color, width = drawing.ColorFromHex("cf222e"), 12.0
			}
			graph.Series = append(graph.Series, chart.ContinuousSeries{Style: chart.Style{StrokeColor: color, StrokeWidth: width}, XValues: []float64{from, to}, YValues: []float64{y, y}})
		}
	}
	graph.YAxis.Ticks = append([]chart.Tick{{Value: 0, Label: ""}}, graph.YAxis.Ticks...)
	height := float64(len(rows)) + 0.6
	mark := func(x float64, hex string, dashes ...float64) {
		graph.Series = append(graph.Series, chart.ContinuousSeries{Style: chart.Style{StrokeColor: drawing.ColorFromHex(hex), StrokeWidth: 1.5, StrokeDashArray: dashes},
			XValues: []float64{x, x}, YValues: []float64{0, height}})
	}
	mark(0, "000000")
	for _, p := range r.Phases {
		mark(at(p.To), "6e7781", 3, 3)
	}
	var out bytes.Buffer
	if err := graph.Render(chart.SVG, &out); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// secondsOf are round numbers of seconds, about a dozen.
func secondsOf(r Result, fault time.Time) []chart.Tick {
	first, last := 0.0, 1.0
	for _, i := range r.Intervals {
		first, last = min(first, i.From.Sub(fault).Seconds()), max(last, i.To.Sub(fault).Seconds())
	}
	step := 1.0
	for _, next := range []float64{2, 5, 10, 20, 30, 60, 120, 300, 600} {
		if (last-first)/step > 14 {
			step = next
		}
	}
	var ticks []chart.Tick
	for at := math.Floor(first/step) * step; at < last+step; at += step {
		ticks = append(ticks, chart.Tick{Value: at, Label: fmt.Sprintf("%.0f", at+0)})
	}
	return ticks
}

// rowsOf are the targets that were asked.
func rowsOf(r Result) []string {
	var all []string
	for _, target := range probe.Targets() {
		for _, i := range r.Intervals {
			if i.Target == target {
				all = append(all, target)
				break
			}
		}
	}
	return all
}
