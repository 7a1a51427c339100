package api

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/jomctl/jomctl/internal/standin/marathon/core"
	"github.com/jomctl/jomctl/internal/standin/marathon/spec"
)

// appFilter is the conjunction of the query's cmd, id and label.
func appFilter(q url.Values) (func(*spec.App) bool, error) {
	cmd, id := strings.ToLower(q.Get("cmd")), strings.ToLower(q.Get("id"))
	labels, err := selector(q.Get("label"))
	if err != nil {
		return nil, err
	}
	return func(a *spec.App) bool {
		if cmd != "" && (a.Cmd == nil || !strings.Contains(strings.ToLower(*a.Cmd), cmd)) {
			return false
		}
		return strings.Contains(strings.ToLower(a.ID), id) && labels(a.Labels)
	}, nil
}

// selector parses k, k==v, k!=v, k in (a,b) and k notin (a,b), joined by commas.
func selector(text string) (func(map[string]string) bool, error) {
	var tests []func(map[string]string) bool
	set := regexp.MustCompile(`^\s*([^\s,=!()]+)\s+(in|notin)\s*\(([^()]*)\)\s*(?:,|$)`)
	equal := regexp.MustCompile(`^\s*([^\s,=!()]+)\s*(==|!=)\s*([^\s,=!()]+)\s*(?:,|$)`)
	exists := regexp.MustCompile(`^\s*([^\s,=!()]+)\s*(?:,|$)`)
	for rest := text; strings.TrimSpace(rest) != ""; {
		switch {
		case set.MatchString(rest):
			m := set.FindStringSubmatch(rest)
			values := map[string]bool{}
			for _, v := range strings.Split(m[3], ",") {
				values[strings.TrimSpace(v)] = true
			}
			tests = append(tests, func(l map[string]string) bool {
				v, ok := l[m[1]]
				return ok && values[v] == (m[2] == "in")
			})
			rest = rest[len(m[0]):]
		case equal.MatchString(rest):
			m := equal.FindStringSubmatch(rest)
			tests = append(tests, func(l map[string]string) bool {
				v, ok := l[m[1]]
				return ok && (v == m[3]) == (m[2] == "==")
			})
			rest = rest[len(m[0]):]
		case exists.MatchString(rest):
			m := exists.FindStringSubmatch(rest)
			tests = append(tests, func(l map[string]string) bool { _, ok := l[m[1]]; return ok })
			rest = rest[len(m[0]):]
		default:
			return nil, &core.Refused{Status: 422, Message: "Can not parse label selector " + text + ". Reason: end of input expected"}
		}
	}
	return func(l map[string]string) bool {
		for _, test := range tests {
			if !test(l) {
				return false
			}
		}
		return true
	}, nil
}
