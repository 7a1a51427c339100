package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/jomctl/jomctl/internal/lifecycle/drill"
)

// answerDrills writes the results to stdout.
func (a *app) answerDrills(results []drill.Result) error {
	if results == nil {
		results = []drill.Result{}
	}
	if a.global.Output == formatJSON {
		data, err := drill.JSON(results)
		if err != nil {
			return err
		}
		_, err = a.streams.Out.Write(data)
		return err
	}
	_, err := io.WriteString(a.streams.Out, drillText(results))
	return err
}

func drillText(results []drill.Result) string {
	var text strings.Builder
	for _, r := range results {
		verdict := "passed"
		switch {
		case !r.Recovered:
			verdict = "NOT RECOVERED"
		case !r.Passed:
			verdict = "MISSED"
		}
		took := "not recovered"
		if r.Recovery.Seconds >= 0 {
			took = fmt.Sprintf("recovered in %.1f s (target %.0f s), people served after %.1f s", r.Recovery.Seconds, r.Target.Recovery, r.Recovery.Served)
		}
		fmt.Fprintf(&text, "%-22s %-13s %s\n", r.Name, verdict, took)
		var parts []string
		for _, p := range r.Phases {
			parts = append(parts, fmt.Sprintf("%s %.1f", p.Phase, p.Seconds()))
		}
		if len(parts) > 0 {
			fmt.Fprintf(&text, "  seconds: %s\n", strings.Join(parts, ", "))
		}
		if len(r.Unmeasured) > 0 {
			fmt.Fprintf(&text, "  not measured, as it did not answer before the fault either: %s\n", strings.Join(r.Unmeasured, ", "))
		}
		if !r.Counted() { // it has not come as far as counting
			fmt.Fprintf(&text, "  lost: not counted; %d of %d requests failed\n", r.Lost.Requests, r.Lost.Requested)
			for _, reason := range r.Reasons {
				fmt.Fprintf(&text, "  %s\n", reason)
			}
			continue
		}
		running := ""
		if r.Lost.Running != "" {
			running = ", the running build is " + r.Lost.Running
		}
		fmt.Fprintf(&text, "  lost: %d of %d configurations, %d of %d builds%s; %d of %d requests failed\n",
			r.Lost.Configurations, r.Lost.Saved, r.Lost.Builds, r.Lost.Built, running, r.Lost.Requests, r.Lost.Requested)
		for _, reason := range r.Reasons {
			fmt.Fprintf(&text, "  %s\n", reason)
		}
	}
	return text.String()
}
