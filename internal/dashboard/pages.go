package dashboard

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"math"
	"net"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/status"
)

//go:embed page
var files embed.FS

// sectionNames are the parts of the page that change, each a template of that name.
func sectionNames() []string {
	return []string{"summary", "findings", "controller", "queue", "agents", "hosts", "histories", "parts"}
}

// pages are the templates, with what they have made of the last snapshot. One goroutine at a time may use them.
type pages struct {
	template  *template.Template
	framework string
	version   string
	// made is what was made last, by the name of each part.
	made map[string]made
}

// made is a part of the page with everything that it was made from: the templates see nothing else, so that equal data gives equal HTML.
type made struct {
	data any
	html template.HTML
	// used says that the part is in the page that is being made.
	used bool
}

func newPages(sources Sources) (*pages, error) {
	t, err := template.New("page").Funcs(template.FuncMap{
		"moment": newMoment, "plural": plural, "severity": severityWord,
	}).ParseFS(files, "page/*.tmpl")
	if err != nil {
		return nil, fmt.Errorf("reading the templates of the page: %w", err)
	}
	return &pages{template: t, framework: sources.Framework, version: sources.Version, made: map[string]made{}}, nil
}

// sections are all sections as HTML. What is as it was is not made again.
func (p *pages) sections(s Snapshot) map[string]string {
	all := map[string]string{}
	for name, data := range p.views(s) {
		all[name] = string(p.make(name, name, data))
	}
	for part, one := range p.made {
		if !one.used {
			delete(p.made, part)
			continue
		}
		one.used = false
		p.made[part] = one
	}
	return all
}

// make is a template's HTML of the data, which nobody may change afterwards. The part's name is its own. A template that fails is a fault of the program, and is shown in its place.
func (p *pages) make(part, name string, data any) template.HTML {
	one := p.made[part]
	if one.html == "" || !reflect.DeepEqual(one.data, data) {
		var out bytes.Buffer
		if err := p.template.ExecuteTemplate(&out, name, data); err != nil {
			out.Reset()
			fmt.Fprintf(&out, "<p>This part of the page could not be made: %s</p>", template.HTMLEscapeString(err.Error()))
		}
		one.data, one.html = data, template.HTML(out.String()) // #nosec G203 // the template has escaped it
	}
	one.used = true
	p.made[part] = one
	return one.html
}

// cards are parts of a section, each made by the template of that name.
func cards[T any](p *pages, name string, all []T, id func(T) string) []template.HTML {
	var out []template.HTML
	for _, one := range all {
		out = append(out, p.make(name+" "+id(one), name, one))
	}
	return out
}

// title is what the browser's tab says.
func title(s Snapshot) string {
	r := s.Report
	switch {
	case r.Checked.IsZero():
		return "jomctl"
	case !s.Unreachable.IsZero():
		return r.Cluster + ": does not answer"
	case !r.Ready:
		return r.Cluster + ": not ready"
	case len(r.Findings) > 0:
		return fmt.Sprintf("%s: ready, %s", r.Cluster, plural(len(r.Findings), "finding"))
	}
	return r.Cluster + ": ready"
}

// bar is an amount of a whole.
type bar struct {
	Label, Text string
	Percent     float64
	// Level is full, high or empty.
	Level string
}

func newBar(label string, used, total float64, text string) bar {
	b := bar{Label: label, Text: text}
	if total > 0 {
		b.Percent = math.Round(min(max(used/total, 0), 1)*1000) / 10
	}
	return b
}

// leveled is for what must not become full: what a Mesos agent offers may all be in use, a disk may not.
func (b bar) leveled() bar {
	switch {
	case b.Percent >= 97:
		b.Level = "full"
	case b.Percent >= 90:
		b.Level = "high"
	}
	return b
}

// mib writes an amount of MiB with its unit.
func mib(n float64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f TiB", n/(1<<20))
	case n >= 10<<10:
		return fmt.Sprintf("%.0f GiB", n/(1<<10))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f GiB", n/(1<<10))
	}
	return fmt.Sprintf("%.0f MiB", n)
}

// pair is "USED of TOTAL".
func pair(used, total float64, unit string) string {
	if unit == "MiB" {
		return mib(used) + " of " + mib(total)
	}
	return fmt.Sprintf("%.1f of %.1f %s", used, total, unit)
}

// moment is a time as the page shows it: the browser turns it into an age that ticks.
type moment struct {
	ISO, Text string
}

func newMoment(t time.Time) *moment {
	if t.IsZero() {
		return nil
	}
	return &moment{t.UTC().Format(time.RFC3339), t.UTC().Format("2006-01-02 15:04:05 UTC")}
}

// lasted writes a duration.
func lasted(from, to time.Time) string {
	if from.IsZero() || to.IsZero() {
		return ""
	}
	switch d := to.Sub(from); {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	default:
		return fmt.Sprintf("%.1f h", d.Hours())
	}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func severityWord(s status.Severity) string {
	return map[status.Severity]string{status.Error: "Error", status.Warning: "Warning", status.Info: "Note"}[s]
}

// leads says that an address of a part is on the host.
func leads(host status.Host, address string) bool {
	name, _, err := net.SplitHostPort(strings.TrimPrefix(address, "http://"))
	return err == nil && name == host.Address
}

// sorted are the findings, the worst first.
func sorted(findings []status.Finding) []status.Finding {
	rank := map[status.Severity]int{status.Error: 0, status.Warning: 1, status.Info: 2}
	all := slices.Clone(findings)
	slices.SortStableFunc(all, func(a, b status.Finding) int { return rank[a.Severity] - rank[b.Severity] })
	return all
}
