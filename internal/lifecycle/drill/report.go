package drill

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"strings"
	"time"
)

// JSON is the report for programs: {"scenarios": [{name, passed, recovery, lost, target, ...}]}.
func JSON(results []Result) ([]byte, error) {
	if results == nil {
		results = []Result{}
	}
	data, err := json.MarshalIndent(map[string]any{"scenarios": results}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the report: %w", err)
	}
	return append(data, '\n'), nil
}

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Time     string      `xml:"time,attr"`
	Stamp    string      `xml:"timestamp,attr,omitempty"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string       `xml:"name,attr"`
	Class   string       `xml:"classname,attr"`
	Time    string       `xml:"time,attr"`
	Failure *junitReason `xml:"failure,omitempty"`
	Error   *junitReason `xml:"error,omitempty"`
	Out     string       `xml:"system-out"`
}

type junitReason struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// JUnit is the report for what reads results of tests. A missed target is a failure, a cluster that did not recover an error.
func JUnit(results []Result) ([]byte, error) {
	suite := junitSuite{Name: "jomctl drill", Tests: len(results)}
	total := 0.0
	for _, r := range results {
		if suite.Stamp == "" {
			suite.Stamp = r.Began.UTC().Format(time.RFC3339)
		}
		took := max(r.Ended.Sub(r.Began).Seconds(), 0) // the clock may have been set back meanwhile
		total += took
		one := junitCase{Name: r.Name, Class: "jomctl.drill." + r.Cluster, Time: fmt.Sprintf("%.3f", took), Out: summary(r)}
		if !r.Passed {
			reason := &junitReason{strings.Join(r.Reasons, "; "), summary(r)}
			if r.Recovered {
				one.Failure = reason
				suite.Failures++
			} else {
				one.Error = reason
				suite.Errors++
			}
		}
		suite.Cases = append(suite.Cases, one)
	}
	suite.Time = fmt.Sprintf("%.3f", total)
	data, err := xml.MarshalIndent(junitSuites{Name: suite.Name, Tests: suite.Tests, Failures: suite.Failures, Errors: suite.Errors, Time: suite.Time, Suites: []junitSuite{suite}}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the report: %w", err)
	}
	return append([]byte(xml.Header), append(data, '\n')...), nil
}

func summary(r Result) string {
	var parts []string
	for _, p := range r.Phases {
		parts = append(parts, fmt.Sprintf("%s %.2f s", p.Phase, p.Seconds()))
	}
	recovery, lost := "not recovered", "not counted"
	if r.Recovery.Seconds >= 0 {
		recovery = fmt.Sprintf("recovery %.2f s", r.Recovery.Seconds)
	}
	if r.Counted() {
		lost = fmt.Sprintf("%d of %d configurations, %d of %d builds", r.Lost.Configurations, r.Lost.Saved, r.Lost.Builds, r.Lost.Built)
	}
	text := fmt.Sprintf("%s\n%s, target %.0f s: %s\nlost: %s; %d of %d requests failed", r.Hypothesis, recovery, r.Target.Recovery, strings.Join(parts, ", "), lost, r.Lost.Requests, r.Lost.Requested)
	if len(r.Unmeasured) > 0 {
		text += "\nnot measured: " + strings.Join(r.Unmeasured, ", ")
	}
	return text
}
